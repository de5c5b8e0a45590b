"""Expansions that are cloned instead of expanded again: copies of a layer, and calls of a block that are alike.

Calls are alike if they have the same arguments and input shapes; they are found in all variants of a spec. An operator
whose arguments read `call`, such as a rate of stochastic depth, is made again in each clone, with its own number; where
that changes its shape, weights, cost or window, the call is expanded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Set
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import ArchspecError
from archspec.graph.compile.builder import MAX_NESTING, MAX_PARAMS, MAX_PATH, Builder, Expansion
from archspec.graph.compile.inference import CallArguments, Given, WrongArgument, infer, made
from archspec.graph.compile.parameters import Names
from archspec.lang.document.nodes import MappingNode
from archspec.lang.expressions import is_expression
from archspec.lang.spec.layer_spec import LayerSpec
from archspec.lang.spec.names import all_layers, used
from archspec.lang.spec.spec import Spec
from archspec.ops import Op, OpError
from archspec.plugins import CACHES

if TYPE_CHECKING:
    from archspec.graph.compile.compiler import Compiler

MAX_KEPT = 20_000  # nodes of the networks whose runs are kept


class Patch(NamedTuple):
    """A layer whose arguments read `call`: its node, its arguments with the names that they read, and its block."""

    node: int
    arguments: CallArguments
    names: Names
    block: str


class Run(NamedTuple):
    """An expansion that can be cloned, and the number of its parameters."""

    source: Builder
    expansion: Expansion
    params: int
    patches: list[Patch]
    before: Mapping[str, int]
    """How often the blocks of the patches had been called before it."""
    calls: Mapping[str, int]
    """How often the blocks that read the number of their calls were called in it."""
    depth: int
    """Lists of layers inside each other."""


class Mark(NamedTuple):
    """How much there was before an expansion: the lengths of the lists of `Builder`, and its counts."""

    start: int
    named: int
    reads: int
    numbered: int
    patches: int
    params: int
    calls: int
    depths: int


NONE: Counter[str] = Counter()
_mark = partial(tuple.__new__, Mark)
_run = partial(tuple.__new__, Run)  # half the time of Run(...)


def mark_of(builder: Builder) -> Mark:
    """How much there is now, before an expansion that may be cloned."""
    counts = (len(builder.nodes), len(builder.paths), len(builder.reads), builder.numbered)
    more = (len(builder.patches), builder.params, len(builder.log), len(builder.depths))
    return _mark((*counts, *more))


def since(mark: Mark, builder: Builder, path: str, inputs: tuple[int, ...], output: int) -> Run | None:
    """What was expanded under a path since the mark; None if it depends on more than arguments and input shapes."""
    if builder.numbered != mark.numbered or len(set(inputs)) < len(inputs):
        return None
    inside = f"{path}/"
    for name in builder.reads[mark.reads :]:
        if builder.outputs[name] < mark.start and not name.startswith(inside):
            return None
    expansion = builder.since(mark, path, inputs, output)
    patches, calls = builder.patches[mark.patches :], NONE
    if len(builder.log) > mark.calls:
        calls = Counter()
        for name, count in builder.log[mark.calls :]:
            calls[name] += count
    before = {each.block: builder.times[each.block] - calls[each.block] for each in patches} if patches else NONE
    depth = max(builder.depths[mark.depths :], default=builder.nesting) - builder.nesting
    return _run((builder, expansion, builder.params - mark.params, patches, before, calls, depth))


def clone(compiler: Compiler, run: Run, path: str, inputs: tuple[int, ...]) -> int | None:
    """Copy a run to a new path and other inputs; return its output, or None if it must be expanded."""
    builder, shift = compiler.builder, len(compiler.builder.nodes) - run.expansion.start
    patches: list[tuple[Patch, Op]] = []
    if not all(compiler.reuse.patches(patch.arguments) for patch in run.patches):
        return None
    # the expansion says at which layer
    if builder.params + run.params >= MAX_PARAMS or builder.nesting + run.depth > MAX_NESTING:
        return None
    longer = len(path) - len(run.expansion.path)
    if longer > 0 and longer + max(map(len, run.source.paths_of(run.expansion)), default=0) > MAX_PATH:
        return None
    for patch in run.patches:
        found = _renumbered(compiler, run, patch)
        if found is None:
            compiler.reuse.changing.add(id(patch.arguments))
            return None
        patches.append(found)
    output = builder.clone(run, path, inputs)
    builder.depths.append(builder.nesting + run.depth)
    for patch, op in patches:
        index = patch.node + shift
        builder.nodes[index] = builder.nodes[index]._replace(op=op)
        builder.patches.append(patch._replace(node=index))
    return output


def _renumbered(compiler: Compiler, run: Run, patch: Patch) -> tuple[Patch, Op] | None:
    """A layer of a run and its operator with the number of the call in a clone; None if other layers would see that."""
    node, call = run.source.nodes[patch.node], patch.arguments
    number = patch.names["call"] - run.before[patch.block]
    if number < 1:  # of a call around the run: the same for each copy
        return patch, node.op
    names = {**patch.names, "call": number + compiler.builder.times[patch.block]}
    shapes = run.source.shapes(node.inputs)
    try:
        given = compiler.given(call, names)
        op = given.op = given.op or made(call.item.head, given.values)
        same = op is node.op or (infer(op, shapes), op.view(*shapes)) == (node.facts, node.op.view(*shapes))
    except (ArchspecError, WrongArgument, OpError):  # the expansion says why
        return None
    return (patch._replace(names=names), op) if same else None


class Reuse:
    """What the variants of one spec share: the arguments of its layers as written, and the runs of its blocks."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        # by the identity of a layer, which the spec keeps alive
        self.calls: dict[tuple[int, bool], CallArguments] = {}
        self.given: dict[tuple[int, str], Given] = {}  # by the call and the values of the names that it reads
        self.chosen: dict[tuple[int, str], LayerSpec] = {}  # with the operators that their expressions named
        self.runs: dict[Hashable, Run] = {}
        self.changing: set[int] = set()  # calls that no clone can patch, by identity
        self.sizes: dict[int, int] = {}  # of the networks of the runs, by identity, which the runs keep alive
        self.kept = 0  # nodes, the sum of the sizes
        lists = [spec.layers, *(block.layers for block in spec.blocks.values())]
        self.shares = any(item.share for layers in lists for item in all_layers(layers))
        blocks = spec.document.get("blocks")
        names = {block: used(node) for block, node in blocks} if isinstance(blocks, MappingNode) else {}
        self.names = _names_in_blocks(spec, names)
        self.numbered = {block for block, own in names.items() if "call" in own}

    def visible(self, params: Mapping[str, Any]) -> dict[str, str]:
        """Block -> the values of the parameters that its layers depend on, as a part of a key."""
        values = {name: repr(value) for name, value in params.items()}
        return {block: ",".join([values.get(name, "") for name in names]) for block, names in self.names.items()}

    def patches(self, call: CallArguments) -> bool:
        """Whether clones make an operator again that reads the number of a call, so that they need no expansion."""
        return call.patchable and not self.shares and id(call) not in self.changing

    def keep(self, key: Hashable, run: Run) -> None:
        """Keep the run of a block for later calls, unless that keeps too many nodes in memory."""
        network, size = id(run.source), run.expansion.stop
        kept = self.kept - self.sizes.get(network, 0) + size
        if kept <= MAX_KEPT:
            self.runs[key], self.sizes[network], self.kept = run, size, kept


def _names_in_blocks(spec: Spec, names: Mapping[str, Set[str]]) -> dict[str, list[str]]:
    """Block -> the names in its expressions, which are given, and in those of the blocks that it may call."""
    heads = {name: {item.head for item in all_layers(block.layers)} for name, block in spec.blocks.items()}
    found: dict[str, list[str]] = {}
    for block in spec.blocks:
        called, more = set(), {block}
        while more:
            called |= more
            inside = set().union(*[heads[each] for each in more])
            any_ = any(is_expression(head) for head in inside)
            more = (spec.blocks.keys() if any_ else inside & spec.blocks.keys()) - called
        found[block] = sorted(set().union(*[names[each] for each in called]))
    return found


_latest: Reuse | None = None


def reuse_of(spec: Spec) -> Reuse:
    """What is shared by the variants of a spec; that of one spec is kept at a time."""
    global _latest
    if _latest is None or _latest.spec is not spec:
        _latest = Reuse(spec)
    return _latest


def _clear() -> None:
    global _latest
    _latest = None


CACHES.append(_clear)
