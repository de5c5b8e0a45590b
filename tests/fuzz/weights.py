"""Hostile weights of a network: state dicts of PyTorch with other names and shapes, safetensors, files of all kinds."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from archspec.runtime.weights.safetensors_file import safetensors_file
from archspec.runtime.weights.state_dict import torch_units
from tests.fuzz.family import Family
from tests.fuzz.keras_files import SPEC, changed_hdf5
from tests.fuzz.mutate import changed, mutated
from tests.fuzz.torch_files import STATE, changed_file, checkpoints, pickle_file, written
from tests.runtime.weights.torch_writer import save, save_old

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


def safetensors(random: Random) -> bytes:
    header, data = _header()
    kind = random.randrange(6)
    text = json.dumps(changed(random, header, random.randint(1, 3)) if kind > 2 else header).encode()
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
        return random.choice((changed_file, pickle_file, safetensors, changed_hdf5))(random)
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
    return pickle.dumps(value) if random.random() < 0.2 else written(random.choice((save, save_old)), value)


def _loads_weights(path: Path) -> Iterator[object]:
    from archspec.runtime.weights import load_weights

    yield load_weights(_model(), path, new_head=True, adapt_input=True).describe(str(path))


def _good_weights() -> bytes:
    return checkpoints()[2]


FAMILIES = [
    Family("safetensors", ".safetensors", safetensors, _reads_safetensors, weight=2),
    Family("weights", ".pth", _weights, _loads_weights, _good_weights, weight=2),
]
