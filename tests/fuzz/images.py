"""Hostile image files, and TFRecord files of images."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from archspec.runtime.data.files.encoded_image import BadImageError, header_of
from tests.fuzz.arrays import opens
from tests.fuzz.family import Family
from tests.fuzz.mutate import mutated


@cache
def _image(kind: str, mode: str, sides: tuple[int, int]) -> bytes:
    """An encoded image of noise and smooth parts."""
    width, height = sides
    generator = np.random.default_rng(0)
    pixels = np.kron(generator.integers(0, 256, (height // 8, width // 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    out = io.BytesIO()
    image = Image.fromarray(pixels).convert(mode)
    more: dict[str, Any] = (
        {"exif": b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"}
        if kind in ("JPEG", "PNG", "WEBP")
        else {}
    )
    if kind == "TIFF":
        more = {"compression": "tiff_deflate"}
    image.save(out, kind, **more)
    return out.getvalue()


def _hostile_image(kind: str, random: Random) -> bytes:
    mode = random.choice(
        {"JPEG": ["RGB", "L", "CMYK"], "GIF": ["P", "L"], "BMP": ["RGB", "L", "P", "1"]}.get(
            kind, ["RGB", "L", "P", "RGBA"]
        )
    )
    mode = "RGB" if kind == "WEBP" and mode in ("P", "L") else mode
    return mutated(random, _image(kind, mode, random.choice([(16, 16), (64, 40)])))


def _decodes(file: Path) -> Iterator[object]:
    """As `data check` and `predict`: the header, then the pixels."""
    import tensorflow as tf

    from archspec.runtime.data.files.decode import decode_bytes

    contents = file.read_bytes()
    with contextlib.suppress(BadImageError):
        header_of(contents)
        decode_bytes(tf, contents, 3)
    yield None


def _reads_header(file: Path) -> Iterator[object]:
    with contextlib.suppress(BadImageError):
        header_of(file.read_bytes())
    yield None


# ---- TFRecord ------------------------------------------------------------------------------------------------------


@cache
def _crc_table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return table


def _masked_crc(contents: bytes) -> bytes:
    """The checksum of TFRecord files: CRC-32C, rotated and shifted."""
    crc, table = 0xFFFFFFFF, _crc_table()
    for byte in contents:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _record(contents: bytes, length: int | None = None) -> bytes:
    size = struct.pack("<Q", len(contents) if length is None else length)
    return size + _masked_crc(size) + contents + _masked_crc(contents)


def _field(number: int, contents: bytes) -> bytes:
    """A field of a protocol buffer with contents of any length."""
    size, shown = len(contents), b""
    while True:
        shown += bytes([size & 0x7F | (0x80 if size > 0x7F else 0)])
        size >>= 7
        if not size:
            return bytes([number << 3 | 2]) + shown + contents


def _example(image: bytes, label: int) -> bytes:
    def feature(name: bytes, value: bytes) -> bytes:
        return _field(1, _field(1, name) + _field(2, value))

    parts = [feature(b"image/encoded", _field(1, _field(1, image)))]
    parts.append(feature(b"image/class/label", _field(3, _field(1, bytes([label])))))
    return _field(1, b"".join(parts))


def _records(random: Random) -> bytes:
    image = _image("PNG", "RGB", (16, 16))
    records = [_example(image, label % 2) for label in range(4)]
    kind = random.randrange(4)
    if kind == 0:
        return mutated(random, b"".join(map(_record, records)))
    if kind == 1:
        length = random.choice([0, 2**31, 2**40, 2**63 - 1, 2**63, 2**64 - 1, len(records[0]) + 1])
        return b"".join([_record(records[0], length), *map(_record, records[1:])])
    place = random.randrange(4)
    records[place] = mutated(random, records[place])
    return b"".join(map(_record, records))


def _good_records() -> bytes:
    image = _image("PNG", "RGB", (64, 64))
    return b"".join(_record(_example(image, label % 2)) for label in range(20))


IMAGES: dict[str, str] = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "GIF": ".gif", "WEBP": ".webp"}


def _of_kind(function: Callable[..., bytes], kind: str, *more: Any) -> Any:
    return partial(function, kind, *more)


FAMILIES = [
    Family("tiff", ".tif", _of_kind(_hostile_image, "TIFF"), _reads_header),
    *[
        Family(
            kind.lower(), suffix, _of_kind(_hostile_image, kind), _decodes, _of_kind(_image, kind, "RGB", (256, 256))
        )
        for kind, suffix in IMAGES.items()
    ],
    Family("tfrecord", ".tfrecord", _records, opens, _good_records),
]
