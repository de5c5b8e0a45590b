"""Write a draft as the text of a spec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archspec.declare import arguments, thaw
from archspec.graph.decompile.draft import FREE, LayerDraft, walk
from archspec.graph.ir import AGAIN, Graph, unused_name
from archspec.lang.document.yaml_writer import WIDTH, flow
from archspec.lang.document.yaml_writer import block as lines_of
from archspec.ops import OPS
from archspec.ops.base import Shape

SIZES = ("filters", "units", "channels")
"""Arguments that are numbers of channels."""
PLAIN = ("rate", "target_shape", "num_heads", "output_size", "bins", "indices", "dims")
"""Other arguments that are clear as a bare value."""
COLUMN = 76
"""Where comments start."""


@dataclass(frozen=True)
class ArgumentDraft:
    """An argument of a block; without a default every call gives it."""

    name: str
    default: Any = FREE


@dataclass
class BlockDraft:
    """A named list of layers."""

    name: str
    parameters: list[ArgumentDraft]
    items: list[LayerDraft] = field(default_factory=list)
    inputs: tuple[str, ...] = ()
    """The names of its inputs, if it has several."""


@dataclass
class SpecDraft:
    """A spec before it is written as text."""

    name: str
    source: str
    graph: Graph
    blocks: list[BlockDraft]
    items: list[LayerDraft]
    params: dict[str, Any] = field(default_factory=dict)


def written(spec: SpecDraft) -> str:
    """The text, with the output shape as a comment after each top-level layer."""
    names = _labels(spec)
    blocks = {block.name: block for block in spec.blocks}
    head: dict[str, Any] = {"name": spec.name, "input": list(spec.graph.input_shape)}
    if spec.graph.input_count > 1:
        del head["input"]
        head["inputs"] = {names[index]: list(node.shape) for index, node in enumerate(spec.graph.inputs)}
    lines = [*(f"# {line}" for line in spec.source.split("\n")), *lines_of(head, 0)]
    if spec.params:
        lines.append(f"params: {flow(spec.params)}")
    if spec.blocks:
        lines += ["", "blocks:"]
        for block in spec.blocks:
            lines += lines_of({block.name: _definition(block, blocks, names)}, 2)
    lines += ["", "layers:"]
    before: Shape = spec.graph.input_shape
    for item in spec.items:
        lines += _with_comment(list(lines_of([_value(item, blocks, names)], 2)), item, before)
        before = item.shape
    if spec.graph.declares_outputs:
        lines += ["", *lines_of({"outputs": _outputs(spec.graph, names)}, 0)]
    return "\n".join(lines) + "\n"


def _outputs(graph: Graph, names: Mapping[int, str]) -> dict[str, Any]:
    """`{LAYER: weight}`, or by name `{NAME: LAYER}` and `{NAME: {from: LAYER, weight: 0.3}}`."""
    layers = [names[node] for node in graph.outputs]
    if not graph.output_names:
        return dict(zip(layers, graph.loss_weights, strict=True))
    return {
        name: layer if weight == 1 else {"from": layer, "weight": weight}
        for name, layer, weight in zip(graph.output_names, layers, graph.loss_weights, strict=True)
    }


def _with_comment(lines: list[str], item: LayerDraft, before: Shape) -> Iterator[str]:
    """The first line with the shape after it, where that is another one."""
    sizes = " x ".join("?" if size is None else str(size) for size in item.shape)
    padded = lines[0].ljust(COLUMN)
    fits = item.shape != before and len(padded) + len(sizes) + 4 <= WIDTH
    yield f"{padded}  # {sizes}" if fits else lines[0]
    yield from lines[1:]


def _definition(block: BlockDraft, blocks: Mapping[str, BlockDraft], names: Mapping[int, str]) -> dict[str, Any]:
    args = [each.name if each.default is FREE else {each.name: each.default} for each in block.parameters]
    layers = [_value(item, blocks, names) for item in block.items]
    inputs = {"inputs": list(block.inputs)} if block.inputs else {}
    return inputs | ({"args": args} if args else {}) | {"layers": layers}


def _value(item: LayerDraft, blocks: Mapping[str, BlockDraft], names: Mapping[int, str]) -> dict[str, Any]:
    """The layer as YAML values."""
    name = names[item.node] if item.labelled else item.name
    value: dict[str, Any] = {"name": name} if name else {}
    if item.head:
        value[item.head] = _argument(item, blocks, names)
    if item.origin:
        read = [node if isinstance(node, str) else names[node] for node in item.origin]
        value["from"] = read[0] if len(read) == 1 else read
    if item.share not in (-1, item.node):
        value["share"] = names[item.share]
    if item.count > 1:
        value["repeat"] = item.count
    if item.first:
        value["first"] = item.first
    return value


def _argument(item: LayerDraft, blocks: Mapping[str, BlockDraft], names: Mapping[int, str]) -> Any:
    """The value after the operator."""
    given = _given(item, blocks)
    if item.head == "residual":
        return {
            word: [_value(each, blocks, names) for each in branch]
            for word, branch in zip(("body", "project"), item.branches, strict=False)
        } | given
    if item.branches:
        words = _branch_names(item)
        inner = [[_value(each, blocks, names) for each in branch] for branch in item.branches]
        return given | dict(zip(words, inner, strict=True))
    if not given:
        return None
    ((word, value), *others) = given.items()
    first = _signature(item.head, blocks)[0][0]
    bare = word == first and not others and not isinstance(value, dict)
    # the meaning of the number is clear in `conv: 64` and `dropout: 0.5`, but not in `bn: 0.9`
    return value if bare and word in (*SIZES, *PLAIN) else given


def _given(item: LayerDraft, blocks: Mapping[str, BlockDraft]) -> dict[str, Any]:
    """The arguments that are not the default ones."""
    defaults = dict(_signature(item.head, blocks))
    return {
        word: thaw(value)
        for word, value in item.args.items()
        if value is not FREE and (word not in defaults or value != defaults[word] or word == "kernel_size")
    }


def _signature(head: str, blocks: Mapping[str, BlockDraft]) -> list[tuple[str, Any]]:
    """Names and defaults; FREE without a default."""
    if head in blocks:
        return [(each.name, each.default) for each in blocks[head].parameters]
    if head in OPS:
        return [(each.name, FREE if each.required else each.default) for each in arguments(OPS[head])]
    return []


def _branch_names(item: LayerDraft) -> list[str]:
    """A name for each branch, from its contents: `pool`, `3x3`, `identity`, `gate`."""
    words: list[str] = []
    for branch in item.branches:
        word = _branch_name(item.head, branch)
        count = sum(other.rpartition("-")[0] == word or other == word for other in words)
        words.append(f"{word}-{count + 1}" if count else word)
    return words


def _branch_name(head: str, branch: Sequence[LayerDraft]) -> str:
    if not branch or not branch[0].head:
        return "x" if not branch else "y"
    inside = [item.head for item in walk(list(branch))]
    if head == "multiply" and ("global_avgpool" in inside or inside[-1] in ("sigmoid", "hard_sigmoid")):
        return "gate"
    if any(word in ("maxpool", "avgpool") for word in inside):
        return "pool"
    kernels = [item.args["kernel_size"] for item in walk(list(branch)) if "kernel_size" in item.args]
    sizes = [size for size in kernels if isinstance(size, (int, tuple))]
    if not sizes:
        return "branch"
    largest = max((size if isinstance(size, tuple) else (size, size) for size in sizes), key=sum)
    return "x".join(map(str, largest))


def _labels(spec: SpecDraft) -> dict[int, str]:
    """Names for the nodes that `from` reads: those of the graph, if they are valid in a spec."""
    names = {0: "input"}
    for index, node in enumerate(spec.graph.inputs if spec.graph.input_count > 1 else ()):
        word = re.sub(r"\W+", "_", node.path).strip("_") or "input"
        names[index] = unused_name(word, set(names.values()) - {names.get(index)})
    taken = {*names.values(), *OPS, *(block.name for block in spec.blocks), *(item.name for item in spec.items)}
    for item in (each for items in (spec.items, *(block.items for block in spec.blocks)) for each in walk(items)):
        if item.labelled:
            hint = re.sub(rf"{AGAIN}(_\d+)?\Z", "", (item.hints or ("",))[-1])
            word = re.sub(r"\W+", "_", hint.rpartition("/")[2]).strip("_") or "layer"
            if re.sub(r"_\d+\Z", "", word) in taken:  # the path of an item without a name
                word = f"{word}_out"
            names[item.node] = unused_name(word, taken)
            taken.add(names[item.node])
    return names
