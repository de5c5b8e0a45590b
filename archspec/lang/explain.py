"""What the JSON Schema finds wrong, in the words of the language and at its place in the source."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from archspec.declare import arguments
from archspec.diagnostics import Diagnostic, Span, did_you_mean, listed, nearest
from archspec.lang import source
from archspec.lang.fragments import IDENTIFIER, NAME, PATH, TITLE, VARIANT
from archspec.lang.mistake import HEADS, Mistake, find
from archspec.lang.schema import MERGES
from archspec.lang.torn import leftovers

EXPRESSIONS = {"params", "variants", "input", "blocks", "layers", "preprocess", "train", "evaluate"}
KINDS = {"optimizer": "optimizer", "schedule": "schedule", "augment": "transform", "preprocess": "transform"}
NAMES = {
    NAME: "a name has up to 64 letters, digits, `_` and `-`",
    TITLE: "such a name has letters, digits, `_`, `-` and `.`",
    VARIANT: "such a name has up to 64 letters, digits, `_`, `-` and `.`",
    PATH: "a reference is a name, or names with `/` between them",
    IDENTIFIER: "such a name has up to 64 letters, digits and `_`, and no digit first",
}
EXAMPLES = {
    "name": "add a first line such as `name: my-net`",
    "input": "add a line such as `input: [224, 224, 3]`",
    "layers": "add the list of layers: `layers: [...]`",
    "body": "write `residual: {body: [...]}`",
    "value": "write `{value: 3.8G, tolerance: 2%, reason: why the paper is off}`",
}
INPUT = "write [height, width, channels], [length, channels] or [features]; ~ is a free size"
A_LAYER = "write a layer such as `relu` or `conv: 64`"

Fact = tuple[str, str, str | None]
"""Code, message and remedy."""


def explain(wrong: Mistake, document: source.Mapping | None, explained: Collection[int] = ()) -> Iterator[Diagnostic]:
    """The diagnostics of a mistake: without places if there is no document, and none within `explained` nodes."""
    node = key = None
    if document is not None:
        nodes, key = find(document, wrong.path)
        node = nodes[-1]
        if any(id(each) in explained for each in nodes) or wrong.value in _rest(wrong, nodes[-2:-1]):
            return
    span = node.span if node else None
    start = key.span if key else span.first(1) if span else None
    match wrong.rule:
        case "additionalProperties":
            rest = _rest(wrong, [node])
            for name in wrong.value:
                if name not in wrong.known and name not in rest:
                    yield _unknown(name, wrong, _key_span(node, name))
        case "propertyNames":
            what = "the name of a branch" if wrong.owner in MERGES else "a name"
            at = _key_span(node, str(wrong.value)) or span
            yield Diagnostic("bad-name", f"{show(wrong.value)} cannot be {what}", at, help=NAMES[wrong.asked])
        case "required":
            missing = next(each for each in wrong.asked if each not in wrong.value)
            # an unknown key that is the missing one misspelt has an error of its own
            if not any(nearest(name, wrong.known) == missing for name in wrong.value if name not in wrong.known):
                yield _missing(missing, wrong, start)
        case "maxProperties" if any(name not in wrong.known for name in wrong.value):
            return  # which has an error of its own
        case _:
            code, message, help = fact(wrong)
            bare = isinstance(node, source.Scalar) and node.text != ""
            yield Diagnostic(code, message, span if bare or key is None else start, help=help)


def _rest(wrong: Mistake, nodes: Sequence[source.Node | None]) -> list[str]:
    """What an expression torn apart has left in these nodes, in parts of a page whose expressions are checked."""
    return [word for node in nodes for word in leftovers(node)] if set(wrong.path[:1]) <= EXPRESSIONS else []


def _unknown(name: str, wrong: Mistake, span: Span | None) -> Diagnostic:
    known, word = wrong.known, wrong.word
    before, colon, after = name.partition(":")
    near = f"put a space after the colon: `{before}: {after}`" if colon else did_you_mean(name, known)
    if wrong.owner:
        message = f"`{wrong.owner}` has no argument `{name}`" if known else f"`{wrong.owner}` takes no arguments"
        help = near or (f"its arguments are: {listed(known)}" if known else None)
        return Diagnostic("unknown-argument", message, span, help=help)
    if word in KINDS:
        message = f"there is no {KINDS[word]} `{name}`"
        return Diagnostic("unknown-operator", message, span, help=near or _all(word, known))
    where = f"`{word}`" if word else "a page"
    help = near or f"its keys are: {listed(known)}"
    return Diagnostic("unknown-key", f"{where} has no key `{name}`", span, help=help)


def _missing(name: str, wrong: Mistake, span: Span | None) -> Diagnostic:
    if wrong.owner:
        return Diagnostic(*_needs(wrong.owner, name)[:2], span, help=_needs(wrong.owner, name)[2])
    what = "this figure" if name == "value" else f"`{wrong.word}`" if wrong.word else "this page"
    return Diagnostic("missing-key", f"{what} has no `{name}`", span, help=EXAMPLES.get(name))


def _needs(head: str, name: str) -> Fact:
    doc = next(each.doc for each in arguments(HEADS[head]) if each.name == name)
    return "missing-argument", f"`{head}` needs the argument `{name}`", f"`{name}`: {doc}"


def _all(word: str, known: Sequence[str]) -> str:
    return f"the {KINDS[word]}s are: {listed(known)}"


def _key_span(node: source.Node | None, name: str) -> Span | None:
    return node.entries[name][0].span if isinstance(node, source.Mapping) and name in node.entries else None


# ---- values --------------------------------------------------------------------------------------------------------


def fact(wrong: Mistake) -> Fact:
    """What does not fit, and the remedy."""
    special = _of_a_head(wrong) or _of_a_layer(wrong)
    if special:
        return special
    value, asked, subject, shown = wrong.value, wrong.asked, wrong.subject, show(wrong.value)
    match wrong.rule:
        case "type":
            kinds = [asked] if isinstance(asked, str) else asked
            help = INPUT if wrong.word == "input" else _type_help(value, kinds)
            return "wrong-type", f"{subject} must be {_kinds(kinds)}, and is {shown}", help
        case "enum":
            near = did_you_mean(str(value), map(str, asked))
            if wrong.word in KINDS:
                message = f"there is no {KINDS[wrong.word]} {shown}"
                return "unknown-operator", message, near or _all(wrong.word, asked)
            return "wrong-value", f"{subject} cannot be {shown}", near or f"it is one of: {listed(asked)}"
        case "minimum":
            help = INPUT if wrong.word == "input" else None
            return "wrong-value", f"{subject} must be at least {asked}, and is {shown}", help
        case "exclusiveMinimum":
            return "wrong-value", f"{subject} must be greater than {asked}, and is {shown}", None
        case "maximum":
            return "wrong-value", f"{subject} must be at most {asked}, and is {shown}", None
        case "exclusiveMaximum":
            return "wrong-value", f"{subject} must be less than {asked}, and is {shown}", None
        case "minItems" | "maxItems" | "minProperties" | "maxProperties":
            bound = "at least" if wrong.rule.startswith("min") else "at most"
            what = ("item" if wrong.rule.endswith("Items") else "key") + "s" * (asked != 1)
            help = INPUT if wrong.word == "input" else None
            return "wrong-value", f"{subject} must have {bound} {asked} {what}, and has {len(value)}", help
        case "pattern":
            reference = value[:1] == "$" and "a reference is the name itself, without `$`"
            return "bad-name", f"{shown} cannot be a name", reference or NAMES[asked]
        case "dependencies":
            return "missing-key", "this figure has a `tolerance` and no `reason`", EXAMPLES["value"]
    return "wrong-value", f"{subject} cannot be {shown}", None


def _of_a_head(wrong: Mistake) -> Fact | None:
    """What stands right after a head, and can be none of its arguments."""
    head = wrong.owner
    if not head:
        return None
    given = arguments(HEADS[head])
    if head in MERGES:
        help = f"write `{head}: {{left: [...], right: [...]}}`, or `from: [a, b]` with names of earlier layers"
        return "wrong-type", f"`{head}` takes named branches, and is given {show(wrong.value)}", help
    if not given:
        return "unknown-argument", f"`{head}` takes no arguments", None
    return _needs(head, given[0].name) if wrong.value is None else None


def _of_a_layer(wrong: Mistake) -> Fact | None:
    """An item of a list of layers that is none."""
    if "residual" not in wrong.known:
        return None
    if wrong.value == {}:
        return "one-head", "this item has no head", A_LAYER
    return "wrong-type", f"a layer must be a word or a mapping, and this is {show(wrong.value)}", A_LAYER


def _kinds(kinds: Sequence[str]) -> str:
    names = {
        "integer": "an integer",
        "number": "a number",
        "string": "a word",
        "boolean": "true or false",
        "array": "a list",
        "object": "a mapping",
    }
    *others, last = [names[kind] for kind in kinds if kind in names and not (kind == "integer" and "number" in kinds)]
    return f"{', '.join(others)} or {last}" if others else last


def _type_help(value: Any, kinds: Sequence[str]) -> str | None:
    if "boolean" in kinds and value in ("yes", "no", "on", "off"):
        return f"write `true` or `false`: in YAML 1.2 `{value}` is a word"
    if "string" in kinds and isinstance(value, (bool, int, float)):
        return f'write it in quotes: "{show(value)[1:-1]}"'
    if kinds == ["array"] and isinstance(value, (str, dict)):
        return "write a list: `[...]`, or one item a line after `- `"
    return None


def show(value: Any) -> str:
    """A value as an error names it."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = str(value)
    return f"`{text[:60]}{'...' * (len(text) > 60)}`"
