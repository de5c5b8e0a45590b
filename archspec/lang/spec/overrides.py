"""Options that override a spec: `--set NAME=VALUE` and `--protocol`.

`--set` sets parameters, and keys of sections by a dotted path (`train.epochs=5`).
"""

from __future__ import annotations

import numbers
from collections.abc import Collection, Iterable, Mapping
from math import isfinite
from typing import Any

from archspec.arguments import a_kind
from archspec.declare import arguments
from archspec.diagnostics import ArchspecError, Diagnostic, Span, fail, listed, merged
from archspec.lang.document.nodes import LARGEST, MappingNode, Node, SequenceNode, find, plain
from archspec.lang.document.yaml_parser import parse_value
from archspec.lang.expressions import value_of
from archspec.lang.schema.messages import SHORT, one_key_options
from archspec.lang.schema.spec_schema import SECTIONS, spec_schema
from archspec.lang.schema.validate import validate_section
from archspec.protocols import PROTOCOLS, Protocol


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """`classes=10` -> {"classes": 10}; the value is YAML. Raises ArchspecError: setting, and what `parse` raises."""
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise fail("setting", f"`--set {text}` is not NAME=VALUE", help="for example, `--set classes=10`")
        if not value.strip():
            raise fail("setting", f"`--set {text}` has no value", help=f"`--set {name.strip()}=~` sets it to null")
        if name.strip() in SECTIONS:
            help = f"`--set {name.strip()}.KEY=VALUE` changes one key"
            help += ", `--recipe FILE` replaces the whole section" * (name.strip() == "train")
            raise fail("setting", f"`{name.strip()}` is a section of the spec, not a parameter", help=help)
        settings[name.strip()] = parse_value(value, f"--set {name.strip()}")
    return settings


def normal(name: str, value: Any) -> Any:
    """A Python value as in a spec: NumPy numbers become Python numbers, tuples become lists.

    Raises ArchspecError: setting.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [normal(name, each) for each in value]
    if not isinstance(value, numbers.Real):
        what = "a mapping" if isinstance(value, dict) else a_kind(value)
        raise fail("setting", f"`{name}` cannot be set to {what}", help="give a number, a word or a list")
    number = int(value) if isinstance(value, numbers.Integral) else float(value)
    if not abs(number) <= LARGEST:  # also true for NaN
        what = "NaN or infinity" if isinstance(number, float) and not isfinite(number) else "a number larger than 10^18"
        raise fail("setting", f"`{name}` cannot be set to {what}")
    return number


def split(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of parameters, and those of sections."""
    of_sections = {
        name: value for name, value in settings.items() if name.partition(".")[0] in SECTIONS and "." in name
    }
    return {name: value for name, value in settings.items() if name not in of_sections}, of_sections


def section(
    document: MappingNode, name: str, settings: Mapping[str, Any], params: Mapping[str, Any], *, checked: bool = False
) -> Any:
    """A section of the spec with its expressions evaluated and the settings applied; {} if there is neither.

    `checked`: the section was checked as it is written, so that only the values of its expressions can be wrong.

    Raises ArchspecError when the value of an expression or a setting does not fit.
    """
    node = document.get(name)
    values: Any = {} if node is None else _evaluated(node, params)
    unchecked = node is not None and not (checked and values == plain(node))
    diagnostics = validate_section(values, name, document) if unchecked else []
    if not diagnostics:
        given = {dotted: value for dotted, value in settings.items() if dotted.partition(".")[0] == name}
        if any(dotted.startswith("train.optimizer.") for dotted in given):
            values.setdefault("optimizer", {"sgd": {"momentum": 0.9}})  # the default of a recipe, before it is changed
        for dotted, value in given.items():
            _put(values, dotted, _of_setting(dotted, value, params), given)
        diagnostics = validate_section(values, name) if given else []
    if name == "train" and not diagnostics:
        from archspec.lang.recipes.contradictions import contradictions
        from archspec.lang.recipes.recipe import recipe

        diagnostics = [
            Diagnostic("recipe", each.message, _unless_set(document, (name, *each.path), settings), help=each.help)
            for each in contradictions(recipe(values))
        ]
    if diagnostics:
        raise ArchspecError(*merged(diagnostics))
    return values


def place(document: MappingNode, path: tuple[str, ...]) -> Span | None:
    """The place of the deepest part of a path that the spec has; None if a setting added it."""
    while len(path) > 1:
        try:
            nodes, key = find(document, path)
        except (KeyError, ValueError):
            path = path[:-1]
        else:
            return key.span if key else nodes[-1].span
    return None


def recipe_setting(word: str) -> str | None:
    """`train.weight_decay` for `weight_decay`, `train.optimizer.sgd.momentum` for `momentum` or a short form of it."""
    if word in spec_schema()["properties"]["train"]["properties"]:
        return f"train.{word}"
    argument = SHORT.get(word, word)
    known = argument in {each.name for each in arguments(one_key_options()["optimizer"]["sgd"])}
    return f"train.optimizer.sgd.{argument}" if known else None


def recipe_words() -> list[str]:
    """The words that `recipe_setting` knows, without the short forms."""
    of_recipe = spec_schema()["properties"]["train"]["properties"]
    return [*of_recipe, *(each.name for each in arguments(one_key_options()["optimizer"]["sgd"]))]


def _unless_set(document: MappingNode, path: tuple[str, ...], settings: Collection[str]) -> Span | None:
    """The `place` of a path; None if a setting changed it, because then the spec is not at fault."""
    dotted = ".".join(path)
    touched = any(f"{dotted}.".startswith(f"{each}.") or f"{each}.".startswith(f"{dotted}.") for each in settings)
    return None if touched else place(document, path)


def _put(values: dict[str, Any], dotted: str, value: Any, others: Collection[str]) -> None:
    """Set one key of a section and create the mappings above it. `epochs` and `iterations` replace each other."""
    options = one_key_options()
    _, *inner, last = dotted.split(".")
    above = ""
    for word in inner:
        here = values.get(word)
        if isinstance(here, str) and word in options:
            here = {here: {}}  # `schedule: cosine` becomes `schedule: {cosine: {}}` before a setting goes into it
        elif above in options and word in options[above] and word not in values:
            values.clear()  # another optimizer, loss or schedule replaces that of the spec
        elif above in options and not isinstance(here, dict) and here is not None:
            first = arguments(options[above][word])[:1] if word in options[above] else ()
            here = {argument.name: here for argument in first}  # the bare value under its name
        values[word] = here if isinstance(here, dict) else {}
        values, above = values[word], word
    if above in options and last in options[above]:
        values.clear()
    values[last] = value
    other = {"epochs": "iterations", "iterations": "epochs"}.get(last, "")
    if f"{dotted.removesuffix(last)}{other}" not in others:
        values.pop(other, None)


def _evaluated(node: Node, params: Mapping[str, Any]) -> Any:
    if isinstance(node, SequenceNode):
        return [_evaluated(each, params) for each in node.items]
    if isinstance(node, MappingNode):
        return {key: _evaluated(each, params) for key, each in node}
    return value_of(node.value, params, node.span)


def _of_setting(name: str, value: Any, params: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _of_setting(name, each, params) for key, each in value.items()}
    if isinstance(value, list):
        return [_of_setting(name, each, params) for each in value]
    return value_of(normal(name, value), params)


# ---- protocols: `ten-crop`, `center,dense`, `multi-scale: [256, 384]` -----------------------------------------------

ALL_OF_THE_SPEC = "spec"
"""The word for all protocols of a spec's `evaluate:`."""


def parse_protocols(texts: Iterable[str]) -> tuple[Protocol, ...] | None:
    """The protocols of the command line; None for the word `spec` alone.

    Args:
        texts: YAML each: a name, names with commas between, or a protocol with its arguments.

    Raises:
        ArchspecError: `yaml-syntax`, `unknown-operator`, `unknown-argument` and others of `validate_section`.
    """
    values: list[Any] = []
    for text in texts:
        if not text.strip():
            raise fail("unknown-protocol", "the protocol is empty", help=f"the protocols are: {listed(PROTOCOLS)}")
        value = parse_value(text, "--protocol")
        if isinstance(value, str):
            values += [word.strip() for word in value.split(",") if word.strip()]
        elif isinstance(value, dict):
            values += [{name: arguments} for name, arguments in value.items()]
        else:
            values += value if isinstance(value, list) else [value]
    if values == [ALL_OF_THE_SPEC]:
        return None
    diagnostics = validate_section({"protocols": values}, "evaluate")
    if any(each.code == "unknown-protocol" for each in diagnostics):
        PROTOCOLS.with_plugins()
        diagnostics = validate_section({"protocols": values}, "evaluate")
    if diagnostics:
        raise ArchspecError(*merged(diagnostics))
    from archspec.lang.declarations import read_section
    from archspec.lang.recipes.recipe import EvaluationRecipe

    return read_section(EvaluationRecipe, {"protocols": values}).protocols
