"""Operators from plain values and their shapes, cached because networks repeat layers; graphs at another size."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from archspec.declare import arguments, freeze
from archspec.diagnostics import ArchspecError, Span, did_you_mean, fail, listed
from archspec.graph.ir import Facts, Graph
from archspec.lang.document.nodes import MappingNode, Node, ScalarNode, SequenceNode, plain
from archspec.lang.expressions import is_expression
from archspec.lang.schema.validate import check_value
from archspec.lang.spec.layer_spec import LayerSpec
from archspec.lang.spec.names import used
from archspec.ops import OPS
from archspec.ops.base import Op, OpError, Shape, show
from archspec.plugins import CACHES

MAX_REMEMBERED = 20_000
MAX_SHORT = 32
NUMBERS = frozenset({int, float, bool, type(None), type(...)})

_MADE: dict[tuple[str, str], Op] = {}
_FACTS: dict[tuple[int, tuple[Shape, ...]], tuple[Op, Facts]] = {}  # by the identity of an operator, kept alive


def _clear() -> None:
    _MADE.clear()
    _FACTS.clear()


CACHES.append(_clear)


class WrongArgument(Exception):  # noqa: N818 - it is caught where the place is known, and never seen
    """An argument is invalid or missing: code, message, its name and the remedy."""

    def __init__(self, code: str, message: str, argument: str, help: str | None) -> None:
        super().__init__(message)
        self.code, self.message, self.argument, self.help = code, message, argument, help


def remedy_of_name(at: Span, value: object, help: str | None, block: str | None) -> str | None:
    """The remedy for a wrong value that is written as `$name`, maybe as an argument of a block; `help` for others."""
    name = at.source.line(at.line)[at.column - 1 : at.end_column - 1].strip("\"'")
    if name[:1] != "$" or not name[1:].isidentifier():
        return help
    name = name[1:]
    if isinstance(value, (list, tuple)) and block:
        return f"give `{block}` its arguments by their names: `{block}: {{{name}: ..., ...}}`"
    meaning = (help or "").partition("; for example")[0]
    return f"change the value of `{name}`" + f"; {meaning}" * bool(meaning)


def made(head: str, values: Mapping[str, Any]) -> Op:
    """The operator with these values, which are validated. Raises WrongArgument."""
    key = (head, repr(values))  # True is not 1
    op = _MADE.get(key)
    if op is None:
        for argument in arguments(OPS[head]):
            if argument.name in values:
                wrong = check_value(head, argument, values[argument.name])
                if wrong:
                    code, message, help = wrong
                    raise WrongArgument(code, message, argument.name, help)
            elif argument.required:
                raise WrongArgument(
                    "missing-argument",
                    f"`{head}` needs the argument `{argument.name}`",
                    argument.name,
                    f"`{argument.name}`: {argument.doc}",
                )
        if len(_MADE) >= MAX_REMEMBERED:
            _clear()
        op = _MADE[key] = OPS[head].make({word: _integral(value) for word, value in values.items()})
    return op


def infer(op: Op, shapes: tuple[Shape, ...]) -> Facts:
    """Output shape, weights and cost of an operator of `made` for these input shapes. Raises OpError."""
    key = (id(op), shapes)
    found = _FACTS.get(key)
    if found is None:
        shape, weights = op.shape(*shapes), op.weights(*shapes)
        params = sum([weight.size for weight in weights])
        fixed = sum([weight.size for weight in weights if not weight.trainable])
        if len(_FACTS) >= MAX_REMEMBERED:
            _FACTS.clear()
        found = _FACTS[key] = op, Facts(shape, weights, op.macs(*shapes), params, params - fixed)
    return found[1]


def _integral(value: Any) -> Any:
    """12.0 -> 12: JSON Schema accepts it as an integer, Keras does not."""
    if isinstance(value, tuple):
        return tuple(map(_integral, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


def changed(op: Op, **values: Any) -> Op:
    """The operator with some arguments replaced, for `infer`."""
    given = {argument.name: getattr(op, argument.name) for argument in arguments(type(op))}
    defaults = {argument.name: argument.default for argument in arguments(type(op))}
    given.update(values)
    return made(op.name, {name: value for name, value in given.items() if value != defaults[name]})


def at_size(graph: Graph, input_shape: Shape) -> Graph:
    """The same layers with another input size: every shape and cost is inferred again.

    Raises ArchspecError (shape) if a layer does not accept its new input shape.
    """
    one_input(graph, "another input size")
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
        nodes.append(node._replace(facts=facts.sharing() if node.shared else facts))
    return replace(graph, nodes=tuple(nodes))


def one_input(graph: Graph, what: str, *, help: str | None = None) -> None:
    """Raises ArchspecError (several-inputs) for a network with several inputs, which `what` is not made for."""
    if graph.input_count > 1:
        *names, last = (f"`{node.path}`" for node in graph.inputs)
        fact = f"the inputs of `{graph.name}` are {listed(names)} and {last}"
        raise fail("several-inputs", f"{what} needs a network with one input", notes=[fact], help=help)


class Given:
    """The values of a layer's arguments, and the operator with them once it is made."""

    __slots__ = ("op", "values")

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.op: Op | None = None

    @property
    def small(self) -> bool:
        """Whether it may be kept for later."""
        return are_small(self.values.values())


def are_small(values: Collection[Any]) -> bool:
    """Whether values are numbers, short strings and short lists of numbers, and so a short key."""
    return NUMBERS.issuperset(map(type, values)) or all(map(_is_small, values))


def _is_small(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) <= MAX_SHORT and NUMBERS.issuperset(map(type, value))
    return type(value) in NUMBERS or (isinstance(value, str) and len(value) <= MAX_SHORT)


class CallArguments(NamedTuple):
    """The arguments of a layer: fixed values, values with expressions, their places, the names that they read."""

    item: LayerSpec
    fixed: Given
    open: tuple[tuple[str, Node], ...]
    places: dict[str, Span]
    reads: tuple[str, ...]
    numbered: bool
    """Whether an expression reads `call` or `copy`."""
    patchable: bool
    """Whether it is an operator with an expression that reads `call`, and none that reads `copy`."""


def prepare(item: LayerSpec, first: bool, known: Sequence[str], error: Callable[..., ArchspecError]) -> CallArguments:
    """The arguments of a layer whose operator has the `known` ones; with those of `first` for the first copy.

    A bare value is the first argument. Raises ArchspecError (unknown-argument), only for an operator given by an
    expression; the others were checked when the spec was read.
    """
    head = item.head
    given: dict[str, tuple[ScalarNode | None, Node]] = {}
    if isinstance(item.value, MappingNode):
        given = {word: entry for word, entry in item.value.entries.items() if word not in item.branches}
    elif item.value is not None:
        if not known:
            raise error("unknown-argument", f"`{head}` takes no arguments", item.value.span)
        given = {known[0]: (None, item.value)}
    if first and item.first:
        given |= item.first.entries
    for word, (key, node) in given.items():
        if word not in known:
            help = did_you_mean(word, known) or (f"its arguments are: {listed(known)}" if known else None)
            at = key.span if key else node.span
            raise error("unknown-argument", f"`{head}` has no argument `{word}`", at, help=help)
    nodes = {word: node for word, (_, node) in given.items()}
    fixed = {word: freeze(plain(node)) for word, node in nodes.items() if _is_fixed(node)}
    open_ = tuple((word, node) for word, node in nodes.items() if word not in fixed)
    reads = tuple(sorted(set().union(*[used(node) for _, node in open_])))
    numbers = {"call", "copy"}.intersection(reads)
    places = {word: node.span for word, node in nodes.items()}
    return CallArguments(item, Given(fixed), open_, places, reads, bool(numbers), numbers == {"call"} and head in OPS)


def _is_fixed(node: Node) -> bool:
    """Whether a value has no expression, so it is the same in every copy; False for a mapping, which is an error."""
    if isinstance(node, SequenceNode):
        return all(map(_is_fixed, node.items))
    return isinstance(node, ScalarNode) and not is_expression(node.value)
