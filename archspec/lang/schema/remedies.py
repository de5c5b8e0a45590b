"""The remedy for a value that breaks the JSON Schema, from what is declared at its place.

The last resort of `messages`: the value in another form, where that form fits; else the meaning of the key, with an
example or its default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archspec.declare import Argument, Declared, arguments, thaw
from archspec.diagnostics import listed
from archspec.lang.declarations import BRANCH, default_text, sections_inside
from archspec.lang.schema.spec_schema import FIGURE, PUBLISHED, SECTIONS, spec_schema
from archspec.lang.schema.structures import BLOCK, MODIFIERS, RESIDUAL
from archspec.lang.schema.validator import Mistake, Path, is_number, mistakes

MAX_SHOWN = 60
SECTIONS_INSIDE = {
    "warmup": "warmup: {epochs: 5}",
    "early_stopping": "early_stopping: {monitor: val_loss, patience: 10}",
}


def remedy(wrong: Mistake, head: str | None, declared: type[Declared] | None) -> str | None:
    """What to write instead. `head` and `declared` are the last declaration in the path, if there is one."""
    place = _argument(wrong.path, head, declared)
    other = _other_form(wrong)
    if other:
        return f"write `{other}`"
    value = wrong.value
    if wrong.rule in ("maximum", "exclusiveMaximum") and wrong.asked == 1 and is_number(value) and 2 <= value <= 100:
        return f"for {value:g} percent, write `{value / 100:g}`"
    key = str(wrong.path[-1]) if wrong.path else ""
    if wrong.rule == "type" and wrong.path[:1] == ("train",) and key in SECTIONS_INSIDE:
        return f"for example, `{SECTIONS_INSIDE[key]}`"
    if wrong.rule == "type" and wrong.asked in ("array", ["array", "null"]):
        if value is None:
            return "write `[]` for an empty list"
        return f"write a list: `[{value if is_number(value) else '...'}]`, or one item per line after `- `"
    key, doc = (place.name, place.doc) if place else _described(wrong.path)
    if wrong.rule == "type" and wrong.asked == "object" and wrong.known:
        return f"write its keys below it, indented: {listed(wrong.known, 12)}"
    if not key:
        return None
    if place and not place.required and value in (None, [], {}):
        default = f" for the default, {default_text(place.default)}" if _plain(place) else ""
        return f"`{key}`: {doc}; leave it out{default}"
    example = _example(place, head, declared) if place else None
    return f"`{key}`: {doc}" + (f"; for example, `{example}`" if example else "")


# ---- the same value in another form ---------------------------------------------------------------------------------


def _other_form(wrong: Mistake) -> str | None:
    """The key with the value in a form that fits: without brackets, as a list, or under a key of its own."""
    key = wrong.path[-1] if wrong.path else None
    if not isinstance(key, str) or wrong.rule != "type":
        return None
    return next(
        (f"{key}: {flow(each)}" for each in _forms(wrong) if each is not None and _fits(wrong.path, each)), None
    )


def _forms(wrong: Mistake) -> Iterator[Any]:
    value = wrong.value
    if isinstance(value, list) and len(value) == 1:
        yield value[0]
    if value in (None, [], {}):
        return
    if not isinstance(value, dict):
        required = [name for name in wrong.schema.get("required", ()) if name in wrong.known]
        names = [*required, *(name for name in wrong.known if name not in required)] if len(wrong.known) < 30 else []
        for name in names:
            yield {name: value}
            if not isinstance(value, list):
                yield {name: [value]}
        yield [value] if not isinstance(value, list) else None


def _fits(path: Path, value: Any) -> bool:
    """Whether a value is valid at a place of a spec, as far as the schema can tell without what surrounds it."""
    root = spec_schema()
    at = max((i for i, part in enumerate(path) if isinstance(part, int)), default=None)
    schema: Any
    if path[0] not in root["properties"]:  # of another document, such as a lab
        return False
    if at is None:
        inner, schema = path[1:], root["properties"][path[0]]
    elif path[0] in ("layers", "blocks"):
        inner, schema = path[at + 1 :], root["definitions"]["layer"]
    else:
        return False
    for part in reversed(inner):
        value = {part: value}
    return not mistakes(value, schema, root)


def flow(value: Any) -> str:
    """A value in YAML's flow form; long ones are cut: `{body: [...]}`."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {flow(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        simple = all(not isinstance(each, (dict, list)) for each in value)
        text = f"[{', '.join(map(flow, value))}]"
        return text if simple and len(text) <= MAX_SHOWN else "[...]"
    if value is None or isinstance(value, bool):
        return "~" if value is None else str(value).lower()
    return str(value)[:MAX_SHOWN]


# ---- what is declared at the place ----------------------------------------------------------------------------------


def _argument(path: Path, head: str | None, declared: type[Declared] | None) -> Argument | None:
    """The argument of a declaration, or the field of a section, that the path leads to or into."""
    if declared is not None and head in path:
        rest = path[len(path) - 1 - path[::-1].index(head) + 1 :]
        given = arguments(declared)
        named = next((each for each in given if rest and each.name == rest[0]), None)
        return named or (given[0] if given and not any(isinstance(part, str) for part in rest) else None)
    if path[:1] == ("train",) or path[:1] == ("evaluate",):
        from archspec.lang.recipes.recipe import EvaluationRecipe, Recipe

        section: type[Any] = Recipe if path[0] == "train" else EvaluationRecipe
        found = None
        for part in path[1:]:
            if isinstance(part, str):
                found = next((each for each in arguments(section) if each.name == part), found)
                section = sections_inside(section).get(part, section)
        return found
    return None


def _described(path: Path) -> tuple[str, str]:
    """The last key of a path that a schema describes, and its description."""
    known: dict[str, Mapping[str, Any]] = {
        **FIGURE["then"]["properties"],
        **PUBLISHED["properties"],
        **BLOCK["properties"],
        **RESIDUAL["properties"],
        **MODIFIERS,
        "residual": RESIDUAL,
    }
    properties, copies = spec_schema()["properties"], BRANCH["then"]["properties"]
    for at, part in reversed(list(enumerate(path))):
        if at and part in copies and isinstance(path[at - 1], str):  # the keys of a layer follow its number in a list
            return str(part), copies[str(part)]["description"]
        schema = properties[part] if at == 0 and part not in SECTIONS and part in properties else known.get(str(part))
        if isinstance(part, str) and schema and "description" in schema:
            return part, schema["description"]
    return "", ""


def _example(place: Argument, head: str | None, declared: type[Declared] | None) -> str | None:
    """The argument as written in a spec, with the first value of the declaration's examples or its default."""
    if declared is None or head is None:
        return f"{place.name}: {default_text(place.default)}" if _plain(place) else None
    needed = [each.name for each in arguments(declared) if each.required or each.name == place.name]
    examples = [dict(each[0]) for each in getattr(declared, "examples", ())]
    given = next(({name: each[name] for name in needed if name in each} for each in examples if place.name in each), {})
    if not given and not _plain(place):
        return None
    given = given or {place.name: thaw(place.default)}
    first = needed[0] if needed[0] == arguments(declared)[0].name else ""
    return f"{head}: {flow(given[first])}" if list(given) == [first] else f"{head}: {flow(given)}"


def _plain(place: Argument) -> bool:
    """Whether the default is a value that can be shown."""
    return not place.required and isinstance(place.default, (str, int, float, tuple)) and place.default != ()
