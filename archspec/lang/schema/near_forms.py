"""Values in a form that is nearly right: Python's `None`, `{name}` for `$name`, a mapping where a list is meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from archspec.declare import arguments
from archspec.lang.schema.validator import Mistake
from archspec.ops import OPS
from archspec.protocols import PROTOCOLS

NAME_IN_BRACKETS = re.compile(r"(?:\{\{?|<|%|#\{)\s*([A-Za-z_]\w*)\s*(?:\}\}?|>|%)\Z")
CALCULATION = re.compile(r"\d[\d.]*( *[-+*/] *\d[\d.]*)+")
GROUPED = re.compile(r"\d{1,3}(_\d{3})+")
MAX_ITEMS, MAX_TEXT = 6, 60


def near_form(wrong: Mistake, names: Collection[str] = ()) -> str | None:
    """The remedy for a value of a wrong type; `names` are the parameters and arguments that it may read."""
    if wrong.rule != "type":
        return None
    value = wrong.value
    if isinstance(value, str) and value in ("yes", "on") and _takes_nothing(wrong.path[-1]):
        return f"write `{wrong.path[-1]}`, without a value"
    if isinstance(value, str):
        return _of_text(value, wrong, names)
    key = next((part for part in reversed(wrong.path) if isinstance(part, str)), "")
    if isinstance(value, Mapping) and wrong.asked in ("array", ["array", "null"]):
        return _as_list(key, value, wrong.path)
    if isinstance(value, Mapping) and wrong.path[:1] == ("variants",) and len(wrong.path) == 2:
        name = next(iter(value), "NAME")
        return f"write a mapping: `variants: {{{name}: {_short(value.get(name))}, ...}}`"
    if isinstance(value, list) and wrong.path == ("blocks",):
        name = next((each for item in value if isinstance(item, Mapping) for each in item), "NAME")
        return f"write a mapping: `blocks: {{{name}: {{layers: [...]}}}}`"
    if value is True and _takes_nothing(key):
        return f"write `{key}`, without a value"
    kinds = [wrong.asked] if isinstance(wrong.asked, str) else wrong.asked
    if isinstance(value, list) and "integer" in kinds and value and value[:1] * len(value) == value:
        return f"write `{key}: {_short(value[0])}`"
    return None


def _takes_nothing(name: str | int) -> bool:
    """Whether it is an operator that needs no argument."""
    return name in OPS and not any(each.required for each in arguments(OPS[str(name)]))


def _of_text(value: str, wrong: Mistake, names: Collection[str]) -> str | None:
    kinds = [wrong.asked] if isinstance(wrong.asked, str) else wrong.asked
    if value == "None":
        return "write `~`" if "null" in kinds else "write `~` where a value may be empty, or leave the key out"
    if found := NAME_IN_BRACKETS.match(value):
        return f"write `${found[1]}`"
    if value in names:
        return f"write `${value}` for the value of `{value}`"
    if " //" in value or value.startswith("//"):
        return f"a comment begins with `#`: `{value.partition('//')[0].strip()}  # ...`"
    if "number" in kinds or "integer" in kinds:
        if CALCULATION.fullmatch(value):
            return f"write `$({value})`"
        if GROUPED.fullmatch(value):
            return f"write `{value.replace('_', '')}`"
    copies = re.fullmatch(r"x?(\d{1,6})x?", value)
    if copies and "integer" in kinds and "array" not in kinds:
        return f"write `{copies[1]}`" if "x" in value else None
    if wrong.path == ("evaluate",):
        from archspec.lang.schema.foreign import recipe_name

        protocol = recipe_name(value, PROTOCOLS)
        return f"write `evaluate: {{protocols: [{protocol}]}}`" if protocol else None
    if wrong.path == ("train", "init"):
        return f'write `init: {{"**": {value[:MAX_TEXT]}}}`'
    return None


def _as_list(key: str, value: Mapping[str, Any], path: tuple[str | int, ...]) -> str:
    """The list that is meant by a mapping: of its entries, or of it alone."""
    if path == ("published",):
        return "write a list of entries: `published: [{...}]`"
    if path == ("input",):
        return "write `inputs: {NAME: [...]}` for inputs with names"
    items = [each if inner in (None, True) else f"{each}: {_short(inner)}" for each, inner in value.items()]
    if path == ("layers",) or len(items) > MAX_ITEMS:
        return f"write `- ` before each of its lines: `- {items[0] if items else '...'}`"
    return f"write `{key}: [{', '.join(items)}]`"


def _short(value: Any) -> str:
    from archspec.lang.schema.remedies import flow

    return flow(value)
