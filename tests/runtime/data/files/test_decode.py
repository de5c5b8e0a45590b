"""Decoding one image: every format, mode and number of channels against Pillow."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from archspec.diagnostics import ArchspecError
from archspec.runtime.data.files.decode import _upright, decode, decode_bytes, decode_window, window
from archspec.runtime.data.files.encoded_image import BadImageError, EncodedImage, header, header_of
from archspec.runtime.data.images import luminance
from archspec.runtime.system.tensorflow_errors import tensorflow_failures
from archspec.transforms import TRANSFORMS
from archspec.transforms.frame import Frame, whole

PICTURE = np.random.default_rng(6).integers(0, 256, (11, 7, 3), dtype=np.uint8)


def encoded(mode: str, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PICTURE).convert(mode).save(stream, format, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("mode", "format", "tolerance"),
    [
        # libjpeg's color conversion of a noise image may round the other way
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


@pytest.mark.parametrize("value", range(10))
def test_a_jpeg_is_turned_as_pillow_turns_it(value: int, tmp_path: Path) -> None:
    """0 and 9 are no orientations; both byte orders, with JFIF before it and without, and a truncated directory."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a maker", value
    contents = encoded("RGB", "JPEG", exif=exif, quality=100, subsampling=0)
    pillow = Image.open(io.BytesIO(contents))
    expected = np.asarray(ImageOps.exif_transpose(pillow), int)
    if contents[6:10] == b"JFIF":
        contents = contents[:2] + contents[20:]
    assert contents[6:10] == b"Exif"
    big = tiff_in(contents, lambda old: b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([value, 0, 0]))
    jfif = contents[:2] + b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + contents[2:]
    for each in (contents, big, jfif):
        assert np.abs(decode_bytes(tf, each, 3).astype(int) - expected).max() <= 1
    path = tmp_path / "turned.jpeg"
    path.write_bytes(contents)
    assert header(str(path))[:2] == expected.shape[:2]
    for damaged in (lambda old: old[:9], lambda old: old[:4] + b"\xff" * 4 + old[8:], lambda old: b""):
        assert decode_bytes(tf, tiff_in(contents, damaged), 3).shape == (11, 7, 3)


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_a_png_and_a_webp_are_turned_as_pillow_turns_them(format: str, value: int) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a maker", value
    options = {"lossless": True} if format == "WEBP" else {}
    contents = encoded("RGB", format, exif=exif, **options)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(contents))))
    np.testing.assert_array_equal(decode_bytes(tf, contents, 3), expected)
    about = header_of(contents)
    assert (about[:2], about.orientation, about.in_part) == (expected.shape[:2], value, False)
    for kept in range(20, len(contents), 37):  # cut off anywhere, it is an error or an image, and the search ends
        with contextlib.suppress(BadImageError):
            decode_bytes(tf, contents[:kept], 3)


def test_exif_is_found_behind_other_segments_and_xmp_is_not_heeded() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    contents = encoded("RGB", "JPEG", exif=exif, quality=100)
    comments = b"".join(b"\xff\xfe" + (2 + length).to_bytes(2, "big") + b"x" * length for length in (0, 5, 3000))
    behind = contents[:2] + comments + contents[2:]
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    other = encoded("RGB", "JPEG", xmp=xmp, quality=100)
    for each, turn, sides in ((behind, 6, (7, 11)), (other, 1, (11, 7))):
        assert header_of(each)[:4] == (*sides, "JPEG", turn)
        assert decode_bytes(tf, each, 3).shape[:2] == sides


def tiff_in(jpeg: bytes, change: Any) -> bytes:
    """A JPEG that starts with an EXIF segment, with other bytes after the segment's `Exif`."""
    end = 4 + int.from_bytes(jpeg[4:6], "big")
    segment = jpeg[6:12] + change(jpeg[12:end])
    return jpeg[:4] + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg[end:]


def decode_view(contents: bytes, channels: int, frame_of: Callable[[Frame], Frame], resample: str = "exact") -> Any:
    """What `frame_of(the whole image)` shows of encoded bytes."""
    about = header_of(contents)
    seen = window(tf, frame_of(whole(tf, about[:2])), about[:2], tf.constant(about.in_part), resample)
    return decode_window(tf, tf.constant(contents), channels, seen, tf.constant(about.in_part), resample)


def scene(height: int, width: int) -> np.ndarray:
    """A smooth picture with edges, as photographs have, uint8."""
    y, x = np.mgrid[:height, :width].astype(float)
    waves = [np.sin(x / (7 + 3 * c) + c) * np.cos(y / (9 - c)) * 90 + 120 for c in range(3)]
    return np.stack(waves, -1).astype(np.uint8)


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize(("size", "crop"), [(60, 41), (150, 90), (37, 37)])
def test_a_decoded_window_is_the_window_of_the_decoded_image(subsampling: int, size: int, crop: int) -> None:
    stream = io.BytesIO()
    picture = scene(107, 163)
    Image.fromarray(picture).save(stream, "JPEG", quality=90, subsampling=subsampling)
    contents = stream.getvalue()
    resize = TRANSFORMS["resize_smallest_side"].make({"size": size})
    cut = TRANSFORMS["random_crop"].make({"size": crop})
    chain = (resize, cut)
    for u, v in ((0.0, 0.0), (0.3, 0.77), (0.99, 0.5)):
        draws = tf.constant([0.5, u, v])

        def frame_of(frame: Frame, draws: Any = draws) -> Frame:
            return chain[1].frame(tf, chain[0].frame(tf, frame, draws[:1]), draws[1:])

        image = decode(tf, tf.constant(contents), 3)
        whole = chain[0].apply(tf, image, draws[:1])
        # tf.image.resize of the whole image, then the crop
        independent = tf.image.resize(image, whole.shape[:2], antialias=True)
        top, left = (int(np.float32(draw) * (side - crop + 1)) for draw, side in zip((u, v), whole.shape, strict=False))
        expected = independent[top : top + crop, left : left + crop]
        exact = decode_view(contents, 3, frame_of, "exact")
        np.testing.assert_allclose(exact, expected, atol=0.02)
        fast = decode_view(contents, 3, frame_of, "fast")
        assert fast.shape == exact.shape
        # up to half a pixel off, in a picture whose slope is up to 13 grey levels a pixel of it
        assert np.abs(fast - expected).max() < 30 * 107 / size
        assert np.abs(fast - expected).mean() < 4


@pytest.mark.parametrize("reduction", [2, 4, 8])
def test_fast_decodes_at_a_fraction_and_still_sees_the_same_place(reduction: int) -> None:
    stream = io.BytesIO()
    Image.fromarray(scene(211, 163)).resize((163 * 4, 211 * 4)).save(stream, "JPEG", quality=95)
    contents = stream.getvalue()
    size = (int(100 / reduction), int(90 / reduction))

    def frame_of(frame: Frame) -> Frame:
        return frame.cropped(tf, (333, 250), (100, 90)).resized(tf, size)

    exact = decode_view(contents, 3, frame_of, "exact").numpy()
    fast = decode_view(contents, 3, frame_of, "fast").numpy()
    assert np.abs(fast - exact).max() < 12
    assert np.abs(fast - exact).mean() < 4
    assert np.abs(fast[2:] - exact[:-2]).mean() > 2 * np.abs(fast - exact).mean(), "a shift would be seen"


@pytest.mark.parametrize("resample", ["exact", "fast"])
@pytest.mark.parametrize("kept", [5, 100, 300])
def test_a_file_damaged_in_mid_epoch_is_an_error_with_a_remedy(kept: int, resample: str) -> None:
    contents = encoded("RGB", "JPEG", quality=100)
    about = header_of(contents)
    files = tf.data.Dataset.from_tensors(contents[:kept])
    in_part, frame = tf.constant(about.in_part), whole(tf, about[:2])
    seen = window(tf, frame, about[:2], in_part, resample)
    views = files.map(lambda file: decode_window(tf, file, 3, seen, in_part, resample))
    with pytest.raises(ArchspecError) as caught, tensorflow_failures(1):
        list(views)
    assert caught.value.diagnostics[0].code == "data-changed"


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_a_file_that_became_smaller_is_an_error_too(format: str) -> None:
    small = io.BytesIO()
    Image.fromarray(PICTURE[:9, :5]).save(small, format)
    seen = window(tf, whole(tf, (11, 7)), (11, 7), tf.constant(format == "JPEG"), "exact")
    with pytest.raises(ArchspecError) as caught, tensorflow_failures(1):
        decode_window(tf, tf.constant(small.getvalue()), 3, seen, tf.constant(format == "JPEG"), "exact")
    assert caught.value.diagnostics[0].code == "data-changed"


def test_what_is_no_upright_jpeg_is_decoded_whole() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded("RGB", "JPEG", exif=exif, quality=100)
    for contents in (turned, encoded("RGB", "PNG"), encoded("L", "JPEG"), encoded("L", "PNG")):
        image = decode_bytes(tf, contents, 3)
        for resample in ("exact", "fast"):
            seen = decode_view(contents, 3, lambda frame: frame.cropped(tf, (2, 1), (4, 5)), resample)
            np.testing.assert_array_equal(seen, image[2:6, 1:6])
    grey = decode_view(encoded("L", "JPEG"), 1, lambda frame: frame)
    np.testing.assert_array_equal(grey, decode_bytes(tf, encoded("L", "JPEG"), 1))


def test_decode_runs_in_a_graph_on_bytes_unknown_before() -> None:
    graph = tf.function(
        lambda contents: decode(tf, contents, 3), input_signature=[tf.TensorSpec((), tf.string)], autograph=False
    )
    for format in ("JPEG", "PNG"):
        contents = encoded("RGB", format)
        np.testing.assert_array_equal(graph(contents), decode_bytes(tf, contents, 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_without_exif_the_short_way_is_the_graphs(channels: int) -> None:
    graph = tf.function(lambda contents: decode(tf, contents, channels), autograph=False)
    for format, modes in (("JPEG", ("RGB", "L", "CMYK")), ("PNG", ("RGB", "RGBA", "L", "LA", "P", "1"))):
        for mode in modes:
            contents = encoded(mode, format)
            short = _upright(tf, contents, channels)
            assert short is not None
            assert short.dtype == np.uint8
            np.testing.assert_array_equal(short, graph(tf.constant(contents)))
        exif = Image.Exif()
        exif[0x0112] = 6
        assert _upright(tf, encoded("RGB", format, exif=exif), channels) is None
    assert _upright(tf, encoded("RGB", "BMP"), channels) is None


def checked(path: Path) -> bytes:
    """The contents of a file with a good header."""
    contents = EncodedImage(str(path)).read()
    header_of(contents)
    return contents


def test_a_file_is_read_or_its_fault_named(tmp_path: Path) -> None:
    whole = encoded("RGB", "PNG")
    path = tmp_path / "picture.anything"
    path.write_bytes(whole)
    assert header(str(path))[:2] == (11, 7)
    np.testing.assert_array_equal(decode_bytes(tf, EncodedImage(str(path)).read(), 3), PICTURE)
    for contents, reason in (
        (whole[:-40], "a damaged PNG"),
        (encoded("RGB", "JPEG")[:500], "a damaged JPEG"),
        (b"GIF89a", "not an image"),
        (b"", "an empty file"),
    ):
        path.write_bytes(contents)
        with pytest.raises(BadImageError, match=reason):
            decode_bytes(tf, checked(path), 3)
    with pytest.raises(BadImageError, match="not a file"):
        checked(tmp_path)
    with pytest.raises(BadImageError, match="a damaged image"):
        decode_bytes(tf, b"anything", 3)
