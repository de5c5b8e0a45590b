"""What headers tell: modes, transparency, and files that TensorFlow would misread or fall over."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from archspec.runtime.data.files.decode import _with_room, decode_bytes
from archspec.runtime.data.files.encoded_image import BadImageError, header_of, transparent

RNG = np.random.default_rng(31)
PICTURE = RNG.integers(0, 256, (11, 7, 3), np.uint8)
RGB = Image.fromarray(PICTURE)
GREY = Image.fromarray(PICTURE[..., 0])


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def deep_png(color: int, channels: int) -> bytes:
    """A PNG of 16 bits a channel (W3C PNG, section 11.2.2: color 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA)."""
    rows = RNG.integers(0, 2**16, (3, 2, channels)).astype(">u2")

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 3, 16, color, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + start + pixels + chunk(b"IEND", b"")


def bmp(bits: int, compression: int = 0, masks: tuple[int, ...] = (), pixels: bytes = bytes(200)) -> bytes:
    """A BMP of 5 x 4 pixels with the header of 40 bytes, and masks behind it."""
    header = struct.pack("<IiiHHIIiiII", 40, 5, 4, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    start = 14 + len(header) + 4 * len(masks)
    return (
        b"BM"
        + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
        + header
        + struct.pack(f"<{len(masks)}I", *masks)
        + pixels
    )


@pytest.mark.parametrize(
    ("contents", "mode"),
    [
        (saved(RGB, "JPEG"), "RGB"),
        (saved(GREY, "JPEG"), "grey"),
        (saved(RGB.convert("CMYK"), "JPEG"), "CMYK"),
        (saved(RGB.convert("RGBA"), "PNG"), "RGBA"),
        (saved(RGB, "PNG", transparency=(1, 2, 3)), "RGBA"),
        (saved(GREY.convert("LA"), "PNG"), "grey and alpha"),
        (saved(GREY.convert("1"), "PNG"), "grey"),
        (saved(RGB.quantize(8), "PNG"), "palette"),
        (saved(RGB.quantize(8), "PNG", transparency=3), "palette and alpha"),
        (saved(RGB.quantize(8), "GIF", transparency=3), "palette and alpha"),
        (saved(RGB, "WEBP"), "RGB"),
        (saved(RGB, "BMP"), "RGB"),
        (deep_png(0, 1), "16-bit grey"),
        (deep_png(2, 3), "16-bit RGB"),
        (deep_png(4, 2), "16-bit grey and alpha"),
        (deep_png(6, 4), "16-bit RGBA"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_mode_is_told(contents: bytes, mode: str) -> None:
    about = header_of(contents)
    assert about.mode == mode
    assert about.alpha is ("alpha" in mode or "RGBA" in mode)
    assert decode_bytes(tf, contents, 3).shape == (*about[:2], 3)


def test_transparent_is_what_has_a_pixel_that_is_not_opaque() -> None:
    opaque = RGB.convert("RGBA")
    clear = opaque.copy()
    clear.putpixel((3, 4), (1, 2, 3, 254))
    palette = RGB.quantize(8)
    used = palette.getpixel((0, 0))
    for image, format, options, expected in (
        (opaque, "PNG", {}, False),
        (clear, "PNG", {}, True),
        (clear, "WEBP", {"lossless": True}, True),
        (palette, "PNG", {"transparency": used}, True),
        (palette, "GIF", {"transparency": used}, True),
    ):
        assert transparent(saved(image, format, **options)) is expected
    assert transparent(b"nothing that Pillow reads") is True


@pytest.mark.parametrize("alpha", [False, True])
def test_an_animated_webp_is_its_first_frame(alpha: bool) -> None:
    """TensorFlow 2.21 writes four channels where it made room for three: an overflow, which may end the process."""
    for height, width in ((1, 1), (2, 3), (31, 17), (64, 48)):
        # a pixel of alpha 0 is black in an animation, whatever its color
        frames = [Image.fromarray(each) for each in RNG.integers(1, 256, (2, height, width, 3 + alpha), np.uint8)]
        contents = saved(
            frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=9, lossless=True, exact=True
        )
        assert (contents[8:16], contents[20] & 0x02) == (b"WEBPVP8X", 0x02)
        roomy = _with_room(tf, tf.constant(contents)).numpy()
        assert roomy[20] == contents[20] | 0x10
        assert (roomy[:20], roomy[21:]) == (contents[:20], contents[21:])
        np.testing.assert_array_equal(decode_bytes(tf, contents, 3), np.asarray(frames[0])[..., :3])
    still = saved(RGB, "WEBP", lossless=True)
    for other in (still, still[:15], saved(RGB, "PNG"), b"RIFF", b""):
        assert _with_room(tf, tf.constant(other)).numpy() == other


def test_of_an_mpo_the_first_picture_is_read_as_the_jpeg_it_is() -> None:
    """What phones and cameras of two lenses write, and call .jpg."""
    contents = saved(RGB, "MPO", save_all=True, append_images=[GREY.convert("RGB").resize((4, 4))], quality=95)
    assert Image.open(io.BytesIO(contents)).format == "MPO"
    about = header_of(contents)
    assert (about[:3], about.in_part) == ((11, 7, "JPEG"), True)
    expected = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"), int)
    assert np.abs(decode_bytes(tf, contents, 3) - expected).max() <= 1


@pytest.mark.parametrize(
    ("contents", "fault"),
    [
        (bmp(16), "with 16 bits a pixel"),
        (bmp(1), "with 1 bit a pixel"),
        (bmp(4), "with 4 bits a pixel"),
        (bmp(8, compression=1), "with compression"),
        (bmp(32, 3, (0xFF, 0xFF00, 0xFF0000)), "with another order of channels"),
        (b"BM" + struct.pack("<IHHIIHHHH", 200, 0, 0, 26, 12, 5, 4, 1, 24) + bytes(200), "of OS/2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bmp_that_tensorflow_would_misread_is_refused(contents: bytes, fault: str) -> None:
    with pytest.raises(
        BadImageError, match=f"^a BMP {fault}, which TensorFlow cannot decode; convert it to PNG or JPEG$"
    ):
        header_of(contents)


def test_a_bmp_with_the_usual_masks_is_read() -> None:
    pixels = np.dstack([PICTURE[..., ::-1], np.full((11, 7), 255, np.uint8)])[:4, :5]
    contents = bmp(32, 3, (0xFF0000, 0xFF00, 0xFF), pixels[::-1].tobytes())
    assert header_of(contents)[:3] == (4, 5, "BMP")
    np.testing.assert_array_equal(decode_bytes(tf, contents, 3), PICTURE[:4, :5])
