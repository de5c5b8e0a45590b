"""Makes blocks of repeated layers, the block that saves the most lines first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from archspec.graph.decompile.candidates import Place, best_block, weight_of
from archspec.graph.decompile.cells import find_cells
from archspec.graph.decompile.draft import LayerDraft, lists, walk
from archspec.graph.decompile.names import block_name
from archspec.graph.decompile.repeats import collapse
from archspec.graph.decompile.unify import Template
from archspec.graph.decompile.writer import BlockDraft

MAX_BLOCKS = 20
UNIT = 5
"""Lines of a block from which on its first copy may differ, as the first unit of a stage has a stride."""


@dataclass
class Blocks:
    """The list of layers, shortened by one block after the other."""

    items: list[LayerDraft]
    kept: frozenset[int] = frozenset()
    """The nodes that keep their names whatever reads them: the outputs of a spec that has several."""
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
        taken = {block.name for block in self.blocks}
        name = block_name(template.items, taken)
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
