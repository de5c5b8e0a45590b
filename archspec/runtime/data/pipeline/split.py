"""What is held out of data that comes in one piece: a seeded share of every class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail

REMEDY = "--validation-split 0.1 holds out a tenth of every class"


def split_rows(
    labels: npt.NDArray[np.int32], split: str, validation_split: float | None, seed: int, source: str
) -> npt.NDArray[np.int64]:
    """The rows of one side of a stratified split, ascending: "train" or "validation".

    Each class gives round(share * its count) to validation, at least one where it has two. Without a share the
    whole is "validation" (for `evaluate`), and asking for "train" raises validation-split.
    """
    if validation_split is None:
        if split == "train":
            raise fail("validation-split", f"`{source}` has no validation images of its own", help=REMEDY)
        return np.arange(len(labels))
    check_share(validation_split)
    held_out = [np.zeros(0, np.int64)]
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(max(round(len(rows) * validation_split), 1), len(rows) - 1)
        held_out.append(np.random.default_rng([seed, int(label)]).permutation(rows)[:count])
    validation = np.sort(np.concatenate(held_out))
    return validation if split == "validation" else np.setdiff1d(np.arange(len(labels)), validation)


def check_share(validation_split: float) -> None:
    """Raises validation-split unless it lies strictly between 0 and 1."""
    if not 0 < validation_split < 1:
        raise fail(
            "validation-split", f"the validation split is {validation_split:g}, not between 0 and 1", help=REMEDY
        )


def already_split(source: str, where: str) -> ArchspecError:
    """The error for a share asked of data that has its own validation images."""
    return fail(
        "validation-split",
        f"`{source}` has validation images of its own, in {where}",
        help="leave --validation-split out",
    )
