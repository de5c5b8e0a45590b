"""The names that a spec reads: in expressions, those used and those defined at each place; in `from`, missing ones."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from archspec.diagnostics import Diagnostic, did_you_mean, listed
from archspec.lang.document.nodes import MappingNode, Node, ScalarNode, SequenceNode
from archspec.lang.expressions import ExpressionError, is_expression, names_if_valid, names_in, undefined
from archspec.lang.schema.validator import MAX_MISTAKES
from archspec.lang.spec.layer_spec import BlockSpec, LayerSpec

RESERVED = {
    "channels": "the number of input channels",
    "shape": "the input shape",
    "call": "the number of this call of a block",
    "copy": "the number of this copy of a layer with `repeat`",
    "input": "the input of the network",
}
MAX_SHOWN = 8  # paths in the remedy for an unknown name
IN_LAYERS = ("channels", "shape", "copy")


def check_names(document: MappingNode, blocks: Mapping[str, BlockSpec]) -> Iterator[Diagnostic]:
    """Errors for reserved names, invalid expressions, undefined names and unused parameters."""
    declared = _declared(document)
    yield from _taken(declared)
    wrong = list(islice(_undefined(document, blocks, [key.text for key in declared]), MAX_MISTAKES))
    yield from wrong or _unused(declared, document)  # a misspelt name leaves its parameter unread


def _taken(declared: Iterable[ScalarNode]) -> Iterator[Diagnostic]:
    for key in declared:
        if key.text in RESERVED:
            message = f"`{key.text}` cannot be a parameter: the name is reserved for {RESERVED[key.text]}"
            yield Diagnostic("name-taken", message, key.span, help="choose another name")
        elif keyword.iskeyword(key.text):
            message = f"`{key.text}` cannot be a parameter: it is a keyword in expressions"
            yield Diagnostic("name-taken", message, key.span, help="choose another name")


def _undefined(document: MappingNode, blocks: Mapping[str, BlockSpec], params: Sequence[str]) -> Iterator[Diagnostic]:
    for name in ("params", "variants", "input", "inputs", "preprocess", "train", "evaluate"):
        yield from _unknown(document.get(name), params)
    yield from _unknown(document.get("layers"), [*params, *IN_LAYERS])
    nodes = document.get("blocks")
    for name, node in nodes if isinstance(nodes, MappingNode) else ():
        if isinstance(node, MappingNode):
            yield from _of_block(blocks[name], node, [*params, *IN_LAYERS, "call"])


def used(node: Node | None) -> set[str]:
    """The names that the expressions in a node read."""
    return {name for each in _expressions(node) for name in names_if_valid(each.text)}


def _expressions(node: Node | None) -> list[ScalarNode]:
    """The expressions in a node, including keys but not the values of `name`, `from` and `share`."""
    found: list[ScalarNode] = []
    _collect(node, found)
    return found


def _collect(node: Node | None, found: list[ScalarNode]) -> None:
    if isinstance(node, ScalarNode):
        if is_expression(node.value):
            found.append(node)
    elif isinstance(node, SequenceNode):
        for item in node.items:
            _collect(item, found)
    elif node is not None:
        for key, value in node.entries.values():
            if is_expression(key.value):
                found.append(key)
            if key.text not in ("name", "from", "share"):
                _collect(value, found)


def _declared(document: MappingNode) -> list[ScalarNode]:
    """The names of parameters, under `params` and `variants`."""
    variants = document.get("variants")
    of_variants = [node for _, node in variants] if isinstance(variants, MappingNode) else []
    places = [document.get("params"), *of_variants]
    return [key for node in places if isinstance(node, MappingNode) for key, _ in node.entries.values()]


def _of_block(block: BlockSpec, node: MappingNode, names: Iterable[str]) -> Iterator[Diagnostic]:
    known = [*names]
    for parameter in block.parameters:
        yield from _unknown(parameter.default, known)
        known.append(parameter.name)
    yield from _unknown(node.get("layers"), known)


def _unknown(node: Node | None, names: Iterable[str]) -> Iterator[Diagnostic]:
    known = set(names)
    for expression in _expressions(node):
        error = _error(expression.text, known)
        if error:
            yield Diagnostic(error.code, error.message, expression.span, help=error.help)


def _error(text: str, known: set[str]) -> ExpressionError | None:
    try:
        missing = next((name for name in names_in(text) if name not in known), None)
    except ExpressionError as error:
        return error
    return undefined(missing, known) if missing is not None else None


def _unused(declared: list[ScalarNode], document: MappingNode) -> Iterator[Diagnostic]:
    words = used(document)
    names = {key.text for key in declared}
    for key in declared:
        if key.text.isidentifier() and key.text not in words and key.text not in RESERVED:
            message = f"the parameter `{key.text}` is never used"
            near = did_you_mean(key.text, words - names) or did_you_mean(key.text, words)
            help = near or f"use it as `${key.text}`, or remove it"
            yield Diagnostic("unused-parameter", message, key.span, help=help)


# ---- names in `from` -----------------------------------------------------------------------------------------------


def not_found(
    name: ScalarNode, here: Iterable[LayerSpec], blocks: Iterable[BlockSpec], visible: Iterable[str]
) -> tuple[str, str]:
    """Message and remedy for a name that no earlier layer has; `here` are the layers of the spec or enclosing block."""
    named = [item for item in all_layers(here) if item.name and item.name.text == name.text]
    if any(name is item.share for item in named):
        return f"the layer `{name.text}` cannot share its own weights", "`share` can only name earlier layers"
    if any(name in item.origin for item in named):
        return f"the layer `{name.text}` reads itself", "`from` can only name earlier layers"
    lines = [item.name.span.line for item in named if item.name]
    here_ = (name.span.line, name.span.column)
    later = [
        item.name.span.line for item in named if item.name and (item.name.span.line, item.name.span.column) > here_
    ]
    if later:
        return f"the layer `{name.text}` comes later, on line {later[0]}", "`from` can only name earlier layers"
    if lines:
        help = "leave out this layer as well, or read a layer that is always present"
        return f"the layer `{name.text}` (line {lines[0]}) is left out of this network", help
    paths = list(visible)
    inside = [path for path in paths if path.rpartition("/")[2] == name.text.rpartition("/")[2]]
    folder = name.text
    while folder and folder not in paths:
        folder = folder.rpartition("/")[0]
    inside = [path for path in inside if path.startswith(f"{folder}/")] if folder else inside
    for block in blocks if not inside else ():
        if any(item.name and item.name.text == name.text for item in all_layers(block.layers)):
            message = f"the layer `{name.text}` is not visible here: it is inside the block `{block.name}`"
            return message, f"give the call of `{block.name}` a `name` and read `NAME/{block.name}/{name.text}`"
    message = f"there is no earlier layer `{name.text}`"
    if inside:
        return message, f"did you mean `{inside[-1]}`?"
    if folder == name.text.rstrip("/"):
        return message, f"did you mean `{folder}`?"
    below = [path.removeprefix(f"{folder}/") for path in paths if path.startswith(f"{folder}/")] if folder else []
    if below:
        highest = min(path.count("/") for path in below)
        below = [path for path in below if path.count("/") == highest]
        near = did_you_mean(name.text.removeprefix(f"{folder}/"), below)
        shown = listed((f"`{folder}/{path}`" for path in below), MAX_SHOWN)
        meant = near.replace("`", f"`{folder}/", 1) + " " if near else ""
        return message, f"{meant}`from` can read {shown}"
    near = did_you_mean(name.text, paths)
    outermost = [path for path in paths if "/" not in path][-MAX_SHOWN:]
    shown = f"`from` can read {listed(f'`{path}`' for path in outermost)}"
    return message, near or f"{shown}; set `name` on a layer to give it a name of its own"


def all_layers(items: Iterable[LayerSpec | None]) -> Iterator[LayerSpec]:
    """Items, and those in their cells and branches."""
    for item in items:
        if item is not None:
            yield item
            yield from all_layers(item.cells)
            for branch in item.branches.values():
                yield from all_layers(branch)
