"""Calls of blocks: expanded with their arguments, or cloned from an earlier call that is like it."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from archspec.diagnostics import did_you_mean, listed
from archspec.graph.compile.builder import Scope
from archspec.graph.compile.inference import CallArguments
from archspec.graph.compile.parameters import Names
from archspec.graph.compile.reuse import clone, mark_of, since
from archspec.lang.document.nodes import MappingNode, ScalarNode
from archspec.lang.spec.layer_spec import BlockSpec, LayerSpec

if TYPE_CHECKING:
    from archspec.graph.compile.compiler import Compiler, Flow


def call_block(compiler: Compiler, call: CallArguments, inputs: Flow, names: Names, scope: Scope, path: str) -> int:
    """Expand a call of a block, or clone an earlier one that is like it."""
    item, builder, block = call.item, compiler.builder, compiler.spec.blocks[call.item.head]
    if builder.shares and len(set(inputs)) < len(inputs):
        builder.doubled[path] = call, names, scope
    values = compiler.given(call, names).values
    key = (block.name, bool(item.name), repr(values), builder.shapes(inputs), compiler.visible[block.name])
    run = compiler.reuse.runs.get(key) if compiler.clones else None
    cloned = clone(compiler, run, path, inputs) if run else None
    if cloned is not None:
        return cloned
    mark = mark_of(builder)
    for name, index in zip(block.inputs, inputs, strict=False):
        builder.register(f"{path}/{name}", index)
    # the path has the name, then the block: conv3_x/2/bottleneck
    inside = f"{path}/{item.head}" if item.name else path
    x = _block(compiler, block, item, values, inputs, scope.inner(inside))
    for output in block.outputs:
        returned = builder.outputs.get(f"{inside}/{output.text}")
        if returned is not None:  # `when` has not left it out
            builder.register(f"{path}/{output.text}", returned)
    run = since(mark, builder, path, inputs, x)
    if run and not compiler.sharing:  # the weights of these layers will belong to others
        compiler.reuse.keep(key, run)
    return x


def _block(compiler: Compiler, block: BlockSpec, item: LayerSpec, values: Names, inputs: Flow, scope: Scope) -> int:
    calls = compiler.builder.calls
    inner = compiler.with_shape(compiler.params, inputs[0])
    inner["call"] = compiler.builder.called(block.name)
    calls.append((block.name, item.span))
    for parameter in block.parameters:
        if parameter.name in values:
            inner[parameter.name] = values[parameter.name]
        elif parameter.default is not None:
            inner[parameter.name] = compiler.values.of(parameter.default, inner)
        else:
            raise compiler.builder.error(
                "missing-argument", f"the block `{block.name}` needs the argument `{parameter.name}`", item.span
            )
    given = (block.name, repr([inner[each.name] for each in block.parameters]))
    if given in compiler.inside:
        calls.pop()
        cycle = " -> ".join([name for name, _ in [*calls, (block.name, item.span)]])
        help = "it may call itself with other arguments, until `when` leaves the call out" if block.parameters else None
        raise compiler.builder.error(
            "block-cycle", f"the block `{block.name}` contains itself: {cycle}", item.span, help=help
        )
    compiler.inside.append(given)
    x = compiler.layers(block.layers, inputs, inner, scope)
    compiler.inside.pop()
    output = _output(compiler, block, scope) if block.outputs else x
    calls.pop()
    return output


def returned(compiler: Compiler, item: LayerSpec, path: str, x: int) -> Flow:
    """The outputs of a layer at a path, the main one first."""
    block = compiler.spec.blocks.get(item.head)
    if item.head == "parts" and isinstance(item.value, MappingNode):
        names = list(item.value.entries)
    elif block and block.outputs:
        names = [name.text for name in block.outputs]
    else:
        return (x,)
    found = [compiler.builder.outputs.get(f"{path}/{name}") for name in names]
    return tuple([index for index in found if index is not None]) or (x,)


def _output(compiler: Compiler, block: BlockSpec, scope: Scope) -> int:
    """The first of the outputs that a block names and `when` does not leave out."""
    left_out = {item.name.text for item in block.layers if item.when is not None and item.name}
    found = [_resolve_inside(compiler, name, scope, block, left_out) for name in block.outputs]
    kept = [index for index in found if index is not None]
    if not kept:
        fact = f"every output of the block `{block.name}` is left out"
        raise compiler.builder.error("unknown-layer", fact, block.outputs[0].span, help="keep one of them")
    return kept[0]


def _resolve_inside(
    compiler: Compiler, name: ScalarNode, scope: Scope, block: BlockSpec, left_out: Set[str]
) -> int | None:
    """The layer of a block that `outputs` names; None if `when` leaves it out."""
    index = compiler.builder.outputs.get(scope.prefix + name.text)
    if index is None and name.text not in left_out:
        inside = [path.removeprefix(scope.prefix) for path in compiler.builder.outputs if path.startswith(scope.prefix)]
        fact = f"the block `{block.name}` has no layer `{name.text}`"
        named = [each for each in inside if "/" not in each]
        help = did_you_mean(name.text, inside) or (f"its layers are: {listed(named)}" if named else None)
        raise compiler.builder.error("unknown-layer", fact, name.span, help=help)
    return index
