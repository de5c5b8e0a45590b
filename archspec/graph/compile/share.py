"""`share`: a layer or block call that uses the weights of an earlier one, as the two towers of a siamese network do.

Each of its layers is paired with the layer at the same place of the earlier call. Both have the same operator, the same
arguments and weights of the same shapes, which belong to the earlier one and are counted there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.declare import arguments
from archspec.diagnostics import ArchspecError, Span
from archspec.graph.compile.blocks import call_block
from archspec.graph.compile.builder import Builder, Expansion
from archspec.graph.compile.inference import infer
from archspec.graph.ir import Node
from archspec.lang.document.nodes import ScalarNode
from archspec.ops.base import show

if TYPE_CHECKING:
    from archspec.graph.compile.compiler import Compiler


def shared_with(builder: Builder, share: ScalarNode, prefix: str) -> Expansion | None:
    """The earlier layer or call that `share` names; None if there is none.

    Raises ArchspecError (share) for a layer without weights.
    """
    if builder.find(share.text, prefix) is None:
        return None
    path = builder.reads[-1]
    expansion = builder.expansions.get(path)
    if expansion is None or expansion.start == expansion.stop:  # an operator, or another name of a layer
        index = builder.outputs[path]
        node = builder.nodes[index]
        expansion = Expansion(node.path, node.inputs, index, index, index + 1, 0, 0)
    if not any(node.facts.weights or node.shared for node in builder.nodes[expansion.start : expansion.stop]):
        raise builder.error("share", f"`{share.text}` has no weights to share", share.span, help="remove `share`")
    return expansion


def call_again(compiler: Compiler, source: Expansion, inputs: tuple[int, ...], path: str, share: ScalarNode) -> int:
    """Add the layers of an earlier call under another path and with other inputs; return the output.

    Where the earlier call reads one layer twice, its layers do not tell which input they read: its block is expanded.
    """
    builder = compiler.builder
    if doubled := builder.doubled.get(source.path):
        builder.doubled[path] = doubled
    if _moves_apart(source.inputs, inputs):
        if builder.nodes[source.start].path == source.path:  # an operator
            return builder.apply(builder.nodes[source.start].op, inputs, path, share.span, {})
        if doubled is None:
            fact = f"`{share.text}` reads one layer several times, so `share` alone cannot call it with other inputs"
            copies = f"{source.path}/1" in builder.doubled
            help = f"share one copy, `{share.text}/1`" if copies else "write the block and its arguments beside `share`"
            raise builder.error("share", fact, share.span, help=help)
        call, names, scope = doubled
        compiler.sharing += 1
        output = call_block(compiler, call, inputs, names, scope, path)
        compiler.sharing -= 1
        return output
    start, cut = len(builder.nodes), len(source.path)
    moved = dict(zip(source.inputs, inputs, strict=True))
    for index in range(source.start, source.stop):
        node = builder.nodes[index]
        read = tuple([moved.get(i, i) for i in node.inputs])
        moved[index] = builder.apply(node.op, read, path + node.path[cut:], share.span, {})
    for name in builder.paths[source.named : source.names_stop]:
        builder.register(path + name[cut:], moved.get(builder.outputs[name], builder.outputs[name]))
    assert len(builder.nodes) - start == source.stop - source.start
    return moved.get(source.output, source.output)


def _moves_apart(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Whether one layer that is read twice becomes two layers."""
    return len({*zip(old, new, strict=True)}) > len({*old})


def tie(builder: Builder, source: Expansion, start: int, share: ScalarNode) -> None:
    """Let the nodes from `start` on use the weights of the nodes of an earlier call. Raises ArchspecError (share)."""
    stop = len(builder.nodes)
    if stop - start != source.stop - source.start:
        here, there = stop - start, source.stop - source.start
        raise builder.error(
            "share",
            f"this call has {here} layer{'s' * (here != 1)}, but `{share.text}`, whose weights it shares, has {there}",
            share.span,
            help="give both the same arguments, or leave the operator out: `share` alone calls the same layers again",
        )
    for index, other in zip(range(start, stop), range(source.start, source.stop), strict=True):
        node, owner = builder.nodes[index], builder.nodes[other]
        _check_equal(builder, node, owner, share.span)
        path = owner.shared or owner.path
        if node.facts.weights:
            needed, found = node.facts.weights, builder.nodes[builder.outputs[path]].facts.weights
            if needed != found:
                need, has = next(pair for pair in zip(needed, found, strict=True) if pair[0] != pair[1])
                fact = f"the {need.name} of `{path}` is {show(has.shape)}, but `{node.path}`, which shares it, needs"
                fact += f" {show(need.shape)}"
                entering = [builder.nodes[each].shape[-1:] for found in (node, owner) for each in found.inputs[:1]]
                same = "number of channels" if len(set(entering)) > 1 else "shape"
                raise builder.error("share", fact, share.span, help=f"give both inputs the same {same}")
            builder.nodes[index] = node._replace(shared=path, facts=node.facts.sharing())
            builder.params -= node.facts.params


def _check_equal(builder: Builder, node: Node, owner: Node, span: Span) -> None:
    if node.op == owner.op:
        return
    raise _unequal(builder, node, owner, span)


def _unequal(builder: Builder, node: Node, owner: Node, span: Span) -> ArchspecError:
    if type(node.op) is not type(owner.op):
        fact = f"`{node.path}` is `{node.op.name}`, but `{owner.path}`, whose weights it shares, is `{owner.op.name}`"
    else:
        words = [each.name for each in arguments(type(node.op))]
        word = next(word for word in words if getattr(node.op, word) != getattr(owner.op, word))
        here, there = (getattr(each.op, word) for each in (node, owner))
        fact = f"`{word}` is {here} in `{node.path}`, but {there} in `{owner.path}`, whose weights it shares"
    return builder.error("share", fact, span, help="give both the same operators and arguments")


def owned(node: Node, shapes: tuple[tuple[int | None, ...], ...]) -> Node:
    """The layer with the weights and the path of the layer that it shares them with, which a rewrite leaves out."""
    return node._replace(path=node.shared or node.path, shared=None, facts=infer(node.op, shapes))
