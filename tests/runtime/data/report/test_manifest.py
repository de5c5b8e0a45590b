"""The manifest: every file decoded once, faults named, colors exact, renewed when files change."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archspec.runtime.data.files import image_facts
from archspec.runtime.data.files.image_facts import color_sums
from archspec.runtime.data.report import manifest as manifest_
from archspec.runtime.data.report.color_statistics import color_statistics
from archspec.runtime.data.report.manifest import make_manifest
from tests.cli.conftest import Run, run
from tests.runtime.data.image_files import two_parts

__all__ = ["run"]
RNG = np.random.default_rng(12)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ARCHSPEC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """train: cat 3, dog 2 and a bad one; val: one each. PNG but for a turned JPEG."""
    root = two_parts(tmp_path / "pictures")
    (root / "train/dog/bad.png").write_bytes(b"no image")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RNG.integers(0, 256, (7, 11, 3), np.uint8)).save(root / "val/dog/turned.jpg", exif=exif)
    return root


def picture(path: Path, height: int, width: int) -> None:
    Image.fromarray(RNG.integers(0, 200, (height, width, 3), np.uint8)).save(path)


def test_colors_are_numpys_of_all_pixels_together() -> None:
    images = [RNG.integers(0, 256, (5 + i, 9, 3), np.uint8) // (1 + i % 2) for i in range(4)]
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]).astype(np.float64)
    found = color_statistics(sum(map(color_sums, images), np.zeros(10)))
    assert found is not None
    np.testing.assert_allclose(found.mean, pixels.mean(0), atol=6e-4)
    np.testing.assert_allclose(found.std, pixels.std(0), atol=6e-4)
    components, deviations = np.array(found.components), np.array(found.deviations)
    covariance = np.cov(pixels.T, ddof=0)
    np.testing.assert_allclose(components.T @ np.diag(deviations**2) @ components, covariance, rtol=2e-3, atol=2)
    assert list(deviations) == sorted(deviations, reverse=True)
    assert color_statistics(np.zeros(10)) is None


def test_a_manifest_says_what_is_there(folder: Path) -> None:
    manifest = make_manifest(str(folder), report=lambda line: None)
    facts = manifest.to_json()
    assert manifest.decoded == 9
    assert facts["images"] == 8
    assert facts["parts"] == {"train": {"cat": 3, "dog": 2}, "val": {"cat": 1, "dog": 2}}
    assert facts["formats"] == {"PNG": 7, "JPEG": 1}
    assert facts["turned_by_exif"] == 1
    assert facts["height"] == {"least": 9, "median": 9.5, "greatest": 11}  # the turned one is upright: 11 x 7
    assert facts["width"] == {"least": 7, "median": 14, "greatest": 14}
    assert manifest.bad == [(str(folder / "train/dog/bad.png"), "not an image")]
    training = [file for file in sorted((folder / "train").rglob("*.png")) if file.name != "bad.png"]
    pixels = np.concatenate([np.asarray(Image.open(file)).reshape(-1, 3) for file in training])
    np.testing.assert_allclose(facts["mean"], pixels.mean(0), atol=6e-4)


def test_only_what_changed_is_decoded_again(folder: Path, cache: Path) -> None:
    first = make_manifest(str(folder), report=lambda line: None)
    again = make_manifest(str(folder), report=lambda line: None)
    assert again.decoded == 0
    assert again.to_json() == first.to_json()
    picture(folder / "train/cat/0.png", 30, 40)
    (folder / "train/dog/bad.png").unlink()
    changed = make_manifest(str(folder), report=lambda line: None)
    assert (changed.decoded, changed.bad) == (1, [])
    assert changed.to_json()["height"]["greatest"] == 30
    os.utime(folder / "val/cat/0.png", ns=(1, 1))  # read again, and found to be what it was
    assert make_manifest(str(folder), report=lambda line: None).decoded == 0
    assert make_manifest(str(folder), report=lambda line: None, keep=False).decoded == 8
    (kept,) = (cache / "archspec").iterdir()
    kept.write_bytes(kept.read_bytes()[:200])
    assert make_manifest(str(folder), report=lambda line: None).decoded == 8


def test_an_image_of_the_same_size_and_time_is_another(folder: Path) -> None:
    """The system's time of the last change of anything about a file cannot be set back."""
    (folder / "train/dog/bad.png").unlink()
    file = folder / "train/cat/0.bmp"  # as many bytes, whatever it shows

    def write(grey: int) -> None:
        Image.new("RGB", (5, 4), (grey, grey, grey)).save(file)

    write(10)
    before, status = make_manifest(str(folder), report=lambda line: None), file.stat()
    write(200)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    after = make_manifest(str(folder), report=lambda line: None)
    assert after.decoded == 1
    pixels = sum(np.asarray(Image.open(each))[..., 0].size for each in (folder / "train").rglob("*.*"))
    assert after.colors is not None
    assert before.colors is not None
    assert after.colors.mean[0] - before.colors.mean[0] == pytest.approx(20 * 190 / pixels, abs=2e-3)


def test_what_an_earlier_version_has_kept_is_made_anew(folder: Path, cache: Path) -> None:
    make_manifest(str(folder), report=lambda line: None)
    (kept,) = (cache / "archspec").iterdir()
    with np.load(kept) as file:
        arrays = dict(file)
    # version 4 had columns of numbers and texts in the place of the rows
    np.savez_compressed(kept, version=np.array(4), numbers=np.zeros((9, 9), np.int64), moments=arrays["sums"])
    assert make_manifest(str(folder), report=lambda line: None).decoded == 9
    assert make_manifest(str(folder), report=lambda line: None).decoded == 0


def test_modes_transparency_and_copies_are_counted(folder: Path, run: Run) -> None:
    (folder / "train/dog/bad.png").unlink()
    Image.new("RGBA", (7, 5), (1, 2, 3, 99)).save(folder / "train/dog/clear.png")
    Image.new("RGBA", (7, 5), (1, 2, 3, 255)).save(folder / "train/dog/opaque.png")
    Image.new("L", (7, 5), 3).save(folder / "train/cat/grey.png")
    for copy in ("train/dog/copy.png", "val/cat/copy.png", "train/cat/copy.png"):
        (folder / copy).write_bytes((folder / "train/cat/0.png").read_bytes())
    for decoded in (14, 0):
        manifest = make_manifest(str(folder), report=lambda line: None)
        facts = manifest.to_json()
        assert manifest.decoded == decoded
        assert facts["modes"] == {"RGB": 11, "RGBA": 2, "grey": 1}
        assert facts["transparent"] == 1
        # of the three copies one is of another class, and one is seen in training too
        assert (facts["copies"], facts["copies_of_training_images"]) == (3, 1)
        assert facts["of_several_classes"] == [[str(folder / f"train/{name}.png") for name in ("cat/0", "dog/copy")]]
    result = run("data", "check", folder)
    assert result.status == 0
    for line in (
        "modes: RGB 11, grey 1, RGBA 2",
        "with transparent pixels: 1, which are read without the alpha channel",
        "copies of another image: 3; training images outside of `train`: 1",
        "the same image in two classes: 1",
    ):
        assert f"  {line}" in result.out


def test_what_was_decoded_before_an_interrupt_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = image_facts.decode_bytes, [0]

    def interrupted(*arguments: Any) -> Any:
        seen[0] += 1
        if seen[0] == 5:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(image_facts, "CHUNK", 1)
    monkeypatch.setattr(image_facts.os, "cpu_count", lambda: 1)
    with monkeypatch.context() as patch:
        patch.setattr(image_facts, "decode_bytes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make_manifest(str(folder), report=lambda line: None)
    manifest = make_manifest(str(folder), report=lambda line: None)
    assert manifest.decoded == 9 - 4  # those before the fifth are known
    assert manifest.to_json()["images"] == 8


def test_a_cache_that_cannot_be_written_is_done_without(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / "a-file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent / "a-file"))
    assert manifest_.make_manifest(str(folder), report=lambda line: None).decoded == 9
    assert manifest_.make_manifest(str(folder), report=lambda line: None).decoded == 9


def test_the_command_names_bad_files_and_exits_1(folder: Path, run: Run) -> None:
    result = run("data", "check", folder)
    assert result.status == 1
    assert f"{folder / 'train/dog/bad.png'}: not an image" in result.out
    assert "train: 5 images of 2 classes: cat 3, dog 2" in result.out
    (folder / "train/dog/bad.png").unlink()
    result = run("data", "check", folder, "--format", "json")
    assert result.status == 0
    assert json.loads(result.out)["images"] == 8
    missing = run("data", "check", folder / "nowhere")
    assert missing.status == 1
    assert "error[data-not-found]" in missing.err


def test_what_training_would_refuse_is_said_by_the_check(folder: Path, run: Run) -> None:
    (folder / "train/dog/bad.png").unlink()
    (folder / "val/cat").rename(folder / "val/cow")
    (folder / "train/eel").mkdir()
    result = run("data", "check", folder)
    assert result.status == 1
    assert "  val has no images of 2 classes: cat, eel\n" in result.out
    assert "  classes only in `val`: cow\n" in result.out
    assert "  classes without a training image: eel\n" in result.out
    facts = json.loads(run("data", "check", folder, "--format", "json").out)
    assert (len(facts["problems"]), facts["missing_classes"]) == (2, {"val": ["cat", "eel"]})


def test_what_training_would_use_is_said_and_one_part_can_be_checked(folder: Path, run: Run) -> None:
    (folder / "train/dog/bad.png").unlink()
    two_parts(folder / "TEST")
    (folder / "notes").mkdir()
    uses = "training images: train/; validation images: val/; not used: TEST/, notes/"
    assert f"  {uses}\n" in run("data", "check", folder).out
    assert json.loads(run("data", "check", folder, "--split", "validation", "--format", "json").out)["images"] == 3
    assert "error[data-not-found]" in run("data", "check", folder, "--split", "eel").err


def test_what_the_check_prints_is_a_spec(folder: Path, run: Run, tmp_path: Path) -> None:
    (folder / "train/dog/bad.png").unlink()
    lines = run("data", "check", folder).out.splitlines()
    preprocess, pca = lines[-2].strip(), lines[-1].strip()
    spec = f"name: net\ninput: [7, 5, 3]\n{preprocess}\nlayers: [flatten, dense: 2]\ntrain:\n  augment: [{pca}]\n"
    (tmp_path / "net.yaml").write_text(spec)
    result = run("check", tmp_path / "net.yaml")
    assert (result.status, result.err) == (0, "")


def test_control_sequences_in_names_do_not_reach_the_terminal(folder: Path, run: Run) -> None:
    (folder / "train/dog/bad.png").unlink()
    for part in ("train", "val"):
        (folder / part / "cat").rename(folder / part / "c\x1b]0;owned\x07\x1b[2Jat")
    for format in ("text", "json"):
        result = run("data", "check", folder, "--format", format)
        assert result.status == 0
        assert not {"\x1b", "\x07"} & set(result.out + result.err)
    assert "c\\x1b]0;owned\\x07\\x1b[2Jat 3" in run("data", "check", folder).out
