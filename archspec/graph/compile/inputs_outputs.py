"""The input and outputs of a network, and the check that every layer leads to an output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.diagnostics import ArchspecError, Diagnostic, Span, did_you_mean, fail, listed
from archspec.graph.compile.builder import Builder
from archspec.lang.document.nodes import Node, ScalarNode, SequenceNode, plain
from archspec.lang.expressions import ExpressionError, evaluate, is_expression
from archspec.lang.schema.messages import INPUT
from archspec.lang.schema.validator import MAX_MISTAKES
from archspec.lang.spec.spec import Spec
from archspec.ops.base import Shape


def input_shape(node: SequenceNode, setting: Any, names: Mapping[str, Any]) -> Shape:
    """The shape of one sample, from the spec or the setting `input`. Raises ArchspecError (input)."""
    if setting is not None:
        return _sizes(setting, None)
    return _sizes([_size(item, names) for item in node.items], node.span)


def outputs_of(spec: Spec, builder: Builder, last: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The nodes that the network returns, the main one first, and the weights of their losses.

    Raises ArchspecError (unknown-layer).
    """
    declared = spec.outputs()
    if declared is None:
        return (last,), (1.0,)
    indices: list[int] = []
    weights: list[float] = []
    left_out = {item.name.text for item in spec.layers if item.when is not None and item.name}
    for name, (weight, span) in declared.items():
        index = builder.outputs.get(name)
        if index is None and indices and name in left_out:
            continue  # `when` left out an auxiliary classifier
        if index is None:
            help = did_you_mean(name, builder.outputs)
            raise builder.error("unknown-layer", f"there is no layer `{name}`", span, help=help)
        indices.append(index)
        weights.append(weight)
    return tuple(indices), tuple(weights)


def refuse_unused(builder: Builder, outputs: tuple[int, ...]) -> None:
    """Raises ArchspecError (unused-layer) for layers that lead to no output."""
    read = {i for node in builder.nodes for i in node.inputs} | set(outputs)
    help = "read it with `from`, list it under `outputs`, or remove it"
    wrong: dict[Diagnostic, None] = {}
    for index, node in enumerate(builder.nodes):
        if index not in read:
            what = "the input of the network" if index == 0 else f"the output of `{node.path}`"
            error = builder.error("unused-layer", f"nothing reads {what}", node.span, help=help)
            wrong[error.diagnostics[0]] = None
    if wrong:
        raise ArchspecError(*list(wrong)[:MAX_MISTAKES])


def _size(node: Node, names: Mapping[str, Any]) -> Any:
    """A size of `input`, or its expression evaluated."""
    if not isinstance(node, ScalarNode) or not is_expression(node.value):
        return plain(node)
    try:
        return evaluate(node.value, names)
    except ExpressionError as error:
        raise fail(error.code, error.message, node.span, help=error.help) from None


def _sizes(sizes: Any, span: Span | None) -> Shape:
    """The sizes as a shape; `span` is None for a setting."""
    fine = isinstance(sizes, (list, tuple)) and 1 <= len(sizes) <= 4
    for size in sizes if fine else ():
        fine &= size is None or (isinstance(size, int) and not isinstance(size, bool) and size > 0)
    if not fine:
        shown = f"[{listed(sizes)}]" if isinstance(sizes, (list, tuple)) else f"`{sizes}`"
        raise fail("input", f"`input` must be a list of 1 to 4 positive integers, but is {shown}", span, help=INPUT)
    return tuple(sizes)
