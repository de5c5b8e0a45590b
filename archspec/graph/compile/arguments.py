"""The arguments of a layer, prepared once for all its copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from archspec.declare import freeze
from archspec.diagnostics import Span, did_you_mean, listed
from archspec.graph.compile.builder import Builder
from archspec.lang.document.nodes import MappingNode, Node, ScalarNode, SequenceNode, plain
from archspec.lang.expressions import is_expression
from archspec.lang.spec.layer_spec import LayerSpec


class CallArguments(NamedTuple):
    """The arguments of a layer: fixed values, values with expressions, and their places."""

    item: LayerSpec
    fixed: dict[str, Any]
    open: tuple[tuple[str, Node], ...]
    places: dict[str, Span]


def prepare(item: LayerSpec, first: bool, known: Sequence[str], builder: Builder) -> CallArguments:
    """The arguments that an item gives to a head that has the `known` ones; for the `first` copy its own as well.

    A bare value is the first argument. Raises ArchspecError (unknown-argument), as only a head that is an expression
    can: the reader of the spec has seen to the others.
    """
    head = item.head
    given: dict[str, tuple[ScalarNode | None, Node]] = {}
    if isinstance(item.value, MappingNode):
        given = {word: entry for word, entry in item.value.entries.items() if word not in item.branches}
    elif item.value is not None:
        if not known:
            raise builder.error("unknown-argument", f"`{head}` takes no arguments", item.value.span)
        given = {known[0]: (None, item.value)}
    if first and item.first:
        given |= item.first.entries
    for word, (key, node) in given.items():
        if word not in known:
            help = did_you_mean(word, known) or (f"its arguments are: {listed(known)}" if known else None)
            at = key.span if key else node.span
            raise builder.error("unknown-argument", f"`{head}` has no argument `{word}`", at, help=help)
    nodes = {word: node for word, (_, node) in given.items()}
    fixed = {word: freeze(plain(node)) for word, node in nodes.items() if _is_fixed(node)}
    open_ = tuple((word, node) for word, node in nodes.items() if word not in fixed)
    return CallArguments(item, fixed, open_, {word: node.span for word, node in nodes.items()})


def _is_fixed(node: Node) -> bool:
    """Whether a value has no expression, so it is the same in every copy; False for a mapping, which is an error."""
    if isinstance(node, SequenceNode):
        return all(map(_is_fixed, node.items))
    return isinstance(node, ScalarNode) and not is_expression(node.value)
