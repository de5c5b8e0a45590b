"""Operators with other arguments, and graphs with other input sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archspec.diagnostics import fail
from archspec.graph.compile.inference import arguments_of, infer, made
from archspec.graph.ir import Facts, Graph
from archspec.ops.base import Op, OpError, Shape, show


def changed(op: Op, **values: Any) -> Op:
    """The operator with some arguments replaced, for `infer`."""
    given = {argument.name: getattr(op, argument.name) for argument in arguments_of(op.name)}
    defaults = {argument.name: argument.default for argument in arguments_of(op.name)}
    given.update(values)
    return made(op.name, {name: value for name, value in given.items() if value != defaults[name]})


def at_size(graph: Graph, input_shape: Shape) -> Graph:
    """The same layers with another input size: every shape and cost is inferred again.

    Raises ArchspecError (shape) where a layer does not take what reaches it then.
    """
    shapes: list[Shape] = [input_shape]
    nodes = [graph.nodes[0]._replace(facts=Facts(input_shape, (), 0, 0, 0))]
    for node in graph.layers:
        inputs = tuple(shapes[i] for i in node.inputs)
        try:
            facts = infer(changed(node.op), inputs)
        except OpError as error:
            what = f"`{node.path}` of `{graph.name}` does not accept an input of {show(input_shape)}"
            raise fail("shape", f"{what}: {error.message}", help=error.help) from None
        shapes.append(facts.shape)
        nodes.append(node._replace(facts=facts))
    return replace(graph, nodes=tuple(nodes))


def ancestors(graph: Graph, *outputs: int) -> set[int]:
    """These nodes and all nodes that they depend on."""
    found: set[int] = set()
    todo = list(outputs)
    while todo:
        index = todo.pop()
        if index not in found:
            found.add(index)
            todo += graph.nodes[index].inputs
    return found
