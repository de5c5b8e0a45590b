"""The graph under construction: operators, copies of nodes, padded shortcuts; their paths and the limits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Set
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import ArchspecError, Diagnostic, Span
from archspec.graph.compile.inference import WrongArgument, infer, made, remedy_of_name
from archspec.graph.ir import INPUT, Facts, Node
from archspec.ops import Op, OpError
from archspec.ops.base import Shape, show

if TYPE_CHECKING:
    from archspec.graph.compile.inference import CallArguments
    from archspec.graph.compile.parameters import Names
    from archspec.graph.compile.reuse import Mark, Patch, Run

MAX_LAYERS = 25_000
MAX_PARAMS = 10**12
MAX_OUTPUT = 10**12
MAX_PATH = 300
MAX_NESTING = 40
MAX_CALLS_SHOWN = 6


_node = partial(tuple.__new__, Node)  # half the time of Node(...)


class Budget:
    """The layers that all networks of a command may have together, which bounds its time; without limit by default.

    `who` are the networks, as the error for an exhausted budget calls them, and `help` is its remedy.
    """

    def __init__(self, layers: float = math.inf, who: str = "", help: str = "") -> None:
        self.layers = self.left = layers
        self.who, self.help = who, help

    def spend(self, layers: int) -> bool:
        """Whether as many layers were left."""
        self.left -= layers
        return self.left >= 0


class Scope:
    """A path prefix, and the names used under it with their places."""

    def __init__(self, prefix: str, given: dict[str, Span] | None = None) -> None:
        self.prefix = prefix
        self.given = given or {}
        self.counts: dict[str, int] = {}

    def inner(self, path: str) -> Scope:
        """The scope for the layers inside a path."""
        return Scope(f"{path}/")

    def claim(self, word: str, span: Span) -> str:
        """A new path under the prefix: `conv`, then `conv_2`, `conv_3`."""
        unique = word
        while unique in self.given:
            count = self.counts[word] = self.counts.get(word, 1) + 1
            unique = f"{word}_{count}"
        self.given[unique] = span
        return self.prefix + unique


class Expansion(NamedTuple):
    """The expansion of a layer: its path, inputs and output, and the ranges of its nodes and names."""

    path: str
    inputs: tuple[int, ...]
    output: int
    start: int
    stop: int
    named: int
    names_stop: int

    def copied(self, path: str, moved: Mapping[int, int], shift: int, renamed: int) -> Expansion:
        """That of a copy: `moved` has the new indices of nodes; nodes and names come so many places later."""
        inputs = tuple([moved[i] for i in self.inputs])
        nodes = (self.start + shift, self.stop + shift)
        return Expansion(path, inputs, moved[self.output], *nodes, self.named + renamed, self.names_stop + renamed)


_expansion = partial(tuple.__new__, Expansion)


class Builder:
    """The nodes so far, and the outputs that `from` can read, by path.

    `reads` are the paths that names were resolved to. `calls` are the calls of blocks that are being expanded; `times`
    says how often each block was called. `numbered` counts the values that depended on the number of a copy, a call or
    a variant; `patches` are the layers that a clone makes again with its own numbers of calls.
    `shares`: whether a layer may share the weights of an earlier one, for which expansions are remembered. `nesting`
    counts the lists of layers around the next one.
    """

    def __init__(
        self,
        inputs: Mapping[str, tuple[Shape, Span]],
        variant: str | None,
        budget: Budget,
        *,
        shares: bool,
        numbered: Set[str],
    ) -> None:
        self.variant, self.budget, self.shares, self.numbered_blocks = variant, budget, shares, numbered
        self.nodes: list[Node] = []
        self.outputs: dict[str, int] = {}
        self.paths: list[str] = []  # the keys of outputs in the order of their registration
        self.reads: list[str] = []
        self.expansions: dict[str, Expansion] = {}  # of the layers that consist of several nodes
        self.doubled: dict[str, tuple[CallArguments, Names, Scope]] = {}  # calls of blocks that read a layer twice
        self.calls: list[tuple[str, Span]] = []
        self.times: Counter[str] = Counter()
        self.log: list[tuple[str, int]] = []  # the calls that `times` counts, one after the other
        self.numbered = self.params = 0
        self.patches: list[Patch] = []
        self.nesting = 0
        self.depths: list[int] = []  # the values of `nesting` so far
        for name, (shape, span) in inputs.items():
            self._check_output(shape, span)
            self._append(Node(name, INPUT, (), Facts(shape, (), 0, 0, 0), span))
        self.input_count = len(inputs)

    def shape(self, index: int) -> Shape:
        return self.nodes[index].facts.shape

    def shapes(self, inputs: tuple[int, ...]) -> tuple[Shape, ...]:
        if len(inputs) == 1:  # most layers
            return (self.nodes[inputs[0]].facts.shape,)
        return tuple([self.nodes[i].facts.shape for i in inputs])

    def add(
        self,
        head: str,
        values: Mapping[str, Any],
        inputs: tuple[int, ...],
        path: str,
        span: Span,
        places: Mapping[str, Span] = {},
        residual: bool = False,
        project: bool = False,
    ) -> int:
        """Add an operator with these arguments; `places` are the places of their values. Raises ArchspecError.

        `residual`: it adds a shortcut, with the layers of `project` or none, and a body.
        """
        return self.apply(self.operator(head, values, span, places), inputs, path, span, places, residual, project)

    def operator(self, head: str, values: Mapping[str, Any], span: Span, places: Mapping[str, Span]) -> Op:
        """An operator with these arguments, for `apply`. Raises ArchspecError."""
        try:
            return made(head, values)
        except WrongArgument as wrong:
            at = span if wrong.code == "missing-argument" else places.get(wrong.argument, span)
            block = self.calls[-1][0] if self.calls else None
            help = remedy_of_name(at, values.get(wrong.argument), wrong.help, block)
            raise self.error(wrong.code, wrong.message, at, help=help) from None

    def apply(
        self,
        op: Op,
        inputs: tuple[int, ...],
        path: str,
        span: Span,
        places: Mapping[str, Span],
        residual: bool = False,
        project: bool = False,
    ) -> int:
        """Add an operator; the arguments are those of `add`."""
        if len(path) > MAX_PATH:
            raise self.error("too-deep", f"the path of this layer is longer than {MAX_PATH:,} characters", span)
        shapes = self.shapes(inputs)
        try:
            facts = infer(op, shapes)
        except OpError as error:
            nodes = [self.nodes[i] for i in inputs]
            only = 0 if self.input_count == 1 else None
            origins = ["the input of the network" if i == only else f"`{self.nodes[i].path}`" for i in inputs]
            notes = [
                f"the input is {show(node.shape)}, from {origin} (line {node.span.line})"
                for node, origin in zip(nodes, origins, strict=True)
            ]
            from archspec.graph.compile.unequal import remedy
            from archspec.lang.schema.channel_order import may_be_channels_first

            if may_be_channels_first(self.nodes[0].shape):
                first, *sides = self.nodes[0].shape
                notes.append(f"if the channels of the input are its first size, write `input: {[*sides, first]}`")
            at = places.get(error.arg or "", span)
            help = remedy(self.nodes, inputs, residual, project) if op.many and not error.arg else None
            raise self.error("shape", error.message, at, notes=tuple(notes), help=help or error.help) from None
        if facts.shape != shapes[0]:
            self._check_output(facts.shape, span)
        return self._append(_node((path, op, inputs, facts, span, None)))

    def called(self, block: str) -> int:
        """Count a call of a block; return its number, where an expression may read it."""
        if block not in self.numbered_blocks:
            return 0
        self._count_calls(block, 1)
        return self.times[block]

    def called_again(self, run: Run, copies: int = 1) -> None:
        """Count the calls of blocks in copies of a run."""
        for name, count in run.calls.items():
            self._count_calls(name, count * copies)

    def _count_calls(self, block: str, count: int) -> None:
        self.times[block] += count
        self.log.append((block, count))

    def clone(self, run: Run, path: str, inputs: tuple[int, ...]) -> int:
        """Copy the nodes of a run to a new path and other inputs; return the new output."""
        source, whole = run.source, run.expansion
        start, cut = whole.start, len(whole.path)
        copied, names = source.nodes[start : whole.stop], source.paths_of(whole)
        if copied:
            self._count(run.params, copied[-1].span, len(copied))
        self.called_again(run)
        shift, later = len(self.nodes) - start, len(self.paths) - whole.named
        moved = dict(zip(whole.inputs, inputs, strict=True))
        moved.update(zip(range(start, whole.stop), range(start + shift, whole.stop + shift), strict=True))
        new = {name: path + name[cut:] for name in names}
        self.nodes += [
            _node((new[name], op, tuple([moved[i] for i in read]), facts, span, shared and path + shared[cut:]))
            for name, op, read, facts, span, shared in copied
        ]
        for name in names if source.expansions else ():
            if expansion := source.expansions.get(name):
                self.expansions[new[name]] = expansion.copied(new[name], moved, shift, later)
        self.outputs.update(zip(new.values(), [moved[source.outputs[name]] for name in names], strict=True))
        self.paths += new.values()
        return moved[whole.output]

    def paths_of(self, expansion: Expansion) -> list[str]:
        """The paths of the outputs in an expansion."""
        return self.paths[expansion.named : expansion.names_stop]

    def register(self, path: str, index: int) -> None:
        """Make an output available to `from` under a path."""
        if path not in self.outputs:
            self.paths.append(path)
        self.outputs[path] = index

    def since(self, mark: Mark, path: str, inputs: tuple[int, ...], output: int) -> Expansion:
        """What was expanded under a path since the mark."""
        return _expansion((path, inputs, output, mark.start, len(self.nodes), mark.named, len(self.paths)))

    def enclose(self, mark: Mark, path: str, inputs: tuple[int, ...], output: int) -> None:
        """Remember what was expanded under a path since the mark, if `share` may name it."""
        if self.shares:
            self.expansions[path] = self.since(mark, path, inputs, output)

    def find(self, name: str, prefix: str) -> int | None:
        """The output with a name: looked up in the block of the prefix, then in each enclosing one."""
        while True:
            index = self.outputs.get(prefix + name)
            if index is not None:
                self.reads.append(prefix + name)
                return index
            if not prefix:
                return None
            prefix = prefix[:-1].rpartition("/")[0]
            prefix += "/" if prefix else ""

    def spend(self, layers: int, span: Span) -> None:
        """Raises ArchspecError (too-many-layers) when the budget is used up."""
        if not self.budget.spend(layers):
            raise self.error(
                "too-many-layers",
                f"{self.budget.who} expand to more than {self.budget.layers:,} layers together",
                span,
                help=self.budget.help,
            )

    def check_count(self, count: int, span: Span) -> None:
        """Raises ArchspecError (too-many-layers) for more than MAX_LAYERS nodes, the input not counted."""
        if count > MAX_LAYERS:
            raise self.error(
                "too-many-layers",
                f"this spec expands to more than {MAX_LAYERS:,} layers",
                span,
                help=self.too_large(),
            )

    def calls_itself(self) -> str | None:
        """The remedy inside a block that calls itself."""
        names = [name for name, _ in self.calls]
        again = next((name for name in names if names.count(name) > 1), None)
        return f"the block `{again}` calls itself: the `when` of the call must become false earlier" if again else None

    def too_large(self) -> str:
        """The remedy for too many layers."""
        return self.calls_itself() or "check the values of `repeat`, and how often blocks are called"

    def error(
        self, code: str, message: str, span: Span, *, notes: tuple[str, ...] = (), help: str | None = None
    ) -> ArchspecError:
        """The error, with the enclosing block calls (innermost first) and the variant as notes."""
        inside = [f"in block `{name}`, used on line {at.line}" for name, at in reversed(self.calls)]
        if len(inside) > MAX_CALLS_SHOWN:
            inside[MAX_CALLS_SHOWN - 1 : -1] = [f"... {len(inside) - MAX_CALLS_SHOWN} more blocks"]
        variant = (f"in variant `{self.variant}`",) if self.variant else ()
        return ArchspecError(Diagnostic(code, message, span, (*notes, *inside, *variant), help))

    def _append(self, node: Node) -> int:
        self._count(node.facts.params, node.span)
        index = len(self.nodes)
        self.register(node.path, index)
        self.nodes.append(node)
        return index

    def _count(self, params: int, span: Span, layers: int = 1) -> None:
        """Count layers, with the input. Raises ArchspecError: too-many-layers, too-many-parameters."""
        self.check_count(len(self.nodes) + layers - 1, span)
        self.spend(layers, span)
        self.params += params
        if self.params >= MAX_PARAMS:
            raise self.error(
                "too-many-parameters",
                "this network has 10^12 parameters or more, which is over the limit",
                span,
                help="check for a size that is larger than intended",
            )

    def _check_output(self, shape: Shape, span: Span) -> None:
        if math.prod(filter(None, shape)) > MAX_OUTPUT:
            raise self.error(
                "output-too-large",
                f"the output of this layer has more than 10^12 values: its shape is {show(shape)}",
                span,
                help="check for a size that is larger than intended",
            )
