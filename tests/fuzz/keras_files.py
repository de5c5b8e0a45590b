"""Hostile HDF5 and `.keras` files, of archspec and of Keras 2."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

from archspec.runtime.weights.h5_file import h5_file
from tests.fuzz.family import Family
from tests.fuzz.mutate import changed, mutated

SPEC = """
name: fuzzed
input: [6, 6, 3]
layers: [conv: {filters: 4, kernel_size: 3}, bn, relu, flatten, dense: 3]
"""
KERAS_2 = Path(__file__).parents[1] / "runtime/models/keras2"


@cache
def _hdf5_files() -> tuple[bytes, ...]:
    return tuple((KERAS_2 / name).read_bytes() for name in ("nested.h5", "nested_weights.h5", "lambdas.h5"))


def changed_hdf5(random: Random) -> bytes:
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
        config = changed(random, json.loads(members["config.json"]), random.randint(1, 4))
        members["config.json"] = json.dumps(config).encode()
    return _zipped(members)


def _good_keras() -> bytes:
    return _zipped(_keras_files()[1])


FAMILIES = [
    Family("hdf5-weights", ".weights.h5", changed_hdf5, _reads_hdf5),
    Family("hdf5-model", ".h5", changed_hdf5, _loads_model, _good_hdf5),
    Family("keras", ".keras", _keras, _loads_model, _good_keras, weight=2),
]
