"""Expansions that are cloned instead of expanded again: copies of a layer, and calls of a block that are alike.

Calls are alike if they have the same arguments and input shapes; they are found in all variants of a spec.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from archspec.graph.compile.builder import Builder, Expansion, Mark
from archspec.graph.compile.inference import CallArguments
from archspec.lang.spec.layer_spec import LayerSpec
from archspec.lang.spec.names import all_layers, used
from archspec.lang.spec.spec import Spec
from archspec.ops import Op
from archspec.plugins import CACHES

MAX_KEPT = 20_000  # nodes of the networks whose runs are kept


class Run(NamedTuple):
    """An expansion that can be cloned, and the blocks that were called in it."""

    source: Builder
    expansion: Expansion
    blocks: list[str]


def since(mark: Mark, builder: Builder, path: str, inputs: tuple[int, ...], output: int) -> Run | None:
    """What was expanded under a path since the mark; None if it depends on more than arguments and input shapes."""
    if builder.numbered != mark.numbered or len(set(inputs)) < len(inputs):
        return None
    inside = f"{path}/"
    for name in builder.reads[mark.reads :]:
        if builder.outputs[name] < mark.start and not name.startswith(inside):
            return None
    return Run(builder, builder.since(mark, path, inputs, output), builder.blocks[mark.blocks :])


class Reuse:
    """What the variants of one spec share: the arguments of its layers as written, and the runs of its blocks."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        # by the identity of a layer, which the spec keeps alive
        self.calls: dict[tuple[int, bool], CallArguments] = {}
        self.ops: dict[int, Op] = {}  # of calls without expressions, by the identity of the call
        self.chosen: dict[tuple[int, str], LayerSpec] = {}  # with the operators that their expressions named
        self.runs: dict[Hashable, Run] = {}
        self.sizes: dict[int, int] = {}  # of the networks of the runs, by identity, which the runs keep alive
        self.kept = 0  # nodes, the sum of the sizes
        lists = [spec.layers, *(block.layers for block in spec.blocks.values())]
        self.shares = any(item.share for layers in lists for item in all_layers(layers))
        self.names = sorted(used(spec.document.get("blocks")))
        """The names in expressions of blocks, among them the parameters on which their layers depend."""

    def visible(self, params: Mapping[str, Any]) -> str:
        """The parameters that blocks read, as a part of a key."""
        return repr([params.get(name) for name in self.names])

    def keep(self, key: Hashable, run: Run) -> None:
        """Keep the run of a block for later calls, unless that keeps too many nodes in memory."""
        network, size = id(run.source), run.expansion.stop
        kept = self.kept - self.sizes.get(network, 0) + size
        if kept <= MAX_KEPT:
            self.runs[key], self.sizes[network], self.kept = run, size, kept


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
