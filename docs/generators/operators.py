"""docs/operators.md, from the operators, transforms, optimizers, schedules and protocols."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any

from archspec.declare import Declared, arguments
from archspec.lang.declarations import default_text, sections_inside
from archspec.lang.recipes.losses import LOSSES, Loss
from archspec.lang.recipes.optimizers import OPTIMIZERS, Optimizer
from archspec.lang.recipes.recipe import EvaluationRecipe, Recipe
from archspec.lang.recipes.schedules import SCHEDULES
from archspec.ops import OPS
from archspec.ops.base import OpError, product, show
from archspec.plugins import load_all_plugins
from archspec.protocols import PROTOCOLS
from archspec.transforms import TRANSFORMS
from generators.pages import NOTICE, doc_of


def operators() -> str:
    """docs/operators.md."""
    load_all_plugins()
    parts = [
        NOTICE,
        "# Operators, transforms and recipes\n",
        "Arguments have Keras's names and Keras's defaults. The first argument is the bare value: `conv: 64` is",
        "`conv: {filters: 64}`. Shapes are those of one sample, channels last. MACs are multiply-accumulates of",
        "convolutions, dense layers and matrix products (attention, `dot`, `matmul`), as papers count them; biases,",
        "normalization, activations, pooling and merges count as 0. FLOPs = 2 x MACs.\n",
        "## Operators\n",
        " ".join(f"[`{name}`](#{name})" for name in OPS) + "\n",
    ]
    for name, op in OPS.items():
        parts += [_entry(name, op), _examples(name, op)]
    parts.append("## Transforms\n\nFor `preprocess:` and `train: {augment: [...]}`.\n")
    parts += [_entry(name, each) for name, each in TRANSFORMS.items()]
    parts.append("## `train:`\n")
    parts.append(_table(Recipe))
    for name, section in sections_inside(Recipe).items():
        parts.append(_entry(f"`{name}:`", section))
    parts.append("### Optimizers\n")
    parts.append(f"{doc_of(Optimizer)}\n\n{_table(Optimizer)}")
    shared = {each.name: each.default for each in arguments(Optimizer)}
    for name, optimizer in OPTIMIZERS.items():
        own = _table(optimizer, leave_out=shared)
        parts.append(f"#### {name}\n\n{doc_of(optimizer)}\n\n{own}")
    parts.append("### Losses\n")
    parts.append(f"{inspect.cleandoc(sys.modules[Loss.__module__].__doc__ or '')}\n")
    parts += [_entry(name, each, level=4) for name, each in LOSSES.items()]
    parts.append("### Schedules\n")
    parts += [_entry(name, each, level=4) for name, each in SCHEDULES.items()]
    parts.append("## `evaluate:`\n")
    parts.append(f"{doc_of(EvaluationRecipe)}\n\n{_table(EvaluationRecipe)}")
    parts.append("### Protocols\n\nFor `evaluate: {protocols: [...]}` and `archspec evaluate --protocol`.\n")
    for name, each in PROTOCOLS.items():
        parts.append(f"#### {name}\n\n{doc_of(each)}\n\nSource: {each.paper}.\n\n{_table(each)}")
    return "\n".join(parts).rstrip() + "\n"


def _entry(name: str, declared: type[Declared], level: int = 3) -> str:
    return f"{'#' * level} {name}\n\n{doc_of(declared)}\n\n{_table(declared)}"


def _table(declared: type[Any], leave_out: Mapping[str, Any] | None = None) -> str:
    """The arguments as a table; without those that `leave_out` has with the same default."""
    rows = [
        f"| `{each.name}` | {each.doc} | {'required' if each.required else f'`{default_text(each.default)}`'} |"
        for each in arguments(declared)
        if leave_out is None or leave_out.get(each.name, arguments) != each.default
    ]
    if not rows:
        return ""
    return "\n".join(["| argument | meaning | default |", "|---|---|---|", *rows]) + "\n"


def _examples(name: str, op: type[Any]) -> str:
    rows = []
    for given, shapes in op.examples:
        made = op.make(given)
        try:
            out, macs = made.shape(*shapes), made.macs(*shapes)
        except OpError:
            continue
        params = sum(weight.size for weight in made.weights(*shapes))
        inputs = ", ".join(show(shape) for shape in shapes)
        known = "unknown" if product(out) is None and macs is None else f"{macs:,}"
        rows.append(f"| `{_flow(name, given)}` | {inputs} | {show(out)} | {params:,} | {known} |")
    return "\n".join(["| example | input | output | params | MACs |", "|---|---|---|---:|---:|", *rows]) + "\n"


def _flow(name: str, given: Mapping[str, Any]) -> str:
    inside = ", ".join(f"{key}: {default_text(_tuples(value))}" for key, value in given.items())
    return f"{name}: {{{inside}}}" if inside else name


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value
