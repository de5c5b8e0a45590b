"""The graph while it grows: adds operators and copies of what is there, remembers names, and keeps the limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archspec.declare import Argument, arguments
from archspec.diagnostics import ArchspecError, Diagnostic, Span
from archspec.graph.ir import INPUT, Facts, Node
from archspec.lang.validate import check_value
from archspec.ops import OPS, Op, OpError
from archspec.ops.base import Shape, product, show

MAX_LAYERS = 100_000
MAX_PARAMS = 10**12
MAX_OUTPUT = 10**12
MAX_PATH = 1000
MAX_CALLS_SHOWN = 6


@dataclass(frozen=True)
class Run:
    """One copy of a repeated item: its path, what it read, where its nodes and names start, what it returned."""

    path: str
    inputs: tuple[int, ...]
    start: int
    named: int
    output: int


class Builder:
    """The nodes so far, and the outputs that `from` can read by their paths.

    `reads` are the paths that a name was resolved to; `calls` the blocks that we are inside of.
    """

    def __init__(self, shape: Shape, span: Span, variant: str | None) -> None:
        self.variant = variant
        self.nodes: list[Node] = []
        self.outputs: dict[str, int] = {}
        self.paths: list[str] = []  # the keys of outputs in the order of their registration
        self.reads: list[str] = []
        self.calls: list[tuple[str, Span]] = []
        self.params = 0
        self._ops: dict[tuple[str, str], Op] = {}
        self._facts: dict[tuple[int, tuple[Shape, ...]], Facts] = {}
        self._check_output(shape, span)
        self._append(Node("input", INPUT, (), Facts(shape, (), 0, 0, 0), span))

    def shape(self, index: int) -> Shape:
        return self.nodes[index].shape

    def add(
        self,
        head: str,
        values: Mapping[str, Any],
        inputs: tuple[int, ...],
        path: str,
        span: Span,
        places: Mapping[str, Span] | None = None,
    ) -> int:
        """Add an operator with these arguments, whose values stand at `places`. Raises ArchspecError."""
        if len(path) > MAX_PATH:
            raise self.error("too-deep", f"the path of this layer is longer than {MAX_PATH:,} characters", span)
        places = places or {}
        op = self._op(head, values, span, places)
        self._append(Node(path, op, inputs, self._infer(op, inputs, span, places), span))
        return len(self.nodes) - 1

    def clone(self, run: Run, path: str, inputs: tuple[int, ...]) -> int:
        """The nodes from the start of a run once more, under a new path and with other inputs: the new output."""
        stop, named = len(self.nodes), len(self.paths)
        shift, cut = stop - run.start, len(run.path)
        now = dict(zip(run.inputs, inputs, strict=True))
        for name, op, read, facts, span in self.nodes[run.start : stop]:
            moved = tuple([i + shift if i >= run.start else now[i] for i in read])
            self._append(Node(path + name[cut:], op, moved, facts, span))
        for name in self.paths[run.named : named]:
            index = self.outputs[name]
            self.register(path + name[cut:], index + shift if index >= run.start else now[index])
        return run.output + shift if run.output >= run.start else now[run.output]

    def register(self, path: str, index: int) -> None:
        """Let `from` find the output of a path."""
        if path not in self.outputs:
            self.paths.append(path)
        self.outputs[path] = index

    def find(self, name: str, prefix: str) -> int | None:
        """The output that a name means under a prefix: in this block, then in the one around it, up to the page."""
        while True:
            index = self.outputs.get(prefix + name)
            if index is not None:
                self.reads.append(prefix + name)
                return index
            if not prefix:
                return None
            prefix = prefix[:-1].rpartition("/")[0]
            prefix += "/" if prefix else ""

    def check_count(self, count: int, span: Span) -> None:
        """Raises ArchspecError (too-many-layers) for more than MAX_LAYERS nodes."""
        if count > MAX_LAYERS:
            message = f"this page expands to more than {MAX_LAYERS:,} layers"
            raise self.error("too-many-layers", message, span, help="is a `repeat` larger than you meant?")

    def error(
        self, code: str, message: str, span: Span, *, notes: tuple[str, ...] = (), help: str | None = None
    ) -> ArchspecError:
        """The error with the block calls that we are inside of, innermost first, and the variant."""
        inside = [f"in block `{name}`, used on line {at.line}" for name, at in reversed(self.calls)]
        if len(inside) > MAX_CALLS_SHOWN:
            inside[MAX_CALLS_SHOWN - 1 : -1] = [f"... {len(inside) - MAX_CALLS_SHOWN} more blocks"]
        variant = (f"in variant `{self.variant}`",) if self.variant else ()
        return ArchspecError(Diagnostic(code, message, span, (*notes, *inside, *variant), help))

    def _append(self, node: Node) -> None:
        self.check_count(len(self.nodes), node.span)
        self.params += node.facts.params
        if self.params >= MAX_PARAMS:
            message = "this network has 10^12 parameters or more, beyond the limit"
            raise self.error("too-many-parameters", message, node.span, help="is a size larger than you meant?")
        self.nodes.append(node)
        self.register(node.path, len(self.nodes) - 1)

    def _op(self, head: str, values: Mapping[str, Any], span: Span, places: Mapping[str, Span]) -> Op:
        key = (head, repr(values))  # True is not 1
        op = self._ops.get(key)
        if op is None:
            for argument in arguments_of(head):
                if argument.name in values:
                    wrong = check_value(head, argument.name, values[argument.name])
                    if wrong:
                        code, message, help = wrong
                        raise self.error(code, message, places.get(argument.name, span), help=help)
                elif argument.required:
                    message = f"`{head}` needs the argument `{argument.name}`"
                    raise self.error("missing-argument", message, span, help=f"`{argument.name}`: {argument.doc}")
            op = self._ops[key] = OPS[head].make({word: _integral(value) for word, value in values.items()})
        return op

    def _infer(self, op: Op, inputs: tuple[int, ...], span: Span, places: Mapping[str, Span]) -> Facts:
        shapes = tuple(self.nodes[i].shape for i in inputs)
        key = (id(op), shapes)
        facts = self._facts.get(key)
        if facts is None:
            try:
                shape = op.shape(*shapes)
                self._check_output(shape, span)
                weights = op.weights(*shapes)
                params = sum(weight.size for weight in weights)
                trainable = sum(weight.size for weight in weights if weight.trainable)
                facts = self._facts[key] = Facts(shape, weights, op.macs(*shapes), params, trainable)
            except OpError as error:
                notes = tuple(self._arrives(i) for i in inputs)
                at = places.get(error.arg or "", span)
                raise self.error("shape", error.message, at, notes=notes, help=error.help) from None
        return facts

    def _arrives(self, index: int) -> str:
        node = self.nodes[index]
        origin = "the input of the network" if index == 0 else f"`{node.path}`"
        return f"the input here is {show(node.shape)}, from {origin} (line {node.span.line})"

    def _check_output(self, shape: Shape, span: Span) -> None:
        if (product([size for size in shape if size is not None]) or 0) > MAX_OUTPUT:
            message = f"the output here is {show(shape)}: more than 10^12 values"
            raise self.error("output-too-large", message, span, help="is a size larger than you meant?")


def _integral(value: Any) -> Any:
    """12.0 -> 12: JSON Schema takes it for an integer, Keras does not."""
    if isinstance(value, tuple):
        return tuple(map(_integral, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


_ARGUMENTS: dict[str, tuple[Argument, ...]] = {}


def arguments_of(head: str) -> tuple[Argument, ...]:
    """The arguments of an operator, remembered: they are asked for at every layer."""
    if head not in _ARGUMENTS:
        _ARGUMENTS[head] = arguments(OPS[head])
    return _ARGUMENTS[head]
