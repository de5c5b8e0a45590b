"""The network that a Keras model is read into: nodes of the static graph, made one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archspec.declare import freeze
from archspec.diagnostics import ArchspecError, Source, Span, fail, listed
from archspec.graph.compile.inference import WrongArgument, infer, made
from archspec.graph.ir import Node
from archspec.ops.base import OpError, Shape, show
from archspec.runtime.models.keras_graph import Call

NOWHERE = Span(Source("", ""), 1, 1, 1, 1)
"""A model has no lines."""


class NotReadable(Exception):  # noqa: N818 - it is caught where the layer is known, and never seen
    """Why a layer cannot be said in a page, and what to do about it."""

    def __init__(self, fact: str, help: str | None = None) -> None:
        super().__init__(fact)
        self.fact, self.help = fact, help


@dataclass(frozen=True)
class Reading:
    """A call of a Keras layer while it is read: its inputs as nodes, and how to add what it is made of."""

    call: Call
    inputs: tuple[int, ...]
    nodes: list[Node]

    @property
    def layer(self) -> Any:
        """The Keras layer, or the operation of `keras.ops`."""
        return self.call.operation

    def shape(self, index: int) -> Shape:
        return self.nodes[index].shape

    def add(self, head: str, *inputs: int, **args: Any) -> int:
        """A node for an operator on the given nodes, by default on the inputs of the call. Returns its position.

        Raises ArchspecError where the operator does not take what the layer does.
        """
        inputs = inputs or self.inputs
        try:
            op = made(head, {word: freeze(value) for word, value in args.items()})
            facts = infer(op, tuple(map(self.shape, inputs)))
        except (WrongArgument, OpError) as error:
            shapes = listed(show(self.shape(index)) for index in inputs)
            raise unreadable(self.call, f"`{head}` does not take it: {error} (its input is {shapes})") from error
        self.nodes.append(Node(self.call.path, op, inputs, facts, NOWHERE))
        return len(self.nodes) - 1


def unreadable(call: Call, fact: str, help: str | None = None) -> ArchspecError:
    """The error for a layer that cannot be said in a page."""
    return fail(
        "unknown-keras-layer",
        f"the layer `{call.path}` ({call.kind}) cannot be written in a page: {fact}",
        help=help or "replace it by layers that docs/operators.md lists, or write an operator with a `from_keras`",
    )


Reader = Callable[[Reading], int]
READERS: dict[str, Reader] = {}
"""How a class of Keras is read, by its name. Operators of plugins have `Op.from_keras` instead."""


def reads(*classes: str) -> Callable[[Reader], Reader]:
    """Declare how layers of these classes are read: a function from the call to the node that stands for it."""

    def declare(reader: Reader) -> Reader:
        READERS.update(dict.fromkeys(classes, reader))
        return reader

    return declare
