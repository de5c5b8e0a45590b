"""What a spec is made of: items of a list of layers, and blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from archspec.diagnostics import Span
from archspec.lang.document.nodes import MappingNode, Node, ScalarNode

STRUCTURES = ("row", "residual")


@dataclass(frozen=True)
class LayerSpec:
    """One item of a list of layers: its head with what stands after it, and its modifiers."""

    head: str
    """Empty for an item that has only a `from`, and stands for the layer that it names."""
    span: Span
    value: Node | None = None
    name: ScalarNode | None = None
    origin: tuple[ScalarNode, ...] = ()
    """The names that `from` reads."""
    repeat: ScalarNode | None = None
    first: MappingNode | None = None
    when: ScalarNode | None = None
    cells: tuple[LayerSpec | None, ...] = ()
    """The cells of a `row`."""
    branches: dict[str, tuple[LayerSpec, ...]] = field(default_factory=dict)
    """Of a merge with named branches; of `residual`: body and project."""

    @property
    def word(self) -> str:
        """Its name, or else its head: what its path is made of. Empty for a `from` alone, without a name."""
        return self.name.text if self.name else self.head


@dataclass(frozen=True)
class BlockArgument:
    """An argument of a block; `default` is None where it is required."""

    name: str
    default: Node | None
    span: Span


@dataclass(frozen=True)
class BlockSpec:
    name: str
    span: Span
    parameters: tuple[BlockArgument, ...]
    inputs: tuple[str, ...] = ()
    """The names of what it reads, where it reads several layers."""
    layers: tuple[LayerSpec, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """Their names, in the order of the signature."""
        return [parameter.name for parameter in self.parameters]
