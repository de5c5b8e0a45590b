"""Hostile .npz files: data sets and saved predictions."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

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


FAMILIES = [
    Family("npz", ".npz", _npz, opens, weight=2),
    Family("predictions", ".npz", _predictions, _loads_predictions),
]
