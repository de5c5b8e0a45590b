"""The classes to explain: names, numbers, and the most probable ones of each image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import did_you_mean, fail, listed


@dataclass(frozen=True)
class TargetClasses:
    """A choice of classes that is made for each image."""

    fixed: tuple[int, ...]
    """Class numbers."""
    top: int
    """How many of the most probable classes come before them."""

    def of(self, probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """Class numbers (B, k) for probabilities (B, classes)."""
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, : self.top]
        rest = np.tile(np.array(self.fixed, np.int64), (len(probabilities), 1))
        return np.concatenate([best, rest], axis=1).astype(np.int32)


def target_classes(texts: Sequence[str], class_names: Sequence[str]) -> TargetClasses:
    """The choice that `--class` makes: names first, then numbers, then `top-K`.

    Raises:
        ArchspecError: `unknown-class`.
    """
    fixed, top = [], 0
    for text in texts:
        if text in class_names:
            fixed.append(class_names.index(text))
        elif text.isdecimal() and int(text) < len(class_names):
            fixed.append(int(text))
        elif (found := re.fullmatch(r"top-([1-9]\d{0,5})", text)) is not None:
            top = min(int(found[1]), len(class_names))
        else:
            raise _unknown(text, class_names)
    return TargetClasses(tuple(dict.fromkeys(fixed)), top)


def _unknown(text: str, class_names: Sequence[str]) -> Exception:
    numbers = f"a number from 0 to {len(class_names) - 1}, or `top-K` such as `top-3`"
    return fail(
        "unknown-class",
        f"the network has no class `{text}`",
        notes=[f"its classes are: {listed(class_names, 20)}"],
        help=(None if text.isdecimal() else did_you_mean(text, class_names)) or f"give a name, {numbers}",
    )
