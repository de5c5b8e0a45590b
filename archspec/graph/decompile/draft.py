"""Drafts of layers, each with the nodes of the graph that it represents."""

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
    """The nodes that `from` names, if it does not read the layer above; names in a block with several inputs."""
    node: int = -1
    """Its last node in the graph."""
    labelled: bool = False
    """Whether a `from` names it."""
    name: str = ""
    """The name of a stage; in a block with several inputs, its name for `from`."""
    channels: int | None = None
    """Input channels."""
    shape: tuple[int | None, ...] = ()
    """The output shape."""
    grows: bool = False
    """For a residual: whether the output of the body has another shape than the input."""
    count: int = 1
    """Copies, of `repeat`."""
    first: dict[str, Any] = field(default_factory=dict)
    """Arguments of the first copy."""
    hints: tuple[str, ...] = ()
    """The names of its layers in the graph."""
    expansion: list[LayerDraft] = field(default_factory=list)
    """The layers that a call of a block replaced."""


def walk(items: list[LayerDraft]) -> Iterator[LayerDraft]:
    """All layers, including those in branches."""
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
