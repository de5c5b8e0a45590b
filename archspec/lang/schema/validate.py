"""Check a document, and the values of its expressions, against the JSON Schema."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from archspec.declare import Argument, thaw
from archspec.diagnostics import Diagnostic, Span, nearest
from archspec.lang.document.nodes import MappingNode, Node, ScalarNode, find, leftovers, plain
from archspec.lang.schema.messages import FIGURE, NAMES, Fact, declaration, fact, needs, owner, show, unknown, word
from archspec.lang.schema.spec_schema import spec_schema
from archspec.lang.schema.validator import Mistake, fits, mistakes
from archspec.ops import OPS, is_merge


def validate(document: MappingNode, explained: Collection[int] = ()) -> Iterator[Diagnostic]:
    """Errors of a spec against the schema; none inside nodes whose id is in `explained`."""
    for wrong in mistakes(plain(document), spec_schema()):
        yield from explain(wrong, document, explained)


def validate_section(section: Any, name: str, document: MappingNode | None = None) -> list[Diagnostic]:
    """Errors of the values of a section; with `document`, they have places."""
    found = mistakes(section, spec_schema()["properties"][name], spec_schema())
    moved = [wrong._replace(path=(name, *wrong.path)) for wrong in found]
    return [diagnostic for wrong in moved for diagnostic in explain(wrong, document)]


def check_value(head: str, argument: Argument, value: Any) -> Fact | None:
    """The error message for an argument with a computed value; None if the value is valid."""
    if fits(thaw(value), argument.schema):
        return None
    wrong = mistakes(thaw(value), argument.schema)[0]
    return fact(wrong._replace(path=(0, head, argument.name, *wrong.path)))


EXPRESSIONS = {"params", "variants", "input", "inputs", "blocks", "layers", "preprocess", "train", "evaluate"}
"""The parts of a spec whose expressions are checked."""

EXAMPLES = {
    "name": "add a first line such as `name: my-net`",
    "input": "add a line such as `input: [224, 224, 3]`",
    "layers": "add a list of layers: `layers: [...]`",
    "from": "write `{from: LAYER, weight: 0.5}`",
    "body": "write `residual: {body: [...]}`",
    "value": FIGURE,
    "protocol": "write which views of an image were averaged: `protocol: center`",
    "data": "write the images that it was measured on: `data: imagenet validation`",
    "source": "write where you read it: `source: Table 4 of the paper`",
}


def explain(wrong: Mistake, document: MappingNode | None, explained: Collection[int] = ()) -> Iterator[Diagnostic]:
    """The diagnostics of a mistake. Without a document they have no places; inside `explained` nodes there are none."""
    node = key = None
    if wrong.rule == "required" and not wrong.path:
        wrong = wrong._replace(schema=spec_schema())  # of all keys, not of a branch
    if document is not None:
        nodes, key = find(document, wrong.path)
        node = nodes[-1]
        if any(id(each) in explained for each in nodes) or wrong.value in _rest(wrong, nodes[-2:-1]):
            return
    span = node.span if node else None
    start = key.span if key else span.first(1) if span else None
    if wrong.rule == "additionalProperties":
        rest = _rest(wrong, [node])
        for name in wrong.value:
            if name not in wrong.known and name not in rest:
                yield _diagnostic(
                    unknown(name, wrong.known, wrong.path, wrong.value[name], wrong.value), _key_span(node, name)
                )
    elif wrong.rule == "propertyNames":
        what = "name for a branch" if is_merge(owner(wrong.path)) else "name"
        at = _key_span(node, str(wrong.value)) or span
        yield Diagnostic("bad-name", f"{show(wrong.value)} is not a valid {what}", at, help=NAMES.get(wrong.asked))
    elif wrong.rule == "required":
        # a misspelt key is reported as unknown, not as missing too
        if not any(_means(name, wrong) for name in wrong.value if name not in wrong.known):
            yield _diagnostic(_missing(wrong), start)
    elif wrong.rule == "maxProperties" and any(name not in wrong.known for name in wrong.value):
        return  # they have their own errors
    else:
        bare = isinstance(node, ScalarNode) and node.text != ""
        yield _diagnostic(fact(wrong, _names(document, wrong)), span if bare or key is None else start)


def _names(document: MappingNode | None, wrong: Mistake) -> list[str]:
    """The parameters, and the arguments of the block, that a value may read."""
    if document is None or not isinstance(wrong.value, str):
        return []
    block = f"{wrong.path[1]}" if wrong.path[:1] == ("blocks",) and len(wrong.path) > 1 else ""
    found: list[str] = []
    for path in (("params",), ("blocks", block, "args")):
        node: Node | None = document
        for part in path:
            node = node.get(part) if isinstance(node, MappingNode) else None
        value = None if node is None else plain(node)
        for each in value if isinstance(value, (dict, list)) else ():
            found += [each] if isinstance(each, str) else list(each) if isinstance(each, dict) else []
    return found


def _diagnostic(fact: Fact, span: Span | None) -> Diagnostic:
    code, message, help = fact
    return Diagnostic(code, message, span, help=help)


def _means(name: str, wrong: Mistake) -> bool:
    """Whether an unknown key stands for the one that is missing."""
    from archspec.lang.schema.foreign import argument, section_key

    if not wrong.path:
        inside = wrong.value[name]
        nested = isinstance(inside, dict) and ("layers" in inside or wrong.asked in inside)  # `model: {layers: ...}`
        return (
            nested
            or section_key(name, "") == f"did you mean `{wrong.asked}`?"
            or wrong.asked == nearest(name, wrong.known)
        )
    of_layer = owner(wrong.path) in OPS
    if of_layer and (name.isdecimal() or "=" in name):  # `conv: {8, 3}`
        return True
    return wrong.asked in (nearest(name, wrong.known), argument(name, wrong.known) if of_layer else None)


def _missing(wrong: Mistake) -> Fact:
    head, key = owner(wrong.path), word(wrong.path)
    if head:
        return needs(declaration(wrong.path), wrong.asked)
    what = "this figure" if wrong.asked == "value" else f"`{key}`" if key else "this spec"
    return "missing-key", f"{what} has no `{wrong.asked}`", EXAMPLES.get(wrong.asked)


def _rest(wrong: Mistake, nodes: Sequence[Node | None]) -> list[str]:
    """The leftovers of split expressions in these nodes, in sections whose expressions are checked."""
    return [each for node in nodes for each in leftovers(node)] if set(wrong.path[:1]) <= EXPRESSIONS else []


def _key_span(node: Node | None, name: str) -> Span | None:
    return node.entries[name][0].span if isinstance(node, MappingNode) and name in node.entries else None
