"""TIFF and AVIF are decoded by Pillow; a JPEG without its last marker is read if every pixel is there."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, features

from archspec.runtime.data.files import file_checks
from archspec.runtime.data.files.conversions import Conversions
from archspec.runtime.data.files.decode import decode_bytes
from archspec.runtime.data.files.encoded_image import BadImageError, header_of
from archspec.runtime.data.pipeline.batches import evaluation_batches
from archspec.runtime.data.report.manifest import make_manifest
from archspec.runtime.data.sources.dataset import open_data

PICTURE = np.random.default_rng(6).integers(0, 256, (11, 7, 3), dtype=np.uint8)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "CMYK", "I;16"])
def test_tiffs_are_pillows_pixels(mode: str) -> None:
    deep = Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 257)
    image = deep if mode == "I;16" else Image.fromarray(PICTURE).convert(mode)
    contents = encoded(image, "TIFF")
    expected = PICTURE[..., :1].repeat(3, -1) if mode == "I;16" else np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(decode_bytes(tf, contents, 3), expected)
    assert header_of(contents)[:3] == (11, 7, "TIFF")
    assert header_of(contents).mode == {"I;16": "16-bit grey", "L": "grey", "1": "grey"}.get(
        mode, "RGBA" if mode in ("RGBA", "P") else "RGB"
    )


def test_the_first_page_of_a_tiff_is_read_upright() -> None:
    image, other = Image.fromarray(PICTURE), Image.new("RGB", (3, 4))
    exif = Image.Exif()
    exif[0x0112] = 6
    contents = encoded(image, "TIFF", save_all=True, append_images=[other], exif=exif)
    np.testing.assert_array_equal(decode_bytes(tf, contents, 3), np.rot90(PICTURE, -1))
    assert header_of(contents)[:4] == (7, 11, "TIFF", 1)


def test_other_values_and_damaged_files_are_named() -> None:
    with pytest.raises(BadImageError, match="a TIFF of F values; save 8 or 16 bits for each channel"):
        header_of(encoded(Image.fromarray(PICTURE[..., 0].astype(np.float32)), "TIFF"))
    with pytest.raises(BadImageError, match="a damaged TIFF"):
        decode_bytes(tf, encoded(Image.fromarray(PICTURE), "TIFF", compression="tiff_deflate")[:-200], 3)
    heic = b"\0\0\0\x18ftypheic" + bytes(200)
    with pytest.raises(BadImageError, match="a HEIC"):
        header_of(heic)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif_is_pillows_pixels() -> None:
    contents = encoded(Image.fromarray(PICTURE), "AVIF")
    expected = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))
    np.testing.assert_array_equal(decode_bytes(tf, contents, 3), expected)
    assert header_of(contents).format == "AVIF"


def test_training_reads_them_as_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_checks, "PIXELS_IN_MEMORY", 0)
    for name, shift in (("a", 0), ("b", 3)):
        (tmp_path / name).mkdir()
        Image.fromarray(PICTURE + np.uint8(shift)).save(tmp_path / name / "0.tif")
        whole = encoded(Image.fromarray(PICTURE), "JPEG")
        (tmp_path / name / "1.jpg").write_bytes(whole[:-2])
    images = open_data(str(tmp_path), "validation")
    assert images.files is not None
    (x, _), *_ = evaluation_batches(images, input_shape=(11, 7, 3), batch_size=4)
    np.testing.assert_array_equal(np.asarray(x)[0], PICTURE)
    np.testing.assert_array_equal(np.asarray(x)[1], tf.io.decode_jpeg(whole, dct_method="INTEGER_ACCURATE"))


@pytest.mark.parametrize("options", [{}, {"quality": 30}, {"subsampling": 0}, {"restart_marker_blocks": 3}])
def test_a_jpeg_without_its_last_marker_is_read_and_one_without_pixels_refused(options: dict[str, int]) -> None:
    photo = np.random.default_rng(2).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    whole = encoded(Image.fromarray(photo), "JPEG", **options)
    expected = decode_bytes(tf, whole, 3)
    np.testing.assert_array_equal(decode_bytes(tf, whole[:-2], 3), expected)
    np.testing.assert_array_equal(decode_bytes(tf, whole[:-1], 3), expected)
    for missing in (8, 100, len(whole) // 2):
        with pytest.raises(BadImageError, match="a damaged JPEG"):
            decode_bytes(tf, whole[:-missing], 3)


def test_values_of_12_bits_in_16_are_said(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    for name in ("a/0.png", "a/1.tif", "b/0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 4096, (9, 8), dtype=np.uint16)).save(tmp_path / name)
    fact = "3 images of 16 bits a channel have no value above 4,0"
    help = "so they are nearly black: multiply the values by 16 before you save them"
    lines: list[str] = []
    open_data(str(tmp_path), "validation", report=lines.append)
    assert any(line.startswith(fact) and line.endswith(help) for line in lines), lines
    seen = Conversions(3)
    for file in ("a/0.png", "a/1.tif", "b/0.png"):
        contents = (tmp_path / file).read_bytes()
        seen.add(file, header_of(contents), contents)
    assert [(line.startswith(fact), line.endswith(help)) for line in seen.lines()] == [(True, True)]
    for decoded in (0, 0):
        manifest = make_manifest(str(tmp_path), report=lines.append)
        assert (manifest.decoded, fact in manifest.render()) == (decoded, True)
    Image.fromarray(np.full((9, 8), 60000, np.uint16)).save(tmp_path / "a/2.png")
    assert make_manifest(str(tmp_path), report=lines.append).to_json()["dark"] is None


def test_a_jpeg_with_extra_bytes_is_named_once_and_read_without_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(file_checks, "PIXELS_IN_MEMORY", 0)
    whole = encoded(Image.fromarray(PICTURE), "JPEG")
    for name, contents in (("a/0.jpg", whole), ("b/0.jpg", whole[:-2] + b"\x13" * 20 + whole[-2:])):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(contents)
    images = open_data(str(tmp_path), "validation")
    (x, _), *_ = evaluation_batches(images, input_shape=(11, 7, 3), batch_size=2)
    assert np.abs(np.asarray(x)[0] - np.asarray(x)[1]).max() <= 1
    for use_cache in (True, False):
        text = make_manifest(str(tmp_path), report=lambda line: None, keep=use_cache).render()
        assert f"JPEG files with extra bytes after the data, which are ignored: 1\n    {tmp_path / 'b/0.jpg'}" in text
    assert "JPEG" not in capfd.readouterr().err
