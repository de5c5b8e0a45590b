"""Data without a split of its own: a seeded share of every class is held out for validation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail

REMEDY = "`--validation-split 0.1` holds out 10% of the images of every class"


def split_rows(
    labels: npt.NDArray[np.int32], split: str, validation_split: float | None, seed: int, data: str
) -> npt.NDArray[np.int64]:
    """Row numbers of the "train" or "validation" images of a stratified split, ascending.

    Each class gives round(validation_split * count) images to validation: at least one if it has two, and never all.
    If `validation_split` is None, all rows are "validation".

    Raises:
        ArchspecError: validation-split, for "train" without a share, or for a share outside (0, 1).
    """
    if validation_split is None:
        if split == "train":
            raise fail("validation-split", f"`{data}` has no validation images", help=REMEDY)
        return np.arange(len(labels))
    if not 0 < validation_split < 1:
        fact = f"the validation split must be between 0 and 1, but is {validation_split:g}"
        raise fail("validation-split", fact, help=REMEDY)
    held_out = [np.zeros(0, np.int64)]
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(max(round(len(rows) * validation_split), 1), len(rows) - 1)
        held_out.append(np.random.default_rng([seed, int(label)]).permutation(rows)[:count])
    validation = np.sort(np.concatenate(held_out))
    return validation if split == "validation" else np.setdiff1d(np.arange(len(labels)), validation)


def already_split(data: str, part: str) -> ArchspecError:
    """The error for a share of data that has validation images."""
    return fail(
        "validation-split",
        f"`--validation-split` does not apply to `{data}`, which has validation images in its part `{part}`",
        help="omit `--validation-split`",
    )
