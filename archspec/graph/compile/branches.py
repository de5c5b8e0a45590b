"""The branches of a merge, some of them in copies or left out, and the parts into which a layer is split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.diagnostics import counted, short
from archspec.graph.compile.builder import Scope
from archspec.graph.compile.parameters import Names
from archspec.lang.document.nodes import MappingNode
from archspec.lang.spec.layer_spec import LayerSpec
from archspec.ops.base import show

if TYPE_CHECKING:
    from archspec.graph.compile.compiler import Compiler

OF_ONE = ("concat", "add", "multiply", "average", "maximum", "minimum")
"""Merges that return a single input as it is, where all other branches are left out."""


def branches(
    compiler: Compiler, item: LayerSpec, inputs: tuple[int, ...], names: Names, scope: Scope, path: str
) -> tuple[int, ...]:
    """The outputs of the branches of a merge, in order; those of copies one after the other."""
    found: list[int] = []
    for branch, layers in item.branches.items():
        copies = item.copies.get(branch)
        if copies and copies.when is not None and not compiler.values.truth(copies.when, names):
            continue
        if copies is None or copies.repeat is None:
            found.append(compiler.layers(layers, inputs[:1], names, scope.inner(f"{path}/{branch}")))
            continue
        for number in range(1, compiler.values.count(copies.repeat, names) + 1):
            compiler.step(item)
            inner = scope.inner(f"{path}/{branch}/{number}")
            found.append(compiler.layers(layers, inputs[:1], {**names, "copy": number}, inner))
    if not found:
        raise compiler.builder.error(
            "one-input", f"every branch of this `{item.head}` is left out", item.span, help="keep one of them"
        )
    return tuple(found)


def parts(compiler: Compiler, item: LayerSpec, x: int, names: Names, path: str) -> int:
    """Split the channels of a layer into consecutive parts, each a `slice`; return the first."""
    builder = compiler.builder
    assert isinstance(item.value, MappingNode)
    shape = builder.shape(x)
    channels = shape[-1] if shape else None
    if channels is None:
        raise builder.error("shape", f"`parts` needs a known number of channels, but got {show(shape)}", item.span)
    sizes: dict[str, int | None] = {}
    for name, node in item.value:
        size = compiler.values.of(node, names)
        whole = isinstance(size, int) and not isinstance(size, bool) and size > 0
        if not whole and size is not None:
            fact = f"the size of `{name}` must be a positive integer, but is `{short(size)}`"
            raise builder.error("wrong-value", fact, node.span)
        sizes[name] = size
    rests = [name for name, size in sizes.items() if size is None]
    rest = channels - sum(size or 0 for size in sizes.values())
    if len(rests) > 1:
        raise builder.error(
            "wrong-value", f"only one part can be the rest, but {counted(len(rests), 'part')} are `~`", item.span
        )
    if (rest < 1) if rests else rest:
        fact = f"the parts have {channels - rest:,} channels together, but the input has {channels:,}"
        help = "write `~` for one of them" if rest > 0 else "make them smaller"
        if rests and rest == 0:
            fact = f"the other parts have all {channels:,} channels of the input: nothing is left for `{rests[0]}`"
            help = f"make them smaller, or remove `{rests[0]}`"
        raise builder.error("shape", fact, item.span, help=help)
    start, found = 0, []
    for name, size in sizes.items():
        stop = start + (rest if size is None else size)
        found.append(builder.add("slice", {"start": start, "end": stop}, (x,), f"{path}/{name}", item.span))
        start = stop
    return found[0]
