"""What a spec is written from: items in lists, each with the nodes of the graph that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


class Free:
    """An argument that may have any value: a 1x1 window needs no padding, `valid` or `same`."""

    def __repr__(self) -> str:
        return "FREE"


FREE = Free()


@dataclass(eq=False)
class LayerDraft:
    """An operator, a merge with branches, a residual or the call of a block."""

    head: str
    args: dict[str, Any] = field(default_factory=dict)
    """All arguments of an operator in the order of its declaration; those of a block in that of its own."""
    branches: list[list[LayerDraft]] = field(default_factory=list)
    """Of a merge; of a residual the body, then the project where there is one."""
    origin: tuple[int | str, ...] = ()
    """The nodes that `from` names, where it does not read the item above; in a block of several inputs their names."""
    node: int = -1
    """Its last node in the graph."""
    labelled: bool = False
    """Whether another item's `from` names it."""
    name: str = ""
    """Of a stage, for the reader; in a block of several inputs, what `from` calls it there."""
    channels: int | None = None
    """Of what enters it."""
    shape: tuple[int | None, ...] = ()
    """Of what leaves it."""
    grows: bool = False
    """Of a residual: whether the body has another shape than the input."""
    count: int = 1
    """Copies, of `repeat`."""
    first: dict[str, Any] = field(default_factory=dict)
    """Arguments of the first copy."""
    hints: tuple[str, ...] = ()
    """The names of its layers where the graph comes from."""
    expansion: list[LayerDraft] = field(default_factory=list)
    """Of the call of a block: what it stands for."""


def walk(items: list[LayerDraft]) -> Iterator[LayerDraft]:
    """All items, those in branches too."""
    for item in items:
        yield item
        for branch in item.branches:
            yield from walk(branch)


def lists(items: list[LayerDraft]) -> Iterator[list[LayerDraft]]:
    """The list itself and all lists of branches in it."""
    yield items
    for item in items:
        for branch in item.branches:
            yield from lists(branch)
