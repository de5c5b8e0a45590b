"""The exported graph refuses an image that would need much more memory than its bytes, and what TensorFlow misreads."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archspec.runtime.data.files.encoded_image import BadImageError, header_of

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 20, 3), dtype=np.uint8)


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + b"".join(chunks)
        + chunk(b"IDAT", zlib.compress(bytes(11)))
        + chunk(b"IEND", b"")
    )


def with_texts(texts: int, size: int) -> bytes:
    """A PNG with texts that expand to `size` bytes each."""
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size), 9))
    return png(1, 1, *[text] * texts)


def gif(canvas: tuple[int, int], *frames: tuple[int, int]) -> bytes:
    blocks = b"".join(b"\x2c" + struct.pack("<4HB", 0, 0, *frame, 0) + b"\x02\x02\x44\x01\0" for frame in frames)
    return b"GIF89a" + struct.pack("<2H3B", *canvas, 0x80, 0, 0) + bytes(6) + blocks + b"\x3b"


def riff(kind: bytes, data: bytes) -> bytes:
    body = b"WEBP" + kind + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg(width: int, height: int) -> bytes:
    """The JPEG of `encoded` with other sides in its header."""
    contents = encoded("JPEG")
    at = contents.index(b"\xff\xc0") + 5
    return contents[:at] + struct.pack(">2H", height, width) + contents[at + 4 :]


def bmp(width: int, height: int) -> bytes:
    contents = encoded("BMP")
    return contents[:18] + struct.pack("<2i", width, height) + contents[26:]


SIDE = 16_000  # 16,000 x 16,000 pixels are more than MOST_PIXELS
REFUSED = {
    "jpeg": jpeg(SIDE, SIDE),
    "png": png(SIDE, SIDE),
    "png of 2^31 pixels a side": png(2**31, 2**31),
    "texts": with_texts(25, 8_000_000),
    "bmp": bmp(SIDE, SIDE),
    "bmp upside down": bmp(SIDE, -SIDE),
    "palette": encoded("BMP", "P"),
    "two colors": encoded("BMP", "1"),
    "webp, lossy": riff(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<2H", SIDE, SIDE)),
    "webp, lossless": riff(b"VP8L", b"\x2f" + struct.pack("<I", SIDE - 1 | SIDE - 1 << 14)),
    "webp, extended": riff(b"VP8X", bytes(4) + (SIDE - 1).to_bytes(3, "little") * 2),
    "text": b"no image",
    "nothing": b"",
}
ACCEPTED = {
    "jpeg": encoded("JPEG"),
    "grey jpeg": encoded("JPEG", "L"),
    "png": encoded("PNG"),
    "png with a palette": encoded("PNG", "P"),
    "texts": with_texts(7, 900_000),
    "a text longer than Pillow and libpng read": with_texts(1, 9_000_000),
    "bmp": encoded("BMP"),
    "grey bmp": encoded("BMP", "L"),
    "webp, lossy": encoded("WEBP"),
    "webp, lossless": encoded("WEBP", lossless=True),
}


@pytest.fixture(scope="module")
def served() -> Callable[[bytes], Any]:
    """Encoded bytes -> pixels (H, W, 3), as an exported graph decodes them."""
    import tensorflow as tf

    from archspec.runtime.data.files.decode import decode
    from archspec.runtime.export.image_bounds import bounded_image

    function = tf.function(
        lambda contents: decode(tf, bounded_image(tf, contents), 3),
        input_signature=[tf.TensorSpec((), tf.string)],
        autograph=False,
    )
    return lambda contents: function(tf.constant(contents)).numpy()


@pytest.mark.parametrize("name", REFUSED)
def test_what_archspec_refuses_the_export_refuses(name: str, served: Callable[[bytes], Any]) -> None:
    import tensorflow as tf

    with pytest.raises(BadImageError):
        header_of(REFUSED[name])
    with pytest.raises(tf.errors.InvalidArgumentError):
        served(REFUSED[name])


@pytest.mark.parametrize("name", ["webp, animated", "gif"])
def test_animations_are_refused_by_name(name: str, served: Callable[[bytes], Any]) -> None:
    """TensorFlow decodes every frame of them."""
    import tensorflow as tf
    from PIL import Image

    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    out = io.BytesIO()
    frames[0].save(out, name[:4], save_all=True, append_images=frames[1:])
    with pytest.raises(tf.errors.InvalidArgumentError, match="convert it to PNG or JPEG"):
        served(out.getvalue())


@pytest.mark.parametrize("name", ACCEPTED)
def test_other_images_are_decoded_as_by_archspec(name: str, served: Callable[[bytes], Any]) -> None:
    import tensorflow as tf

    from archspec.runtime.data.files.decode import decode_bytes

    header = header_of(ACCEPTED[name])
    pixels = served(ACCEPTED[name])
    assert pixels.shape == (header.height, header.width, 3)
    np.testing.assert_array_equal(pixels, decode_bytes(tf, ACCEPTED[name], 3))


@pytest.mark.parametrize(
    "frames", [[(SIDE, SIDE)], [(8000, 8000)] * 3, [(1, 1)] * 2 + [(SIDE, SIDE)]], ids=["one", "many", "last"]
)
def test_the_frames_of_a_gif_are_bounded_together(frames: list[tuple[int, int]]) -> None:
    with pytest.raises(BadImageError, match="a GIF whose frames"):
        header_of(gif((10, 10), *frames))


def test_gifs_of_usual_size_are_read() -> None:
    assert header_of(gif((640, 480), *[(640, 480)] * 300)).width == 640
