"""Decoding one image: every format, mode and number of channels against Pillow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from archspec.runtime.data.decode import BadImageError, decode, decode_bytes, read_header, read_image
from archspec.runtime.data.images import luminance

PICTURE = np.random.default_rng(6).integers(0, 256, (11, 7, 3), dtype=np.uint8)


def encoded(mode: str, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PICTURE).convert(mode).save(stream, format, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("mode", "format", "tolerance"),
    [
        # libjpeg's colour conversion of a noise image may round the other way
        ("RGB", "JPEG", 1),
        ("L", "JPEG", 0),
        ("CMYK", "JPEG", 2),
        ("RGB", "PNG", 0),
        ("L", "PNG", 0),
        ("P", "PNG", 0),
        ("1", "PNG", 0),
        ("LA", "PNG", 0),
        ("RGBA", "PNG", 0),
        ("RGB", "BMP", 0),
        ("L", "BMP", 0),
        ("P", "GIF", 0),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_pillows(mode: str, format: str, tolerance: int, channels: int) -> None:
    contents = encoded(mode, format)
    expected = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))
    if channels == 1:
        expected = luminance(expected)
    here = decode_bytes(tf, contents, channels)
    assert (here.dtype, here.shape) == (np.uint8, (11, 7, channels))
    assert np.abs(here.astype(int) - expected).max() <= tolerance


def test_luminance_is_pillows_to_a_rounding() -> None:
    pillow = np.asarray(Image.fromarray(PICTURE).convert("L"), int)
    assert np.abs(luminance(PICTURE)[..., 0] - pillow).max() <= 1


def test_the_first_frame_of_a_gif_and_sixteen_bit_pngs() -> None:
    frames = [Image.fromarray(frame) for frame in (PICTURE[..., 0], 255 - PICTURE[..., 0])]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode_bytes(tf, stream.getvalue(), 1)[..., 0], PICTURE[..., 0])
    stream = io.BytesIO()
    Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 256 + 77).save(stream, "PNG")
    np.testing.assert_array_equal(decode_bytes(tf, stream.getvalue(), 1)[..., 0], PICTURE[..., 0])


def test_the_orientation_is_not_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to show it
    assert decode_bytes(tf, encoded("RGB", "JPEG", exif=exif), 3).shape == (11, 7, 3)


def test_decode_runs_in_a_graph_on_bytes_unknown_before() -> None:
    graph = tf.function(
        lambda contents: decode(tf, contents, 3), input_signature=[tf.TensorSpec((), tf.string)], autograph=False
    )
    for format in ("JPEG", "PNG"):
        contents = encoded("RGB", format)
        np.testing.assert_array_equal(graph(contents), decode_bytes(tf, contents, 3))


def test_a_file_is_read_or_its_fault_named(tmp_path: Path) -> None:
    whole = encoded("RGB", "PNG")
    path = tmp_path / "picture.anything"
    path.write_bytes(whole)
    assert read_header(str(path)) == (11, 7)
    np.testing.assert_array_equal(read_image(tf, str(path), 3), PICTURE)
    for contents, reason in (
        (whole[:-40], "a damaged PNG"),
        (encoded("RGB", "JPEG")[:500], "a damaged JPEG"),
        (b"GIF89a", "not an image"),
        (b"", "an empty file"),
    ):
        path.write_bytes(contents)
        with pytest.raises(BadImageError, match=reason):
            read_image(tf, str(path), 3)
    with pytest.raises(BadImageError, match="not a file"):
        read_image(tf, str(tmp_path), 3)
    with pytest.raises(BadImageError, match="a damaged image"):
        decode_bytes(tf, b"anything", 3)
