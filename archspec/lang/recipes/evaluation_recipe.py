"""The evaluation recipe of a spec: the keys of `evaluate:`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from archspec.declare import POSITIVE, arg
from archspec.lang.declarations import from_one_key, list_of, read_section, write_section
from archspec.protocols import PROTOCOLS, Protocol


@dataclass(frozen=True)
class EvaluationRecipe:
    """How test images reach the network: the shortest side after resizing, and the evaluation protocols."""

    resize: int | None = arg(POSITIVE, "shortest side after resizing, pixels; by default the input's own", None)
    protocols: tuple[Protocol, ...] = arg(
        list_of(PROTOCOLS),
        "the evaluation protocols of the paper; `archspec evaluate` runs the first, and all with `--protocol spec`",
        (),
    )


def evaluation_recipe(section: Mapping[str, Any]) -> EvaluationRecipe:
    """`evaluate:`, already validated, with its defaults."""
    return read_section(EvaluationRecipe, section)


def make_protocols(values: Sequence[Any]) -> tuple[Protocol, ...]:
    """Protocols from the one-key form of a spec (`ten-crop`, `{multi-scale: [256, 384]}`), already validated."""
    return tuple(cast("Protocol", from_one_key(value, PROTOCOLS)) for value in values)


def evaluation_json(recipe: EvaluationRecipe) -> dict[str, Any]:
    """`evaluate:` as written in a spec, with every default filled in."""
    return write_section(recipe)
