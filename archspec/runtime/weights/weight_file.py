"""Sources of weights: a file, recognized by its suffix, or `keras:NAME`, which keras.applications downloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors

from archspec.diagnostics import fail
from archspec.runtime.models.keras_graph import KerasGraph, keras_graph
from archspec.runtime.models.model_file import load_model, model_path
from archspec.runtime.weights.applications import application, model_with
from archspec.runtime.weights.h5_file import h5_file
from archspec.runtime.weights.keras_units import model_units
from archspec.runtime.weights.matching import Tensor, Unit
from archspec.runtime.weights.state_dict import torch_units
from archspec.runtime.weights.structure import natural
from archspec.runtime.weights.torch_file import torch_file

HEADER_BYTES = 10_000_000
"""The library needs ten times the memory of a header; that of ten thousand tensors has about 1 MB."""
DTYPES = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"}
"""Types of numbers that become float32."""


@contextmanager
def safetensors_file(path: Path) -> Iterator[dict[str, Tensor]]:
    """The tensors by name, readable until the end of the block. Raises ArchspecError (not-weights)."""
    import ml_dtypes  # noqa: F401 - teaches NumPy bfloat16

    with path.open("rb") as beginning:
        length = int.from_bytes(beginning.read(8), "little")
    if length > HEADER_BYTES:
        raise _refused(path, f"its header has {length:,} bytes, more than {HEADER_BYTES:,}")
    try:
        file: Any = safetensors.safe_open(path, framework="np")
    except safetensors.SafetensorError as error:
        raise _refused(path, str(error)) from error
    with file:
        tensors = {}
        for name in file.keys():  # noqa: SIM118 - it is not a dictionary
            part = file.get_slice(name)
            if part.get_dtype() not in DTYPES:
                raise _refused(path, f"`{name}` is of the type {part.get_dtype()}")
            tensors[name] = Tensor(name, tuple(part.get_shape()), _reader(file, name))
        yield tensors


def _reader(file: Any, name: str) -> Callable[[], Any]:
    return lambda: file.get_tensor(name).astype("float32")


def _refused(path: Path, reason: str) -> Exception:
    message = f"`{path}` cannot be read as a safetensors file: {reason}"
    return fail("not-weights", message, help="check that the file is complete; download or save it again")


SUFFIXES = (".keras", ".weights.h5", ".h5", ".hdf5", ".pth", ".pt", ".bin", ".safetensors")
HELP = f"give a file that ends in {', '.join(SUFFIXES)}, or `keras:imagenet`, or `keras:NAME`"


@dataclass(frozen=True)
class WeightSource:
    """The units of a file, and how they can be matched."""

    units: list[Unit]
    graph: KerasGraph | None = None
    """The graph of a Keras model; unit i belongs to the call `positions[i]`."""
    positions: tuple[int, ...] = ()
    as_run: bool = True
    """Whether the units are in the order of Keras's graph, by depth; a state dict has the order of modules."""
    sorted_by_name: bool = False

    def without(self, index: int) -> WeightSource:
        """The source without one of its units."""
        units, positions = self.units, self.positions
        rest = [*units[:index], *units[index + 1 :]]
        return replace(self, units=rest, positions=(*positions[:index], *positions[index + 1 :]))


def weight_path(text: str) -> Path:
    """The weight file that `text` names, or the model in a run directory. Raises ArchspecError: weights-not-found."""
    path = Path(text)
    if any((path / name).is_file() for name in ("best.keras", "last.keras")):  # of a run
        path = model_path(path)
    if not path.is_file():
        fact = "is a folder" if path.is_dir() else "does not exist"
        raise fail("weights-not-found", f"`{text}` {fact}", help=HELP)
    return path


def check_source(text: str | Path | None) -> None:
    """Check that a source of weights exists, before Keras is imported. Raises ArchspecError: as `weight_path`."""
    if text is not None and not str(text).startswith("keras:"):
        weight_path(str(text))


@contextmanager
def open_source(text: str, model_name: str, names: Set[str] | None) -> Iterator[WeightSource]:
    """The source that `text` names, readable until the end of the block.

    A weight file whose layers do not have the `names` of the layers to fill is assumed to be of keras.applications.

    Raises ArchspecError: weights-not-found, weights-unknown, not-weights, weights-unsafe, download.
    """
    if text.startswith("keras:"):
        yield of_model(application(text.removeprefix("keras:"), model_name))
        return
    path = weight_path(text)
    try:
        if path.name.endswith(".keras"):
            yield of_model(load_model(path)[0])
        elif path.suffix in (".h5", ".hdf5"):
            with h5_file(path) as units:
                known = None if names in (None, {unit.name for unit in units}) else model_with(path, units, model_name)
                yield WeightSource(units) if known is None else of_model(known)
        elif path.suffix in (".pth", ".pt", ".bin"):
            with torch_file(path) as state:
                yield WeightSource(torch_units(state), as_run=False)
        elif path.suffix == ".safetensors":
            with safetensors_file(path) as state:
                state = {name: state[name] for name in sorted(state, key=natural)}
                yield WeightSource(torch_units(state), as_run=False, sorted_by_name=True)
        else:
            raise fail("weights-unknown", f"`{text}` does not have the suffix of a weight file", help=HELP)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise fail("weights-not-found", f"cannot read `{text}`: {reason}", help=HELP) from error


def of_model(model: Any) -> WeightSource:
    """The units of a Keras model, with its graph."""
    graph = keras_graph(model)
    units = model_units(graph)
    return WeightSource(list(units.values()), graph, tuple(units))
