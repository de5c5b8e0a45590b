"""Hostile data: .npz files, tables, lists of classes, images and TFRecord files."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from archspec.runtime.data.class_list import read_class_list
from archspec.runtime.data.files.encoded_image import BadImageError, header_of
from archspec.runtime.data.sources.dataset import open_parts
from archspec.runtime.evaluation.predictions import Predictions, load_predictions, write_predictions
from tests.fuzz.family import Family
from tests.fuzz.mutate import mutated

SHAPES = [
    "(3,)",
    "(3, 8, 8, 3)",
    "(-1,)",
    "(0,)",
    "()",
    "(1, 10**9)",
    "(9999999999999999999,)",
    "(3, 0)",
    "3",
    "None",
    "(True,)",
]
DESCRIPTIONS = [
    "'|u1'",
    "'<i8'",
    "'<f4'",
    "'|O'",
    "'<U9'",
    "'|S0'",
    "'<M8[s]'",
    "[('a', '<i4')]",
    "'V' * 9",
    "()",
    "'|b1'",
    "'<c16'",
]


def opens(file: Path) -> Iterator[object]:
    """All parts of a data source, as far as they are read before images are decoded."""
    yield list(open_parts(str(file), lambda line: None).items())


# ---- .npz ----------------------------------------------------------------------------------------------------------


def _npz(random: Random) -> bytes:
    generator = np.random.default_rng(random.randrange(2**32))
    x: Any = generator.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    y: Any = generator.integers(0, 3, 6)
    odd = [np.nan, np.inf, -1, 2**62, 1e300, 0]
    kind = random.randrange(8)
    if kind == 0:
        x = x.astype(random.choice(["float16", "float64", "complex64", "U3", "bool", ">i8", "datetime64[s]"]))
    elif kind == 1:
        x = x.astype(float)
        x.flat[random.randrange(x.size)] = random.choice(odd)
    elif kind == 2:
        y = y.astype(random.choice(["float64", "U5", "bool", "uint64", "int8"]))
    elif kind == 3:
        y = generator.integers(-(2**40), 2**40, random.choice([(6,), (6, 1), (6, 3), (5,), ()]))
    elif kind == 4:
        x = x.reshape(random.choice([(6, -1), (-1,), (6, 8, 24), (2, 3, 8, 8, 3), (6, 8, 8, 3, 1), (1, 1, 1, -1)]))
    names = [
        random.choice(["x_train", "x", "train_images", "X", "x__train"]),
        random.choice(["y_train", "y", "labels", "x"]),
    ]
    arrays = {names[0]: x, names[1]: y}
    if random.random() < 0.3:
        arrays["class_names"] = np.array(
            random.choice([["a", "b", "c"], ["a", "a"], [1, 2, 3], [["a"]], "a", [b"\xff", b"b", b"c"]])
        )
    file = io.BytesIO()
    (np.savez_compressed if random.random() < 0.5 else np.savez)(file, **arrays)
    if random.random() < 0.3:
        header = (
            f"{{'descr': {random.choice(DESCRIPTIONS)}, 'fortran_order': False, 'shape': {random.choice(SHAPES)}}}\n"
        )
        start = b"\x93NUMPY" + random.choice([b"\1\0", b"\2\0", b"\3\0", b"\xff\xff"]) + struct.pack("<H", len(header))
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in arrays:
                archive.writestr(f"{name}.npy", start + header.encode() + random.randbytes(random.choice((0, 3, 1152))))
    contents = file.getvalue()
    return mutated(random, contents) if random.random() < 0.7 else contents


def _predictions(random: Random) -> bytes:
    return mutated(random, _good_predictions())


@cache
def _good_predictions() -> bytes:
    import tempfile

    one = Predictions(
        posteriors=np.full((4, 2), 0.5, np.float32),
        labels=np.zeros(4, np.int32),
        class_names=("a", "b"),
        images=("1", "2", "3", "4"),
        models=("m",),
        protocols=("center",),
        scales=("8",),
        data="d",
        passes=1,
        images_per_second=2.0,
    )
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        write_predictions(Path(file.name), one)
        return Path(file.name).read_bytes()


def _loads_predictions(file: Path) -> Iterator[object]:
    yield load_predictions(file)


# ---- text ----------------------------------------------------------------------------------------------------------

CELLS = [
    "a.png",
    "b/c.png",
    "../x.png",
    "/etc/passwd",
    "",
    " ",
    "cat",
    "dog",
    "0",
    "1",
    "0.5",
    "-1",
    "1e9",
    "train",
    "val",
    "Test",
]
CELLS += [
    "cat|dog",
    "cat dog",
    '"x"',
    'a"b',
    "a,b",
    "\0",
    "é",
    "\u202e",
    "\x1b[2J",
    "x" * 5000,
    ".",
    "..",
    "a/../b.png",
    "nan",
]
COLUMNS = [
    "path",
    "label",
    "split",
    "Filename",
    "class",
    "subset",
    "",
    "path ",
    "image",
    "id",
    '"path"',
    "labels",
    "set",
]


def _table(random: Random) -> bytes:
    comma, end = random.choice([",", ",", ",", ";", "\t"]), random.choice(["\n", "\r\n", "\r"])
    columns = random.sample(COLUMNS, random.randint(1, 4)) if random.random() < 0.5 else ["path", "label", "split"]
    rows = [columns]
    for number in range(random.choice((0, 1, 5, 30))):
        usual = [f"{number}.png", random.choice(("cat", "dog")), random.choice(("train", "val"))][: len(columns)]
        usual += [""] * (len(columns) - len(usual))
        rows.append([random.choice(CELLS) if random.random() < 0.1 else cell for cell in usual])
    if random.random() < 0.1:
        random.choice(rows).append("more")
    text = end.join(comma.join(row) for row in rows) + random.choice(["", end, end * 3])
    encoding = random.choice(["utf-8", "utf-8-sig", "utf-16", "utf-8"])
    contents = text.encode(encoding, "surrogatepass")
    return mutated(random, contents, 3) if random.random() < 0.3 else contents


def _class_list(random: Random) -> bytes:
    items: list[Any] = [
        "cat",
        "dog",
        "n01440764 tench, Tinca tinca",
        "",
        " ",
        3,
        None,
        ["n01440764", "tench"],
        [],
        {},
        10**400,
    ]
    names = [random.choice(items) for _ in range(random.randint(0, 5))]
    forms: list[Any] = [
        names,
        {str(number): name for number, name in enumerate(names)},
        {str(name): 0 for name in names},
    ]
    text = json.dumps(random.choice(forms)) if random.random() < 0.7 else "\n".join(map(str, names))
    if random.random() < 0.1:
        text = random.choice("[{") * random.choice((3, 100_000))
    return mutated(random, text.encode(), 3) if random.random() < 0.5 else text.encode()


def _lists_classes(file: Path) -> Iterator[object]:
    yield read_class_list(file)


# ---- images --------------------------------------------------------------------------------------------------------


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
    Family("npz", ".npz", _npz, opens, weight=2),
    Family("predictions", ".npz", _predictions, _loads_predictions),
    Family("table", ".csv", _table, opens, weight=2),
    Family("class-list", ".json", _class_list, _lists_classes),
    Family("tiff", ".tif", _of_kind(_hostile_image, "TIFF"), _reads_header),
    *[
        Family(
            kind.lower(), suffix, _of_kind(_hostile_image, kind), _decodes, _of_kind(_image, kind, "RGB", (256, 256))
        )
        for kind, suffix in IMAGES.items()
    ],
    Family("tfrecord", ".tfrecord", _records, opens, _good_records),
]
