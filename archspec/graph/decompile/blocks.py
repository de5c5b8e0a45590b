"""Replace repeated layers by blocks, greedily: first the block that saves the most lines, cells last.

A cell reads two layers, as in NASNet: it is a block with `inputs`, whose layers read each other by name. Cells are
searched only at the top level of a spec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from archspec.graph.decompile.candidates import MAX_PARAMETERS, Place, best_block, weight_of
from archspec.graph.decompile.draft import LayerDraft, lists, walk
from archspec.graph.decompile.names import block_name
from archspec.graph.decompile.repeats import collapse
from archspec.graph.decompile.unify import Template, unify
from archspec.graph.decompile.writer import BlockDraft
from archspec.graph.ir import unused_name

MAX_BLOCKS = 20
UNIT = 5
"""Blocks of at least this number of lines may differ in their first copy, like the strided first unit of a stage."""


@dataclass
class Blocks:
    """Shortens a list of layers by one block after the other."""

    items: list[LayerDraft]
    kept: frozenset[int] = frozenset()
    """The nodes that always keep their names: the outputs of a spec that declares them."""
    blocks: list[BlockDraft] = field(default_factory=list)
    keys: dict[Any, int] = field(default_factory=dict)

    def find(self) -> None:
        """Make blocks until no further one saves lines."""
        self._collapse()
        while len(self.blocks) < MAX_BLOCKS:
            best = best_block(list(self._all_lists()), self.keys)
            if best is None:
                break
            self._make(*best)
            self._collapse()
        self._inline()
        find_cells(self.items, self.blocks, self.kept)
        self._collapse()

    def _all_lists(self) -> Iterator[list[LayerDraft]]:
        for items in (self.items, *(block.items for block in self.blocks)):
            yield from lists(items)

    def _collapse(self) -> None:
        units = {block.name for block in self.blocks if sum(map(weight_of, block.items)) >= UNIT}
        for items in list(self._all_lists()):
            collapse(items, units)

    def _make(self, places: list[Place], template: Template) -> None:
        name = block_name(template.items, {block.name for block in self.blocks})
        for place, args in sorted(zip(places, template.calls, strict=True), key=lambda each: -each[0].start):
            place.items[place.start : place.stop] = [_call(name, place.stretch, args)]
        self.blocks.append(BlockDraft(name, template.parameters, template.items))

    def _inline(self) -> None:
        """Inline blocks that are called once and not repeated."""
        for block in list(self.blocks):
            calls = [(items, item) for items in self._all_lists() for item in items if item.head == block.name]
            if len(calls) == 1 and calls[0][1].count == 1 and calls[0][1].expansion:
                ((items, call),) = calls
                index = next(i for i, item in enumerate(items) if item is call)
                items[index : index + 1] = call.expansion
                self.blocks.remove(block)


def _call(name: str, stretch: list[LayerDraft], args: dict[str, Any]) -> LayerDraft:
    first, last = stretch[0], stretch[-1]
    return LayerDraft(
        name,
        args,
        origin=first.origin,
        node=last.node,
        labelled=last.labelled,
        channels=first.channels,
        shape=last.shape,
        count=first.count if len(stretch) == 1 else 1,
        hints=tuple(hint for item in walk(stretch) for hint in item.hints),
        expansion=stretch,
    )


INPUTS = ("x", "previous")
"""The names of the two inputs of a cell."""
MAX_ITEMS = 10
MIN_SAVING = 4  # lines; a cell is harder to read than other blocks


@dataclass(frozen=True)
class _Cell:
    """A stretch of the spec, its items rewritten for a block, and the nodes that it reads."""

    start: int
    stop: int
    items: list[LayerDraft]
    reads: tuple[int, ...]


def find_cells(items: list[LayerDraft], blocks: list[BlockDraft], kept: Set[int]) -> None:
    """Replace cells by block calls, in place, while that saves lines. `kept` nodes keep their names."""
    while _found(items, blocks):
        pass
    _leave_out_origins(items, {block.name for block in blocks if block.inputs}, kept)


def _found(items: list[LayerDraft], blocks: list[BlockDraft]) -> bool:
    """Replace one group of cells. Returns whether there was one."""
    best: tuple[float, list[_Cell], Template] | None = None
    for cells in _groups(items):
        template = unify([cell.items for cell in cells])
        if template is None or len(template.parameters) > MAX_PARAMETERS:
            continue
        weight = sum(map(weight_of, template.items))
        saving = len(cells) * (weight - 1) - weight - 3
        if saving >= MIN_SAVING and (best is None or saving > best[0]):
            best = (saving, cells, template)
    if best is not None:
        _replace(items, blocks, best[1], best[2])
    return best is not None


def _groups(items: list[LayerDraft]) -> Iterator[list[_Cell]]:
    """Two or more cells with the same structure that do not overlap."""
    groups: dict[Any, list[_Cell]] = {}
    for start in range(len(items)):
        for stop in range(start + 2, min(len(items), start + MAX_ITEMS) + 1):
            cell = _cell(items, start, stop)
            if cell is not None:
                found = groups.setdefault(repr([_wiring(item) for item in cell.items]), [])
                if not found or found[-1].stop <= start:
                    found.append(cell)
    return (cells for cells in groups.values() if len(cells) > 1)


def _wiring(item: LayerDraft) -> Any:
    inside = [[_wiring(each) for each in branch] for branch in item.branches]
    return item.head, item.origin, item.name, item.count, item.grows, inside


def _cell(items: list[LayerDraft], start: int, stop: int) -> _Cell | None:
    """The stretch as a cell: it reads two layers, and only its last layer is read from outside."""
    stretch = items[start:stop]
    own = [item.node for item in walk(stretch) if item.labelled]
    outside = {each for other in (items[:start], items[stop:]) for item in walk(other) for each in item.origin}
    inner = [node for node in own if node != stretch[-1].node]
    if not start or outside & set(inner) or any(item.share >= 0 for item in walk(stretch)):
        return None
    above = items[start - 1]
    names: dict[int | str, str] = {} if stretch[0].origin else {above.node: INPUTS[0]}
    local = {node: f"n{number}" for number, node in enumerate(inner, start=1)}
    copied = [_named(item, names, local) for item in stretch]
    if not copied[0].origin:
        if copied[0].branches:
            copied.insert(0, LayerDraft("", origin=INPUTS[:1]))
        else:
            copied[0] = replace(copied[0], origin=INPUTS[:1])
    reads = [node for node in names if isinstance(node, int)]
    return _Cell(start, stop, copied, tuple(reads)) if len(reads) == len(INPUTS) else None


def _named(item: LayerDraft, names: dict[int | str, str], local: dict[int, str]) -> LayerDraft:
    """The item with names instead of nodes. A node from outside gets one of INPUTS, or `-`, when it is read first."""
    origin = []
    for node in item.origin:
        if node in local:
            origin.append(local[node])
        else:
            origin.append(names.setdefault(node, INPUTS[len(names)] if len(names) < len(INPUTS) else "-"))
    branches = [[_named(each, names, local) for each in branch] for branch in item.branches]
    name = local.get(item.node, "") if item.labelled else ""
    return replace(item, origin=tuple(origin), branches=branches, name=name, labelled=False)


def _replace(items: list[LayerDraft], blocks: list[BlockDraft], cells: Sequence[_Cell], template: Template) -> None:
    name = unused_name("cell", {block.name for block in blocks})
    for cell, args in sorted(zip(cells, template.calls, strict=True), key=lambda each: -each[0].start):
        last = items[cell.stop - 1]
        hints = tuple(hint for item in walk(items[cell.start : cell.stop]) for hint in item.hints)
        shape, labelled = last.shape, last.labelled
        call = LayerDraft(name, args, origin=cell.reads, node=last.node, labelled=labelled, shape=shape, hints=hints)
        items[cell.start : cell.stop] = [call]
    read = {node for cell in cells for node in cell.reads}
    for item in items:
        item.labelled = item.labelled or item.node in read
    blocks.append(BlockDraft(name, template.parameters, template.items, INPUTS))


def _leave_out_origins(items: list[LayerDraft], cells: Set[str], kept: Set[int]) -> None:
    """Remove `from` from calls that read the previous layer and its input, and the names of those layers."""
    origins = [item.origin for item in items]
    for index in range(2, len(items)):
        above = items[index - 1]
        before = origins[index - 1] or (items[index - 2].node,)
        if items[index].head in cells and origins[index] == (above.node, before[0]):
            items[index].origin = ()
    read = {each for item in walk(items) for each in (*item.origin, item.share)}
    for item in walk(items):
        item.labelled = item.labelled and (item.node in read or item.node in kept)
