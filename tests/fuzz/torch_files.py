"""Hostile files of PyTorch: zip files, old files and pickles; changed bytes, random programs, and bombs.

A bomb is a small file that asks for much time or memory.
"""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from archspec.runtime.weights.file_format import file_format
from archspec.runtime.weights.state_dict import torch_units
from archspec.runtime.weights.torch_file import torch_file
from tests.fuzz.family import Family
from tests.fuzz.mutate import mutated
from tests.runtime.weights.torch_writer import TorchPickler, save, save_old

STATE = {
    "conv.weight": np.full((4, 3, 3, 3), 0.5, "float32"),
    "conv.bias": np.zeros(4, "float32"),
    **{f"bn.{word}": np.ones(4, "float32") for word in ("weight", "bias", "running_mean", "running_var")},
    "bn.num_batches_tracked": np.array(3, "int64"),
    "fc.weight": np.ones((3, 64), "float32"),
    "fc.bias": np.zeros(3, "float32"),
}


def written(write: Callable[[Path, Any], object], value: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        write(path, value)
        return path.read_bytes()


@cache
def checkpoints() -> tuple[bytes, ...]:
    """Good files, zip and old: two state dicts, two checkpoints."""
    checkpoint = {"epoch": 3, "model": STATE, "model_ema": STATE, "best": [1, 2.5, "x"], "args": {"lr": 0.1}}
    return tuple(written(write, value) for value in (STATE, checkpoint) for write in (save, save_old))


def changed_file(random: Random) -> bytes:
    return mutated(random, random.choice(checkpoints()))


@cache
def _pickle_of_checkpoint() -> bytes:
    file = io.BytesIO()
    TorchPickler(file).dump({"model": STATE, "state": [1, (2, 3), {"a": None}]})
    return file.getvalue()


INSTRUCTIONS: tuple[bytes, ...] = (
    *(b"(", b"}", b"]", b")", b"N", b"K\x01", b"2", b"0", b"1", b"t", b"\x85", b"\x86", b"\x87", b"R", b"b", b"u"),
    *(b"s", b"a", b"e", b"l", b"d", b"\x81", b"\x92", b"\x8f", b"\x90", b"\x91", b"\x94", b"q\x00", b"h\x00", b"q\x01"),
    *(b"h\x01", b"X\x01\x00\x00\x00a", b"C\x01b", b"ccollections\nOrderedDict\n", b"Q", b"\x88", b"\x93"),
    *(b"ctorch._utils\n_rebuild_tensor_v2\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\ndtype\n"),
    *(b"ccopyreg\n_reconstructor\n", b"cmy\nThing\n", b"cos\nsystem\n", b"ccollections\ndefaultdict\n"),
    *(b"ccollections\ndeque\n", b"c_codecs\nencode\n", b"J\xff\xff\xff\x7f", b"U\x05latin", b"T\xff\xff\xff\x7f"),
    *(
        b"\x8a\x08" + b"\xff" * 7 + b"\x7f",
        b"\x8b\xff\xff\xff\x7f",
        b"I99999\n",
        b"L" + b"9" * 5000 + b"L\n",
        b"F1e9\n",
    ),
)


def _program(random: Random) -> bytes:
    """Random instructions, some of them repeated very often."""
    parts = []
    for _ in range(random.randint(1, 60)):
        part = b"".join(random.choices(INSTRUCTIONS, k=random.randint(1, 4)))
        parts.append(part * min(random.choice((1, 1, 1, 1, 5, 60, 20_000)), 1 + 10**6 // len(part)))
    return b"\x80\x02" + b"".join(parts)[: 1 << 20] + b"."


def _bomb(random: Random) -> bytes:
    """A pickle that grows: keys of nested tuples, copies of dictionaries, nesting, storages of any size."""
    count = random.choice((30, 300, 30_000))
    kind = random.randrange(5)
    if kind == 0:
        twice = b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(200))
        return b"\x80\x02}(K\x01" + twice + b"K\x01u."
    if kind == 1:
        entries = b"".join(b"J" + struct.pack("<i", i) + b"N" for i in range(count))
        copies = b"h\x00h\x01\x85R" * count
        return b"\x80\x02ccollections\nOrderedDict\nq\x00}q\x01(" + entries + b"u]q\x02(" + copies + b"e."
    if kind == 2:
        count *= random.choice((1, 30))
        return (
            b"\x80\x02" + random.choice((b"]" * count + b"a" * count, b"(" * count, b"K\x01" + b"\x85" * count)) + b"."
        )
    if kind == 3:  # dictionaries that contain the one before twice
        step = b"}q\x00(X\x01\x00\x00\x00ah\x01X\x01\x00\x00\x00bh\x01uq\x01"
        return b"\x80\x02}q\x01" + step * min(count, 3000) + b"."
    axes = random.choice((2, 4, 40))
    shape = b"".join(b"\x8a\x06" + struct.pack("<q", random.choice((0, 1, 3, 2**40)))[:6] for _ in range(axes))
    return (
        b"\x80\x02}X\x0b\x00\x00\x00conv.weightctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
        b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQK\x00("
        + (shape + b"t(" + shape + b"t\x89}tRs.")
    )


def pickle_file(random: Random) -> bytes:
    kind = random.randrange(4)
    made = (_program, _bomb)[kind](random) if kind < 2 else mutated(random, _pickle_of_checkpoint(), 20)
    if random.random() < 0.3:
        return made
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        archive.writestr("x/data.pkl", made)
        if random.random() < 0.2:
            archive.writestr("x/byteorder", b"\0" * random.choice((6, 10**6)))
        for key in range(9):
            archive.writestr(f"x/data/{key}", bytes(random.choice((0, 4, 768))))
    return file.getvalue()


def _reads_torch(path: Path) -> Iterator[object]:
    yield file_format(path)
    with torch_file(path) as sets:
        for each in sets[:10]:
            yield torch_units(each.named())
            for tensor in list(each.tensors.values())[:50]:
                if np.prod([float(size) for size in tensor.shape]) < 10**6:  # only shapes of the network are read
                    yield tensor.read()


FAMILIES = [
    Family("torch", ".pth", changed_file, _reads_torch, weight=2),
    Family("pickle", ".pth", pickle_file, _reads_torch, weight=2),
]
