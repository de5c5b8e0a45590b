"""The resolved spec: one variant with its settings applied, as run directories and model files store it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.diagnostics import Source
from archspec.lang.document.nodes import plain
from archspec.lang.document.yaml_parser import parse_document
from archspec.lang.document.yaml_writer import dump
from archspec.lang.spec.names import used
from archspec.lang.spec.spec import Spec


def resolved_text(
    spec: Spec, variant: str | None, params: Mapping[str, Any], sections: Mapping[str, Any], name: str
) -> str:
    """The spec as YAML, without variants and rows. `params` are the final values; `sections` replace whole keys.

    Its graph is that of the variant, with the same paths. Parameters that only other variants use are left out.
    """
    plain_spec: dict[str, Any] = {"name": name}
    if spec.title:
        plain_spec["source"] = spec.title
    column = list(spec.variants).index(variant) if variant else 0
    for key, value in plain(spec.document).items():
        if key not in ("name", "source", "variants", "default", "expect", "published", "params"):
            plain_spec[key] = _without_rows(value, column)
    if "input" in params:
        plain_spec["input"] = list(params["input"])
    plain_spec.update(sections)
    reads = used(parse_document(Source(name, dump(plain_spec))))
    given = {word: each for word, each in params.items() if word in reads}
    if given:
        layers = plain_spec.pop("layers")
        plain_spec |= {"params": given, "layers": layers}
    return dump(plain_spec)


def _without_rows(value: Any, column: int) -> Any:
    if isinstance(value, dict):
        return {key: _without_rows(each, column) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    chosen = []
    for item in value:
        if not isinstance(item, dict) or not isinstance(item.get("row"), list):
            chosen.append(_without_rows(item, column))
        elif item["row"][column] is not None:
            cell = item["row"][column]
            modifiers = {key: each for key, each in item.items() if key != "row"}
            cell = cell if isinstance(cell, dict) else {cell: None}
            chosen += _without_rows([{**modifiers, **cell}], column)
    return chosen
