"""Sources of weights: a file, recognized by its contents, or `keras:NAME`, which keras.applications downloads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.models.keras_graph import KerasGraph, keras_graph
from archspec.runtime.models.model_file import load_model, model_path
from archspec.runtime.models.untrusted.file_limits import NAME_LENGTH, NAME_PARTS
from archspec.runtime.weights.applications import application, model_with
from archspec.runtime.weights.file_format import HELP, file_format, missing
from archspec.runtime.weights.h5_file import h5_file
from archspec.runtime.weights.keras_units import model_units, statistics
from archspec.runtime.weights.matching import Unit
from archspec.runtime.weights.safetensors_file import safetensors_file
from archspec.runtime.weights.state_dict import torch_units
from archspec.runtime.weights.structure import natural
from archspec.runtime.weights.torch_file import torch_file
from archspec.runtime.weights.weight_sets import WeightSet, joined, select


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
    key: str = ""
    """Which set of the file it is; empty for a file with one set."""
    statistics: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Mean and variance of layers that normalize the input; in a spec they are arguments of `normalize`."""
    whole: bool = False
    """Whether it is all sets of the file as one network."""
    others: tuple[WeightSource, ...] = ()
    """The other sets in the file, the preferred ones first."""

    def without(self, index: int) -> WeightSource:
        """The source without one of its units."""
        units, positions = self.units, self.positions
        rest = [*units[:index], *units[index + 1 :]]
        return replace(self, units=rest, positions=(*positions[:index], *positions[index + 1 :]))


def weight_path(text: str) -> tuple[Path, str]:
    """The weight file that `FILE` or `FILE#KEY` names, or the model in a run directory, and the key.

    Raises:
        ArchspecError: `weights-not-found`, `weights-unknown`.
    """
    path, key = Path(text), ""
    if "#" in text and not path.exists():
        before, _, key = text.rpartition("#")
        path = Path(before)
    if any((path / name).is_file() for name in ("best.keras", "last.keras")):  # of a run
        path = model_path(path)
    if not path.is_file():
        raise missing(path)
    return path, key


def check_source(text: str | Path | None) -> None:
    """Check that a source of weights exists and has a known format, before Keras is imported.

    Raises:
        ArchspecError: `weights-not-found`, `weights-unknown`, `weights-damaged`.
    """
    if text is not None and not str(text).startswith("keras:"):
        path, _ = weight_path(str(text))
        with _readable(path):
            file_format(path)


@contextmanager
def open_source(text: str, model_name: str, names: Set[str] | None) -> Iterator[WeightSource]:
    """The source that `text` names, readable until the end of the block.

    A weight file whose layers do not have the `names` of the layers to fill is assumed to be of keras.applications.

    Raises:
        ArchspecError: `weights-not-found`, `weights-unknown`, `not-weights`, `weights-damaged`, `weights-unsafe`,
            `download`.
    """
    if text.startswith("keras:"):
        yield of_model(application(text.removeprefix("keras:"), model_name))
        return
    path, key = weight_path(text)
    with _readable(path):
        match file_format(path):
            case "keras":
                _no_key(path, key)
                yield of_model(load_model(path)[0])
            case "hdf5":
                _no_key(path, key)
                with h5_file(path) as units:
                    same = names is None or names == {unit.name for unit in units}
                    known = None if same else model_with(path, units, model_name)
                    yield WeightSource(units) if known is None else of_model(known)
            case "torch":
                with torch_file(path) as sets:
                    yield _of_sets(path, select(sets, key, str(path)) if key else sets, sorted_by_name=False)
            case "safetensors":
                with safetensors_file(path) as state:
                    one = WeightSet("", {name: state[name] for name in sorted(state, key=natural)})
                    yield _of_sets(path, select([one], key, str(path)) if key else [one], sorted_by_name=True)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise fail("weights-not-found", f"cannot read `{path}`: {reason}", help=HELP) from error


def _no_key(path: Path, key: str) -> None:
    if key:
        raise fail("weights-not-found", f"`{path}` has one set of weights, and no `{key}`", help=f"give `{path}`")


def _of_sets(path: Path, sets: Sequence[WeightSet], *, sorted_by_name: bool) -> WeightSource:
    """The first set, with the others; then all of them as one, for a network whose parts are in different sets."""
    if any(len(name) > NAME_LENGTH or name.count(".") > NAME_PARTS for each in sets for name in each.tensors):
        raise fail("weights-damaged", f"`{path}` has a tensor whose name is too long", help="save the weights again")
    whole = joined(sets) if len(sets) > 1 else None
    first, *others = [
        WeightSource(
            torch_units(each.named()), as_run=False, sorted_by_name=sorted_by_name, key=each.key, whole=each is whole
        )
        for each in [*sets, *([whole] if whole else [])]
    ]
    return replace(first, others=tuple(others))


def of_model(model: Any) -> WeightSource:
    """The units of a Keras model, with its graph."""
    graph = keras_graph(model)
    units = model_units(graph)
    return WeightSource(list(units.values()), graph, tuple(units), statistics=statistics(graph))
