"""A page with its variant chosen and its settings applied: what a run directory and a model file carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from archspec.lang import source
from archspec.lang.spec import Spec


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # the language has no anchors


def resolved_text(
    spec: Spec, variant: str | None, params: Mapping[str, Any], sections: Mapping[str, Any], name: str
) -> str:
    """The page as YAML, without variants and rows. `params` are the final ones; `sections` replace whole keys.

    Its graph is that of the variant, layer by layer, under the same paths.
    """
    page: dict[str, Any] = {"name": name}
    if spec.title:
        page["source"] = spec.title
    column = list(spec.variants).index(variant) if variant else 0
    for key, value in source.plain(spec.document).items():
        if key in ("name", "source", "variants", "default", "expect", "params"):
            continue
        if key == "layers" and params:
            page["params"] = {word: each for word, each in params.items() if word != "input"}
        page[key] = _without_rows(value, column)
    if "input" in params:
        page["input"] = list(params["input"])
    page.update(sections)
    return yaml.dump(page, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True)


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
