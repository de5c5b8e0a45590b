"""Layers and blocks of a spec, as written."""

from __future__ import annotations

from typing import NamedTuple

from archspec.diagnostics import Span
from archspec.lang.document.nodes import MappingNode, Node, ScalarNode

STRUCTURES = ("row", "residual", "parts")


class BranchCopies(NamedTuple):
    """The modifiers of a branch of a merge, which is written `{repeat: 3, when: $flag, layers: [...]}`."""

    repeat: ScalarNode | None
    when: ScalarNode | None


class LayerSpec(NamedTuple):
    """A layer as written: its operator or block (`head`) with the value after it, and its modifiers."""

    head: str
    """Empty for a layer that only has `from`, and is the layer that `from` names, or `share`, which is called again."""
    span: Span
    value: Node | None = None
    name: ScalarNode | None = None
    origin: tuple[ScalarNode, ...] = ()
    """The names that `from` reads."""
    repeat: ScalarNode | None = None
    first: MappingNode | None = None
    when: ScalarNode | None = None
    share: ScalarNode | None = None
    """The path of the earlier layer whose weights it uses."""
    cells: tuple[LayerSpec | None, ...] = ()
    """The cells of a `row`."""
    branches: dict[str, tuple[LayerSpec, ...]] = {}
    """The branches of a merge, or body and project of a `residual`."""
    copies: dict[str, BranchCopies] = {}
    """The modifiers of the branches that have any."""

    @property
    def word(self) -> str:
        """The part of a path that it adds: its name, or else its operator. Empty for an unnamed `from` alone."""
        if self.name or self.head:
            return self.name.text if self.name else self.head
        return self.share.text.rpartition("/")[2] if self.share else ""


class BlockArgument(NamedTuple):
    """An argument of a block; `default` is None if it is required."""

    name: str
    default: Node | None
    span: Span


class OutputSpec(NamedTuple):
    """An output of the network: its name if it has one, its layer with the place, and the weight of its loss."""

    name: str
    layer: str
    weight: float
    span: Span


class BlockSpec(NamedTuple):
    name: str
    span: Span
    parameters: tuple[BlockArgument, ...]
    inputs: tuple[str, ...] = ()
    """The names of its inputs, if it names them."""
    outputs: tuple[ScalarNode, ...] = ()
    """The names of the layers that it returns, if it names them."""
    layers: tuple[LayerSpec, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """The names of the arguments, in order."""
        return [parameter.name for parameter in self.parameters]
