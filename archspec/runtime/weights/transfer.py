"""Start some layers of a network from those of a trained one, by a declared map of their paths; guess nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archspec.diagnostics import ArchspecError, Source, did_you_mean, fail
from archspec.format import Table
from archspec.graph.compile.compiler import compile_spec
from archspec.graph.ir import Graph
from archspec.graph.select.path_patterns import partner, unmatched
from archspec.graph.select.weight_maps import INIT_MAPS, Pairs
from archspec.lang.spec.spec import parse
from archspec.runtime.models.keras_graph import keras_graph
from archspec.runtime.models.model_file import read_metadata
from archspec.runtime.weights.keras_units import model_slots
from archspec.runtime.weights.load import array_of
from archspec.runtime.weights.unit import Slot, Unit, shown
from archspec.runtime.weights.weight_file import open_source

Shapes = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class TransferredLayer:
    """A layer with weights, and what it starts from; `problem` says why it cannot."""

    path: str
    shapes: Shapes
    source: str | None
    problem: str | None = None

    @property
    def remark(self) -> str:
        return self.problem or ("" if self.source else "initial weights")


@dataclass(frozen=True)
class Transfer:
    """What starts from what. `unused` are layers of the source that nothing starts from."""

    source: str
    rows: tuple[TransferredLayer, ...]
    unused: tuple[str, ...]

    def table(self) -> list[str]:
        """A line for each layer of the network, then the layers of the source that are left over."""
        return [*_lines(self.source, self.rows), *_left_over(self.unused)]


def initialize_from(model: Any, graph: Graph, source: str, maps: Sequence[str]) -> Transfer:
    """Set the weights of the layers that the maps speak of; the others stay as they are.

    Args:
        graph: of the model.
        source: a file of weights, as `load_weights` takes it; a model file or a run for a named map.
        maps: names of INIT_MAPS; patterns of paths of this network, PATTERN for layers of the same path there, or
            TARGET=SOURCE, whose wildcards stand for the same words. Of several that fit a layer the last one decides.

    Raises ArchspecError, and then nothing is set: `init-map` with a table of what fits and what does not,
        `unmatched-pattern`, `bad-pattern`, and those of `open_source`.
    """
    slots = {slot.name.replace(".", "/"): slot for slot in model_slots(keras_graph(model)).values()}
    in_order = [node.path for node in graph.layers if node.path in slots]
    wanted = dict(_pairs(graph, source, maps, in_order))
    with open_source(source, model.name, None) as opened:
        units = {unit.name.replace(".", "/"): unit for unit in opened.units}
        rows = tuple(_row(path, slots[path], wanted.get(path), units) for path in in_order)
        unused = tuple(path for path in units if path not in wanted.values())
        _refuse_problems(source, rows, unused)
        arrays = [
            (variable, array_of(slots[row.path], units[row.source], index))
            for row in rows
            if row.source is not None
            for index, variable in enumerate(slots[row.path].variables)
        ]
    for variable, array in arrays:
        variable.assign(array)
    return Transfer(source, rows, unused)


def _pairs(graph: Graph, source: str, maps: Sequence[str], paths: Sequence[str]) -> Pairs:
    """Which layer starts from which, whether it is there or not."""
    pairs: Pairs = []
    for text in maps:
        if text in INIT_MAPS:
            pairs += INIT_MAPS[text](_page_graph(source, text), graph)
            continue
        target, equals, other = text.partition("=")
        found = [(path, there) for path in paths if (there := partner(path, target, other if equals else target))]
        if not found:
            near = did_you_mean(text, INIT_MAPS)
            (diagnostic,) = unmatched(target, paths).diagnostics
            raise fail(diagnostic.code, diagnostic.message, notes=diagnostic.notes, help=near or diagnostic.help)
        pairs += found
    return pairs


def _page_graph(source: str, name: str) -> Graph:
    """The graph of the source, of which a named map needs the order of layers."""
    try:
        page = None if source.startswith("keras:") else read_metadata(source).spec
    except ArchspecError as error:
        if error.diagnostics[0].code == "model-not-found":
            raise
        page = None
    if page is None:
        fact = f"`{name}` needs to know how the layers of `{source}` follow each other, and it has no page"
        raise fail("init-map", fact, help="give a model file or run of archspec's, or pairs of patterns")
    return compile_spec(parse(Source(source, page)))


def _row(path: str, slot: Slot, source: str | None, units: dict[str, Unit]) -> TransferredLayer:
    if source is None:
        return TransferredLayer(path, slot.shapes, None)
    if source not in units:
        return TransferredLayer(path, slot.shapes, source, "there is no such layer there")
    unit = units[source]
    fits = unit.signature == slot.signature
    return TransferredLayer(path, slot.shapes, source, None if fits else f"it has {shown(unit.shapes)} there")


def _refuse_problems(source: str, rows: Sequence[TransferredLayer], unused: Sequence[str]) -> None:
    wrong = [row for row in rows if row.problem]
    if wrong:
        count = f"{len(wrong)} layers" if len(wrong) > 1 else "1 layer"
        message = f"{count} cannot start from `{source}` as `--init-map` says"
        help = "leave them out of the patterns: `--init-map 'conv*/**'`, or give other pairs `TARGET=SOURCE`"
        raise fail("init-map", message, notes=[*_lines(source, rows), *_left_over(unused)], help=help)


def _lines(source: str, rows: Sequence[TransferredLayer]) -> list[str]:
    cells = [
        (
            row.path,
            shown(tuple(row.shapes)),
            row.source or "-",
            row.problem or ("" if row.source else "initial weights"),
        )
        for row in rows
    ]
    return Table(("layer", "weights", f"in {source}", ""), cells).lines()


def _left_over(unused: Sequence[str]) -> list[str]:
    return [f"not used: {', '.join(unused)}"] if unused else []
