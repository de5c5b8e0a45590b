"""Error messages for names in `from` that match no earlier layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archspec.diagnostics import did_you_mean
from archspec.lang.document.nodes import ScalarNode
from archspec.lang.spec.layer_spec import LayerSpec
from archspec.lang.spec.spec import Spec


def not_found(spec: Spec, name: ScalarNode, inside: str | None, visible: Iterable[str]) -> tuple[str, str | None]:
    """Message and remedy for a name that no earlier layer has; `inside` is the enclosing block."""
    items = spec.blocks[inside].layers if inside else spec.layers
    named = [item for item in _all(items) if item.name and item.name.text == name.text]
    if any(name in item.origin for item in named):
        return f"the layer `{name.text}` reads itself", "`from` can only name earlier layers"
    lines = [item.name.span.line for item in named if item.name]
    later = [line for line in lines if line > name.span.line]
    if later:
        return f"the layer `{name.text}` comes later, on line {later[0]}", "`from` can only name earlier layers"
    if lines:
        help = "leave out this layer as well, or read a layer that is always present"
        return f"the layer `{name.text}` (line {lines[0]}) is left out of this network", help
    for block in spec.blocks.values():
        if any(item.name and item.name.text == name.text for item in _all(block.layers)):
            message = f"the layer `{name.text}` is not visible here: it is inside the block `{block.name}`"
            return message, f"give the call of `{block.name}` a `name` and read `NAME/{block.name}/{name.text}`"
    near = did_you_mean(name.text, visible)
    return f"there is no earlier layer `{name.text}`", near or "set `name` on the layer that you want to read"


def _all(items: Iterable[LayerSpec | None]) -> Iterator[LayerSpec]:
    """Items, and those in their cells and branches."""
    for item in items:
        if item is not None:
            yield item
            yield from _all(item.cells)
            for branch in item.branches.values():
                yield from _all(branch)
