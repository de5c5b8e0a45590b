"""Hostile weight and model files: checkpoints of PyTorch, pickles, safetensors, HDF5 and `.keras`.

Each family changes good files in three ways: random bytes, values of the structure (JSON, instructions of a pickle,
sizes in an archive), and bombs: small files that ask for much time or memory.
"""

from __future__ import annotations

import copy
import io
import json
import pickle
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from archspec.runtime.weights.file_format import file_format
from archspec.runtime.weights.h5_file import h5_file
from archspec.runtime.weights.safetensors_file import safetensors_file
from archspec.runtime.weights.state_dict import torch_units
from archspec.runtime.weights.torch_file import torch_file
from tests.fuzz.family import Family
from tests.fuzz.mutate import mutated
from tests.runtime.weights.torch_writer import TorchPickler, save, save_old

SPEC = """
name: fuzzed
input: [6, 6, 3]
layers: [conv: {filters: 4, kernel_size: 3}, bn, relu, flatten, dense: 3]
"""
STATE = {
    "conv.weight": np.full((4, 3, 3, 3), 0.5, "float32"),
    "conv.bias": np.zeros(4, "float32"),
    **{f"bn.{word}": np.ones(4, "float32") for word in ("weight", "bias", "running_mean", "running_var")},
    "bn.num_batches_tracked": np.array(3, "int64"),
    "fc.weight": np.ones((3, 64), "float32"),
    "fc.bias": np.zeros(3, "float32"),
}
KERAS_2 = Path(__file__).parents[1] / "runtime/models/keras2"
VALUES: list[Any] = [0, 1, -1, 3, 2**31, 2**48, 2**63, 10**30, 1.5, True, None, "x", "", [], {}, [[]], 50_000_000]
"""What takes the place of a value in a structure."""


def _written(write: Callable[[Path, Any], object], value: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        write(path, value)
        return path.read_bytes()


def _changed(random: Random, value: Any, changes: int) -> Any:
    """A JSON value with some values replaced, renamed or removed."""
    value = json.loads(json.dumps(value))
    for _ in range(changes):
        place = value
        for _ in range(random.randint(0, 12)):
            inner = [each for each in (place.values() if isinstance(place, dict) else place) if _has_values(each)]
            if not inner:
                break
            place = random.choice(inner)
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            continue
        key = random.choice(keys)
        kind = random.randrange(5)
        if kind == 0 and isinstance(place, dict):
            place[f"{key}x"] = place.pop(key)
        elif kind == 1:
            del place[key]
        else:
            place[key] = copy.deepcopy(random.choice(VALUES))  # which a later change may go into
    return value


def _has_values(value: Any) -> bool:
    return isinstance(value, (dict, list)) and bool(value)


# ---- PyTorch -------------------------------------------------------------------------------------------------------


@cache
def _checkpoints() -> tuple[bytes, ...]:
    """Good files, zip and old: two state dicts, two checkpoints."""
    checkpoint = {"epoch": 3, "model": STATE, "model_ema": STATE, "best": [1, 2.5, "x"], "args": {"lr": 0.1}}
    return tuple(_written(write, value) for value in (STATE, checkpoint) for write in (save, save_old))


def _torch(random: Random) -> bytes:
    return mutated(random, random.choice(_checkpoints()))


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


def _pickle(random: Random) -> bytes:
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


# ---- safetensors ---------------------------------------------------------------------------------------------------


@cache
def _header() -> tuple[dict[str, Any], bytes]:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, array in STATE.items():
        place = [len(data), len(data) + array.nbytes]
        dtype = {"float32": "F32", "int64": "I64"}[array.dtype.name]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": place}
        data += array.tobytes()
    return header, data


HEADERS = (b'{"a":' * 10**5, b"[" * 10**5, b'{"a":[' + b"{}," * 10**6 + b"{}]}", b'{"a":' + b"9" * 10**5 + b"}", b"{}")


def _safetensors(random: Random) -> bytes:
    header, data = _header()
    kind = random.randrange(6)
    text = json.dumps(_changed(random, header, random.randint(1, 3)) if kind > 2 else header).encode()
    if kind == 0:
        text = mutated(random, text)
    elif kind == 1:
        text = random.choice(HEADERS)
    elif kind == 2:
        entry = {"dtype": "F32", "shape": random.choice(([], [1], [0], [1] * 5000)), "data_offsets": [0, 4]}
        text = json.dumps({f"l{i}.weight": entry for i in range(random.choice((5, 1000)))}).encode()
    length = len(text) if random.random() < 0.9 else random.choice((0, 1, 2**31, 2**63, 2**64 - 1, len(text) + 1))
    contents = struct.pack("<Q", length) + text + data
    return mutated(random, contents) if random.random() < 0.3 else contents


def _reads_safetensors(path: Path) -> Iterator[object]:
    with safetensors_file(path) as tensors:
        yield torch_units(tensors)
        for tensor in list(tensors.values())[:50]:
            yield tensor.read()


# ---- HDF5 ----------------------------------------------------------------------------------------------------------


@cache
def _hdf5_files() -> tuple[bytes, ...]:
    return tuple((KERAS_2 / name).read_bytes() for name in ("nested.h5", "nested_weights.h5", "lambdas.h5"))


def _hdf5(random: Random) -> bytes:
    return mutated(random, random.choice(_hdf5_files()), 40)


def _reads_hdf5(path: Path) -> Iterator[object]:
    with h5_file(path) as units:
        for unit in units:
            for tensor in unit.tensors:
                yield tensor.read()


def _loads_model(path: Path) -> Iterator[object]:
    from archspec.runtime.models.model_file import load_model

    yield load_model(path)


def _good_hdf5() -> bytes:
    return _hdf5_files()[0]


# ---- .keras --------------------------------------------------------------------------------------------------------


@cache
def _keras_files() -> tuple[dict[str, bytes], ...]:
    """The members of a file of archspec, and of one of Keras 2."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "fuzzed.yaml").write_text(SPEC)
        # in a process of its own: the runner forks this one, which TensorFlow does not survive
        command = [sys.executable, "-m", "archspec", "build", f"{folder}/fuzzed.yaml", "-o", f"{folder}/x.keras"]
        subprocess.run(command, check=True, capture_output=True)
        return tuple(map(_members, (Path(folder) / "x.keras", KERAS_2 / "functional.keras")))


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in members.items():
            archive.writestr(name, contents)
    return file.getvalue()


CONFIGS = (
    *(b"[" * 10**5, b'{"config":' * 10**5, b"null", b"[]", b'{"config":{"layers":[' + b"{}," * 10**6 + b"{}]}}"),
    *(b'{"config":{"layers":null}}', b'{"class_name":"Functional","config":{"layers":[{}]}}'),
)


def _keras(random: Random) -> bytes:
    members = dict(random.choice(_keras_files()))
    kind = random.randrange(8)
    name = random.choice(list(members))
    if kind == 0:
        return mutated(random, _zipped(members))
    if kind == 1:
        members[name] = mutated(random, members[name], 20)
    elif kind == 2:
        del members[name]
    elif kind == 3:
        members["config.json"] = random.choice(CONFIGS)
    else:
        changed = _changed(random, json.loads(members["config.json"]), random.randint(1, 4))
        members["config.json"] = json.dumps(changed).encode()
    return _zipped(members)


def _good_keras() -> bytes:
    return _zipped(_keras_files()[1])


# ---- weights of a network ------------------------------------------------------------------------------------------


@cache
def _model() -> Any:
    from archspec.diagnostics import Source
    from archspec.graph.compile.compiler import compile_spec
    from archspec.lang.spec.spec import parse
    from archspec.runtime.models.build import build_model

    return build_model(compile_spec(parse(Source("fuzzed.yaml", SPEC))))


PREFIXES = (
    "x",
    "ema.",
    "head.0.",
    "a.b.c.",
    "\x1b[2J",
    "layer1.downsample.",
    "criterion.",
    "aux.",
    "student.",
    "a." * 999,
)
SHAPES: list[tuple[int, ...]] = [(), (1,), (4, 3), (0, 3), (4, 3, 3, 3, 1), (4, 1, 3, 3)]


def _weights(random: Random) -> bytes:
    """State dicts with other names, shapes and extra tensors, and hostile files of all kinds."""
    if random.random() < 0.5:
        return random.choice((_torch, _pickle, _safetensors, _hdf5))(random)
    state: dict[str, Any] = dict(STATE)
    for _ in range(random.randint(1, 4)):
        name = random.choice(list(state))
        kind = random.randrange(5)
        if kind == 0:
            state[random.choice(PREFIXES) + name] = state.pop(name)
        elif kind == 1:
            state[name] = np.ones(random.choice(SHAPES), "float32")
        elif kind == 2:
            state[random.choice(PREFIXES) + name] = state[name]
        elif kind == 3:
            state = {word: array for word, array in state.items() if word != name} or state
        else:
            state[name] = np.full(state[name].shape, random.choice((np.nan, np.inf, 0)), "float32")
    nested = {"a": {"b": state}, "c": {"b": STATE}}
    value: Any = random.choice((state, {"model": state, "ema": STATE}, [state, STATE], nested))
    return pickle.dumps(value) if random.random() < 0.2 else _written(random.choice((save, save_old)), value)


def _loads_weights(path: Path) -> Iterator[object]:
    from archspec.runtime.weights import load_weights

    yield load_weights(_model(), path, new_head=True, adapt_input=True).describe(str(path))


def _good_weights() -> bytes:
    return _checkpoints()[2]


FAMILIES = [
    Family("torch", ".pth", _torch, _reads_torch, weight=2),
    Family("pickle", ".pth", _pickle, _reads_torch, weight=2),
    Family("safetensors", ".safetensors", _safetensors, _reads_safetensors, weight=2),
    Family("hdf5-weights", ".weights.h5", _hdf5, _reads_hdf5),
    Family("hdf5-model", ".h5", _hdf5, _loads_model, _good_hdf5),
    Family("keras", ".keras", _keras, _loads_model, _good_keras, weight=2),
    Family("weights", ".pth", _weights, _loads_weights, _good_weights, weight=2),
]
