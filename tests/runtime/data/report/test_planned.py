"""`data check` shows what a share for validation, a list of classes and a network for grey images make of the data."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archspec.diagnostics import ArchspecError
from archspec.runtime.data.files.conversions import Conversions
from archspec.runtime.data.files.encoded_image import header_of
from archspec.runtime.data.report.manifest import make_manifest
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.data.sources.number_labels import whole_numbers
from tests.runtime.data.image_files import folder, saved, two_classes


def test_a_share_shows_the_numbers_that_training_gets(tmp_path: Path) -> None:
    root = folder(tmp_path, {f"{name}/{i}": (7, 5, 3) for name, n in (("a", 6), ("b", 4), ("c", 1)) for i in range(n)})
    manifest = make_manifest(str(root), report=lambda line: None, validation_split=0.2)
    text = manifest.render()
    for split, number in (("train", 9), ("validation", 2)):
        assert len(open_data(str(root), split, validation_split=0.2)) == number
    assert "--validation-split 0.2: 9 training images and 2 validation images" in text
    assert "no validation images of c: one image cannot be divided" in text
    with pytest.raises(ArchspecError, match="between 0 and 1"):
        make_manifest(str(root), report=lambda line: None, validation_split=2)


def test_classes_are_compared_with_a_list(tmp_path: Path) -> None:
    root = two_classes(tmp_path / "pictures")
    names = tmp_path / "names.txt"
    names.write_text("cat\ndog\nhorse\n")
    manifest = make_manifest(str(root), report=lambda line: None, classes=str(names))
    assert f"--classes {names}: 2 of its 3 classes have images" in manifest.render()
    assert manifest.problems == []
    names.write_text("cat\nhorse\n")
    manifest = make_manifest(str(root), report=lambda line: None, classes=str(names))
    assert manifest.problems == [f"classes that are not in `{names}`: dog"]


def test_a_jpeg_without_its_last_marker_is_named(tmp_path: Path) -> None:
    root = two_classes(tmp_path)
    out = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(out, "JPEG")
    (root / "cat" / "whole.jpg").write_bytes(out.getvalue())
    (root / "cat" / "short.jpg").write_bytes(out.getvalue()[:-2])
    for _ in range(2):  # the second time from the cache
        facts = make_manifest(str(root), report=lambda line: None).to_json()
        assert facts["without_end"] == [str(root / "cat" / "short.jpg")]
        assert facts["bad"] == []


@pytest.mark.parametrize(
    ("labels", "usual"),
    [
        (["0", "0.0", "1", "1.0"], {"0.0": "0", "1.0": "1"}),
        (["2.0", "1e1"], {"2.0": "2", "1e1": "10"}),
        (["007", "7"], {}),
        (["0.0", "cat"], {}),
        (["0.5", "1.0"], {"1.0": "1"}),
    ],
)
def test_whole_numbers_have_one_spelling(labels: list[str], usual: dict[str, str]) -> None:
    assert whole_numbers(labels) == usual


def test_a_table_with_floats_has_the_classes_of_the_integers(tmp_path: Path) -> None:
    folder(tmp_path, {str(i): (7, 5, 3) for i in range(4)})
    table = tmp_path / "t.csv"
    table.write_text("path,label\n0.png,0\n1.png,0.0\n2.png,1\n3.png,1.0\n")
    images = open_data(str(table), "validation")
    assert images.class_names == ("0", "1")
    assert images.labels.tolist() == [0, 0, 1, 1]


def test_colors_that_a_grey_network_does_not_see_are_said(tmp_path: Path) -> None:
    said: list[str] = []
    root = two_classes(tmp_path / "files")
    Image.new("L", (7, 11), 3).save(root / "cat" / "grey.png")
    open_data(str(root), "validation", channels=1, report=said.append)
    assert said[0].startswith("6 of 7 images are stored in color: the network takes grey images")
    said.clear()
    open_data(str(root), "validation", channels=3, report=said.append)
    assert said == []
    x = np.zeros((4, 5, 5, 3), np.uint8)
    open_data(saved(tmp_path, x=x, y=np.array([0, 1, 0, 1])), "validation", channels=1, report=said.append)
    assert said[0].startswith("4 of 4 images are stored in color")


def test_further_frames_and_pages_are_said(tmp_path: Path) -> None:
    """A series of photos in a JPEG, as cameras write it, is one photo."""
    said: list[str] = []
    root = two_classes(tmp_path / "files")
    frames = [Image.new("RGB", (7, 11), color) for color in ("red", "blue", "lime")]
    for suffix in ("gif", "tiff", "png", "webp", "mpo"):
        frames[0].save(root / "cat" / f"x.{suffix}", save_all=True, append_images=frames[1:])
    (root / "cat" / "x.mpo").rename(root / "cat" / "x.jpg")
    frames[0].save(root / "cat" / "one.gif")
    frames[0].save(root / "cat" / "one.tiff")
    open_data(str(root), "validation", channels=3, report=said.append)
    assert said == ["4 of 13 images have more than one frame or page: only the first is used"]
    manifest = make_manifest(str(root), report=said.append, keep=False)
    assert "with more than one frame or page, of which the first is used: 4" in manifest.render()


def test_an_image_that_is_read_twice_counts_once() -> None:
    seen = Conversions(1)
    out = io.BytesIO()
    Image.new("RGBA", (5, 4), (1, 2, 3, 99)).save(out, "PNG")
    for name in ("a", "b", "a"):
        seen.add(name, header_of(out.getvalue()), out.getvalue())
    assert [line[:8] for line in seen.lines()] == ["2 of 2 i", "2 of 2 i"]
    rgb = Conversions(3)
    rgb.add("a", header_of(out.getvalue()), out.getvalue())
    assert [" transparent " in line for line in rgb.lines()] == [True]
