"""Which predictions are averaged with which: models under one protocol, or the protocols of one model."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.diagnostics import fail, listed
from archspec.runtime.evaluation.protocols.predictions import Predictions, average


def averages(found: Sequence[Sequence[Predictions]], weights: Sequence[float] | None) -> list[Predictions]:
    """One for each protocol, over the models; of one model, one over its protocols.

    found: the predictions of each model under each of its protocols; a single one goes with all of the others'.

    Raises ArchspecError: `ensemble`.
    """
    if len(found) == 1:
        groups = [list(found[0])]
    else:
        most = max(map(len, found))
        if any(len(rows) not in (1, most) for rows in found):
            counts = listed(f"{rows[0].models[0]} {len(rows)}" for rows in found)
            fact = f"the models have different numbers of protocols: {counts}"
            raise fail("ensemble", fact, help="name the protocols by `--protocol`, or one for each: `MODEL:PROTOCOL`")
        groups = [[rows[min(number, len(rows) - 1)] for rows in found] for number in range(most)]
    check_members(len(groups[0]), weights)
    return [average(group, weights) for group in groups]


def check_members(count: int, weights: Sequence[float] | None) -> None:
    """Raises `ensemble` for fewer than two, and for another number of weights."""
    if count < 2:
        raise fail("ensemble", "an ensemble has at least two members", help="give more models, or more protocols")
    if weights is not None and len(weights) != count:
        fact = f"there are {len(weights)} weights for {count} members"
        raise fail("ensemble", fact, help="give one for each member, in their order")
