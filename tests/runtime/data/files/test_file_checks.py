"""Files that are no images, are damaged, or cannot be read: each is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from archspec.runtime.data.files.decode import decode_bytes
from archspec.runtime.data.files.encoded_image import BadImageError
from archspec.runtime.data.images import Images, class_counts, shared_line
from archspec.runtime.data.sources.dataset import open_data
from tests.refusal import refused
from tests.runtime.data.image_files import folder, pixels, two_classes


def bad_folder(root: Path) -> Path:
    two_classes(root)
    Image.fromarray(pixels(40, 30, 3)).save(root / "cat" / "a.jpg", quality=90)
    contents = {
        "cat/notes.txt": b"not an image",
        "cat/empty.png": b"",
        "cat/half.jpg": (root / "cat" / "a.jpg").read_bytes()[:700],
        "dog/half.png": (root / "dog" / "0.png").read_bytes()[:-40],
        "dog/Thumbs.db": b"what Windows leaves",
        "dog/Icon\r": b"what macOS leaves",
        "dog/._0.png": b"what macOS leaves",
    }
    for name, content in contents.items():
        (root / name).write_bytes(content)
    Image.fromarray(pixels(5, 7, 3)).save(root / "dog" / "t.tga")
    Image.fromarray(pixels(5, 7, 3)).convert("P").save(root / "dog" / "palette.bmp")
    (root / "dog" / "gone.png").symlink_to(root / "nowhere.png")
    return root


def test_validation_images_that_are_training_images_are_counted() -> None:
    """Such images make the validation accuracy too good; each of them counts once."""

    def images(*digests: int) -> Images:
        rows = np.repeat(np.array(digests, np.uint8)[:, None], 16, axis=1)
        labels = np.zeros(len(digests), np.int32)
        return Images(("a",), labels, files=tuple(map(str, range(len(digests)))), digests=rows)

    line = shared_line(images(1, 2, 3, 3), images(3, 4, 2, 3))
    assert (
        line == "3 of 4 validation images are copies of training images, so validation looks better than on new images"
    )
    assert shared_line(images(1, 2), images(3)) is None
    assert "is a copy of a training image" in str(shared_line(images(1), images(1)))


def test_files_that_are_no_images_are_named_and_left_out_only_when_asked(tmp_path: Path) -> None:
    bad_folder(tmp_path)
    wrong = refused(lambda: open_data(str(tmp_path), "validation"))
    assert (wrong.code, wrong.help) == ("bad-images", "`skip_bad_images=True` leaves them out")
    assert wrong.message == "7 of 14 files cannot be read as images"
    assert {note.removeprefix(str(tmp_path) + os.sep).replace(os.sep, "/") for note in wrong.notes} == {
        "cat/notes.txt: not an image",
        "cat/empty.png: an empty file",
        "cat/half.jpg: a damaged JPEG",
        "dog/half.png: a damaged PNG",
        "dog/t.tga: a TGA image; convert it to PNG or JPEG",
        "dog/palette.bmp: a BMP with a palette, which TensorFlow cannot decode; convert it to PNG or JPEG",
        "dog/gone.png: a broken link",
    }
    lines: list[str] = []
    opened = open_data(str(tmp_path), "validation", skip_bad_images=True, report=lines.append)
    assert class_counts(opened) == (4, 3)
    assert opened.files is not None
    assert not {Path(file).stem for file in opened.files} & {"notes", "empty", "half", "t", "palette", "gone"}
    assert lines[0] == "7 of 14 files cannot be read as images and are left out"


def test_native_libraries_say_nothing_about_bad_files_and_python_still_speaks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad_folder(tmp_path)
    (tmp_path / "cat" / "0.png").unlink()

    def report(line: str) -> None:
        print(line, file=sys.stderr)

    def noisy() -> None:
        decode_bytes(tf, (tmp_path / "cat" / "half.jpg").read_bytes(), 3)

    open_data(str(tmp_path), "validation", skip_bad_images=True, report=report)
    heard = capfd.readouterr().err
    assert heard.startswith("7 of 13 files cannot be read as images and are left out\n")
    assert "JPEG data" not in heard
    with pytest.raises(BadImageError):
        noisy()
    assert "JPEG data" in capfd.readouterr().err


def test_what_python_prints_meanwhile_arrives_on_the_real_stderr() -> None:
    program = """
import os, sys
from archspec.runtime.system.tensorflow_import import native_messages_dropped
with native_messages_dropped():
    os.write(2, b"native\\n")
    print("python", file=sys.stderr)
print("after", file=sys.stderr, flush=True)
os.write(2, b"native after\\n")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["python", "after", "native after"]


def test_a_long_list_of_bad_files_is_cut_with_the_count(tmp_path: Path) -> None:
    two_classes(tmp_path)
    for i in range(13):
        (tmp_path / "cat" / f"x{i:02}.jpg").write_bytes(b"x")
    wrong = refused(lambda: open_data(str(tmp_path), "validation"))
    assert len(wrong.notes) == 11
    assert wrong.notes[-1] == "and 3 more"


def test_a_class_of_bad_files_alone_ends_the_run(tmp_path: Path) -> None:
    two_classes(tmp_path)
    for file in (tmp_path / "dog").iterdir():
        file.write_bytes(b"x")
    wrong = refused(lambda: open_data(str(tmp_path), "train", validation_split=0.4, skip_bad_images=True))
    assert (wrong.code, "class `dog`" in wrong.message) == ("data-empty", True)


def test_a_cache_without_its_bad_images_keeps_pixels_and_labels_together(tmp_path: Path) -> None:
    two_classes(tmp_path)
    (tmp_path / "cat" / "1.png").write_bytes(b"x")
    opened = open_data(str(tmp_path), "validation", skip_bad_images=True)
    assert opened.pixels is not None
    assert opened.labels.tolist() == [0, 0, 1, 1, 1]
    np.testing.assert_array_equal(opened.pixels[1], np.asarray(Image.open(tmp_path / "cat" / "2.png")))


def test_a_small_file_of_too_many_pixels_is_refused_by_its_header(tmp_path: Path) -> None:
    two_classes(tmp_path)
    Image.new("1", (20_000, 10_000)).save(tmp_path / "cat" / "bomb.png")
    assert (tmp_path / "cat" / "bomb.png").stat().st_size < 2**20
    wrong = refused(lambda: open_data(str(tmp_path), "validation"))
    assert wrong.notes[0].endswith("an image of more than 178,956,970 pixels")


def test_names_that_are_no_utf8_can_be_read_and_printed(tmp_path: Path) -> None:
    two_classes(tmp_path)
    name = os.fsdecode(b"\xff.png")
    (tmp_path / "cat" / "0.png").rename(tmp_path / "cat" / name)
    folder(tmp_path, {"dog/other": (4, 4, 3)})
    assert any(file.endswith(name) for file in open_data(str(tmp_path), "validation").files or ())
    (tmp_path / "cat" / name).write_bytes(b"x")
    wrong = refused(lambda: open_data(str(tmp_path), "validation"))
    assert wrong.notes[0].endswith("\\xff.png: not an image")


def test_names_cannot_command_the_terminal(tmp_path: Path) -> None:
    two_classes(tmp_path)
    (tmp_path / "cat" / "a\x1b[31m\n.png").write_bytes(b"x")
    lines: list[str] = []
    open_data(str(tmp_path), "validation", skip_bad_images=True, report=lines.append)
    assert lines[1].endswith("a\\x1b[31m\\n.png: not an image")


def test_transparent_pixels_are_said_to_lose_their_alpha(tmp_path: Path) -> None:
    two_classes(tmp_path)
    Image.new("RGBA", (7, 11), (9, 9, 9, 0)).save(tmp_path / "cat" / "clear.png")
    Image.new("RGBA", (7, 11), (9, 9, 9, 255)).save(tmp_path / "cat" / "opaque.png")
    for _ in range(2):  # decoded, and known
        lines: list[str] = []
        open_data(str(tmp_path), "validation", report=lines.append)
        assert [line.partition(",")[0] for line in lines] == ["1 of 8 images has transparent pixels"]


def test_a_folder_that_may_not_be_read_is_an_error_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_classes(tmp_path)

    def closed(self: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", closed)
    wrong = refused(lambda: open_data(str(tmp_path), "train"))
    assert wrong.message == f"cannot read `{tmp_path}`: permission denied"
