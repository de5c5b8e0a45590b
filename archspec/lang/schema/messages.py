"""Error messages for values that break the JSON Schema: code, message and remedy."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from archspec.declare import Declared, arguments
from archspec.diagnostics import counted, did_you_mean, listed, plural
from archspec.lang.declarations import BRANCH, IDENTIFIER, NAME, PATH, TITLE, VARIANT, BareNames, Family
from archspec.lang.expressions import is_expression
from archspec.lang.schema.structures import MODIFIERS
from archspec.lang.schema.validator import Mistake, Path
from archspec.ops import OPS, Op, is_merge
from archspec.protocols import PROTOCOLS
from archspec.transforms import TRANSFORMS

Fact = tuple[str, str, str | None]
"""Code, message and remedy."""

KINDS = {
    "optimizer": "optimizer",
    "loss": "loss",
    "schedule": "schedule",
    "augment": "transform",
    "preprocess": "transform",
    "protocols": "protocol",
}
"""What the one-key values under a key name."""
UNKNOWN = {"operator": "unknown-operator", **{kind: f"unknown-{kind}" for kind in KINDS.values()}}
"""The error code for a name that does not exist, by what it names."""

NAMES = {
    NAME: "use up to 64 letters, digits, `_` and `-`",
    TITLE: "use letters, digits, `_`, `-` and `.`",
    VARIANT: "use up to 64 letters, digits, `_`, `-` and `.`",
    PATH: "write the name of a layer, or names with `/` between them",
    IDENTIFIER: "use up to 64 letters, digits and `_`, and do not start with a digit",
}
INPUT = "write [height, width, channels], [length, channels] or [features]; `~` is a free size"
LEAST_SIDE = 16
"""Of a square input: [3, 16, 16] has its channels first, [3, 8, 8] may be what it says."""
FIGURE = "write `{value: 3.8G, tolerance: 2%, reason: why the paper differs}`"
LAYER = "write a layer such as `relu` or `conv: 64`"
SHORT = {"lr": "learning_rate", "rate": "learning_rate", "wd": "weight_decay"}
"""Names that other libraries use for arguments of an optimizer."""

BOUNDS = {
    "minimum": "be at least",
    "exclusiveMinimum": "be greater than",
    "maximum": "be at most",
    "exclusiveMaximum": "be less than",
    "minItems": "have at least",
    "maxItems": "have at most",
    "minProperties": "have at least",
    "maxProperties": "have at most",
}
TYPES = {
    "integer": "an integer",
    "number": "a number",
    "string": "a string",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}


def fact(wrong: Mistake, names: Collection[str] = ()) -> Fact:
    """The error message for a value; `names` are the parameters and arguments that it may read."""
    from archspec.lang.schema.near_forms import near_form

    code, message, help = _fact(wrong)
    help = near_form(wrong, names) or help
    if help is None:
        from archspec.lang.schema.remedies import remedy

        head = _head(wrong.path)[0]
        help = remedy(wrong, head, declaration(wrong.path) if head else None)
    return code, message, help


def _fact(wrong: Mistake) -> Fact:
    special = _of_a_head(wrong) or _of_a_layer(wrong)
    if special:
        return special
    value, asked, about, shown = wrong.value, wrong.asked, subject(wrong.path), show(wrong.value)
    help = _input_help(value, wrong.path) if word(wrong.path) == "input" or wrong.path[:1] == ("inputs",) else None
    if wrong.rule == "type":
        kinds = [asked] if isinstance(asked, str) else list(asked)
        if word(wrong.path) == "from" and isinstance(value, (int, float)):
            help = "`from` reads layers by name: set `name` on the layer, and write that name here"
        help = help or _type_help(value, kinds) or _written(wrong)
        return "wrong-type", f"{about} must be {_any_of(kinds)}, but is {shown}", help
    if wrong.rule == "enum":
        return _of_none(wrong, about, shown)
    if wrong.rule == "pattern":
        reference = "write the name of the layer without `$`" if value[:1] == "$" else None
        if asked == PATH and re.fullmatch(r"[\w.-]+", value) and "." in value:
            reference = f"write `{value[:60].replace('.', '/')}`"
        return "bad-name", f"{shown} is not a valid name", reference or NAMES.get(asked)
    if wrong.rule == "dependencies":
        return "missing-key", "this figure has a `tolerance` but no `reason`", FIGURE
    if wrong.rule == "minLength":
        return "wrong-value", f"{about} is empty", None
    if wrong.rule not in BOUNDS:
        return "wrong-value", f"{about} cannot be {shown}", None
    if wrong.rule == "maxProperties" and word(wrong.path) in KINDS:
        kind = KINDS[str(word(wrong.path))]
        fact = f"expected one {kind}, but found {len(value)}: {listed(value)}"
        return "wrong-value", fact, f"keep `{next(iter(value))}` or `{list(value)[-1]}`"
    if isinstance(value, (list, dict)):
        least = counted(asked, "item" if isinstance(value, list) else "key")
        return "wrong-value", f"{about} must {BOUNDS[wrong.rule]} {least}, but has {len(value)}", help
    return "wrong-value", f"{about} must {BOUNDS[wrong.rule]} {asked}, but is {shown}", help


def _input_help(value: Any, path: tuple[str | int, ...]) -> str:
    """The remedy for `input: 224x224x3`, or for another value that is no shape."""
    from archspec.lang.schema.foreign import input_meant

    meant = input_meant(value)
    if path == ("inputs",):
        return "write `inputs: {left: [105, 105, 1], right: [105, 105, 1]}`"
    return f"write `{word(path)}: [{listed(meant)}]`" if meant else INPUT


def unknown(
    name: str, known: Sequence[str], path: Path, value: Any = None, beside: Mapping[str, Any] | None = None
) -> Fact:
    """The error message for an unknown key with a value, in the mapping `beside`."""
    from archspec.lang.schema.other_names import of_another_library, of_section, of_the_recipe

    name = str(name)  # a key in Python may be anything
    before, colon, after = name.partition(":")
    head, key = owner(path), word(path)
    near = f"put a space after the colon: `{before}: {after}`" if colon else None
    if head and path[:1] != ("train",) and not near:
        from archspec.lang.schema.foreign import unknown_argument

        near = unknown_argument(head, name, known, value)
    if list(known) == list(BRANCH["then"]["properties"]):
        near = did_you_mean(name, known) or f"the layers of a branch are a list: `{key}: [{name}: ...]`"
        if name == "first":
            near = "use `$copy`, the number of the copy, in the arguments of its layers"
        elif name in MODIFIERS:
            near = f"write `{name}` beside an operator, in the list `layers`"
    near = near or (did_you_mean(name, known) if head or key in KINDS else of_section(name, known, path))
    near = near or of_the_recipe(name, known, head, path, beside)
    if head:
        message = f"`{head}` has no argument `{name}`" if known else f"`{head}` takes no arguments"
        return (
            "unknown-argument",
            message,
            near or (f"its arguments are: {listed(known)}" if known else f"write `{head}` alone"),
        )
    if key in KINDS:
        message = f"there is no {KINDS[key]} `{name}`"
        if name in ("name", "type") and isinstance(value, str) and value in known:
            near = f"write `{key}: {{{value}: {{...}}}}`"
        near = of_another_library(name, known) or near
        return UNKNOWN[KINDS[key]], message, near or f"the {plural(KINDS[key])} are: {listed(known)}"
    message = f"{f'`{key}`' if key else 'a spec'} has no key `{name}`"
    return "unknown-key", message, near or f"its keys are: {listed(known)}"


def needs(declared: type[Declared], name: str) -> Fact:
    """The error message for a missing argument."""
    head, doc = declared.name, next(each.doc for each in arguments(declared) if each.name == name)
    return "missing-argument", f"`{head}` needs the argument `{name}`", f"`{name}`: {doc}{_example(declared)}"


def _example(declared: type[Declared]) -> str:
    """`; for example flip: {axis: 1}`: an operator with the arguments that it needs, if it has an example."""
    from archspec.lang.document.yaml_writer import flow  # errors alone need it

    given = next((each for each, _ in declared.examples), {}) if issubclass(declared, Op) else {}
    needed = {each.name: given.get(each.name) for each in arguments(declared) if each.required}
    return "" if None in needed.values() else f"; for example `{flow({declared.name: needed})[1:-1]}`"


def show(value: Any) -> str:
    """A value as error messages show it."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = str(value)
    return f"`{text[:60]}{'...' * (len(text) > 60)}`"


def _of_a_head(wrong: Mistake) -> Fact | None:
    """The message for a value after an operator that cannot be its arguments."""
    head = owner(wrong.path)
    if not head:
        return None
    declared = declaration(wrong.path)
    given = arguments(declared)
    if wrong.path[0] not in SECTION_FAMILIES and is_merge(head):
        help = f"write `{head}: {{left: [...], right: [...]}}`, or `from: [a, b]` with the names of earlier layers"
        return "wrong-type", f"`{head}` takes named branches, but got {show(wrong.value)}", help
    if not given:
        dense = "for a fully connected layer, write `dense: 10`" if head == "linear" else None
        return "unknown-argument", f"`{head}` takes no arguments", dense or f"write `{head}` alone"
    required = [each.name for each in given if each.required]
    if wrong.value is None:
        return needs(declared, required[0] if required else given[0].name)
    # a bare value is the first argument
    rest = [name for name in required if name != given[0].name]
    return needs(declared, rest[0]) if rest and wrong.rule == "type" and wrong.asked == "object" else None


def _of_a_layer(wrong: Mistake) -> Fact | None:
    """The message for a list item that is not a layer."""
    if "residual" not in wrong.known:
        return None
    if wrong.value == {}:
        return "one-head", "this layer has no operator", LAYER
    first, *rest = wrong.value if isinstance(wrong.value, list) and wrong.value else [None]
    if isinstance(first, str) and first in OPS:
        from archspec.lang.schema.foreign import written

        help = (written(first, rest) if rest else None) or f"write `{first}` without brackets"
        return (
            "wrong-type",
            f"a layer must be the name of an operator or a mapping, but this is {show(wrong.value)}",
            help,
        )
    return "wrong-type", f"a layer must be the name of an operator or a mapping, but this is {show(wrong.value)}", LAYER


def _written(wrong: Mistake) -> str | None:
    """The layer that is meant by a bare value that cannot be its first argument: `conv: [8, 3, same]`."""
    from archspec.lang.schema.foreign import misplaced, written

    item = isinstance(wrong.value, str) and any(isinstance(part, int) for part in wrong.path[-1:])
    head = owner(wrong.path[:-1] if item else wrong.path)
    if not head or declaration(wrong.path) is not OPS.get(head):
        return None
    return misplaced(head, wrong.value) if item else written(head, wrong.value)


def _of_none(wrong: Mistake, about: str, shown: str) -> Fact:
    """The message for a value outside a fixed set of choices."""
    key, family = word(wrong.path), wrong.asked.family if isinstance(wrong.asked, BareNames) else {}
    if isinstance(wrong.value, str) and wrong.value in family:
        required = next(each.name for each in arguments(family[wrong.value]) if each.required)
        return needs(family[wrong.value], required)
    from archspec.lang.schema.other_names import as_mapping, of_another_library

    choices = [str(each).lower() if isinstance(each, bool) else str(each) for each in family or wrong.asked]
    near = did_you_mean(str(wrong.value), choices)
    if isinstance(wrong.value, str) and wrong.path[:2] == ("train", "init"):
        near = of_another_library(wrong.value, choices) or near
    if isinstance(wrong.value, str) and key == "optimizer" and (call := as_mapping(wrong.value, choices)):
        near = f"write `optimizer: {call}`"
    if key in KINDS:
        message = f"there is no {KINDS[key]} {shown}"
        near = of_another_library(str(wrong.value), choices) or near
        return UNKNOWN[KINDS[key]], message, near or f"the {plural(KINDS[key])} are: {listed(choices)}"
    return "wrong-value", f"{about} cannot be {shown}", near or f"choose one of: {listed(choices)}"


def _any_of(kinds: Sequence[str]) -> str:
    *others, last = [TYPES[each] for each in kinds if each in TYPES and not (each == "integer" and "number" in kinds)]
    return f"{', '.join(others)} or {last}" if others else last


def _type_help(value: Any, kinds: Sequence[str]) -> str | None:
    if isinstance(value, str) and "$" in value and not is_expression(value):
        return f"write the expression in parentheses: `$({value[:60].replace('$', '')})`"
    if isinstance(value, str) and {"integer", "number"} & {*kinds} and re.fullmatch(r"[+-]?\d+(\.\d+)?", value):
        return f"this is a text because of its quotes; write {value[:60]} without them"
    sides = re.fullmatch(r"(\d+)x(\d+)", value) if isinstance(value, str) and "array" in kinds else None
    if sides:
        return f"write `{sides[1]}`" if sides[1] == sides[2] else f"write `[{sides[1]}, {sides[2]}]`"
    if isinstance(value, str) and value[:1] == "(" and "array" in kinds:
        return "write a list in square brackets, such as `[2, 2]`"
    if "boolean" in kinds and value in ("yes", "no", "on", "off"):
        return f"write `true` or `false`: in YAML 1.2 `{value}` is a string"
    if "string" in kinds and isinstance(value, (bool, int, float)):
        return f'write it in quotes: "{show(value)[1:-1]}"'
    return None


# ---- paths: the operator, argument or key that a path in the JSON Schema points at -----------------------------------


def one_key_options() -> dict[str, Family]:
    """The options of a recipe with one declaration in the one-key form, and the declarations to choose from."""
    from archspec.lang.recipes.recipe import ONE_KEY

    return ONE_KEY


def word(path: Path) -> str | None:
    """The last key of the path."""
    return next((part for part in reversed(path) if isinstance(part, str)), None)


def owner(path: Path) -> str | None:
    """The declaration whose value the path points at: `conv` for the value of `conv:`."""
    name, at = _head(path)
    return name if at == len(path) else None


def subject(path: Path) -> str:
    """The subject of an error message: `filters` of `conv`, an item of `input`."""
    name, at = _head(path)
    rest = path[at:]
    names = [argument.name for argument in arguments(declaration(path))] if name else []
    if name and not rest and names:
        about = f"`{names[0]}` of `{name}`"  # a bare value
    elif name and rest and rest[0] in names:
        about = f"`{rest[0]}` of `{name}`"
    else:
        about = f"`{word(path)}`" if word(path) else "the spec"
    return f"an item of {about}" if path and isinstance(path[-1], int) else about


SECTION_FAMILIES: Mapping[str | int, Family] = {"train": TRANSFORMS, "preprocess": TRANSFORMS, "evaluate": PROTOCOLS}
"""What the lists in a section choose from; all other lists choose from the operators."""


def declaration(path: Path) -> type[Declared]:
    """The last declaration in a path: `dense` is an operator in `layers`, and a protocol in `evaluate`."""
    at = _head(path)[1] - 1
    return _family(path, at)[str(path[at])]


def _head(path: Path) -> tuple[str | None, int]:
    """The last declaration in a path and the position after it: a name after a list index or a one-key option."""
    for at in range(len(path) - 1, 0, -1):
        if path[at] in _family(path, at):
            return str(path[at]), at + 1
    return None, 0


def _family(path: Path, at: int) -> Family:
    """What the key at a position of a path is chosen from."""
    before = path[at - 1]
    if isinstance(before, int):
        return SECTION_FAMILIES.get(path[0], OPS)
    return one_key_options().get(before, {}) if path[0] == "train" else {}
