"""A call of a Keras layer, and the graph that it is read into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.declare import freeze
from archspec.diagnostics import Source, Span, listed
from archspec.graph.compile.inference import WrongArgument, infer, made
from archspec.graph.ir import Node
from archspec.ops.base import OpError, show
from archspec.runtime.models.keras_graph import Call

NOWHERE = Span(Source("", ""), 1, 1, 1, 1)
"""The place of a node: a model has no lines."""


@dataclass(frozen=True)
class Reading:
    """A call of a Keras layer, the nodes that it reads, and the nodes of the graph so far."""

    call: Call
    inputs: tuple[int, ...]
    nodes: list[Node]

    @property
    def layer(self) -> Any:
        """The Keras layer, or the operation of `keras.ops`."""
        return self.call.operation

    @property
    def given(self) -> list[Any]:
        """The arguments of the call, in their order."""
        arguments = self.call.node.arguments
        return [*arguments.args, *arguments.kwargs.values()]

    def add(self, head: str, *inputs: int, **args: Any) -> int:
        """A node for an operator on the given nodes, by default on the inputs of the call. Returns its position.

        Raises OpError: the operator does not accept the inputs of the layer.
        """
        inputs = inputs or self.inputs
        shapes = tuple(self.nodes[index].shape for index in inputs)
        try:
            op = made(head, {word: freeze(value) for word, value in args.items()})
            facts = infer(op, shapes)
        except (WrongArgument, OpError) as error:
            given = listed(map(show, shapes))
            fact = f"`{head}` does not accept it: {error}" + (f" (its input is {given})" * (given not in str(error)))
            of_axis = isinstance(error, OpError) and error.arg == "axis"  # other remedies are those of a spec
            raise OpError(fact, help=error.help if of_axis else None) from error
        self.nodes.append(Node(self.call.path, op, inputs, facts, NOWHERE))
        return len(self.nodes) - 1
