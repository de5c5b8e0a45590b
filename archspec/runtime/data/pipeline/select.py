"""One side of a source: its training images, or those that training does not see."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.diagnostics import fail
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.split import already_split, split_rows

VALIDATION = ("val", "validation", "test")  # the first of them that is there
PARTS = ("train", *VALIDATION, "")
Parts = Mapping[str, Images]
"""What a source holds: "train" and one or more of VALIDATION, or "" in one piece. Files are not opened yet."""


def selected(parts: Parts, split: str, validation_split: float | None, seed: int, source: str) -> Images:
    """The images of a split, "train" or "validation"; data in one piece is divided as `split_rows` says.

    Raises validation-split and data-not-found.
    """
    validation = next((name for name in VALIDATION if name in parts), None)
    if validation is None:
        whole = parts["train"] if "train" in parts else parts[""]
        return whole.only(split_rows(whole.labels, split, validation_split, seed, source))
    if "train" not in parts:
        if split == "train" or validation_split is not None:
            raise fail("data-not-found", f"`{source}` has images for `{validation}` and none for `train`")
    elif validation_split is not None:
        raise already_split(source, f"`{validation}`")
    return parts["train" if split == "train" else validation]
