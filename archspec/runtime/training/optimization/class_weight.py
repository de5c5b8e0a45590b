"""`class_weight` of a recipe as a factor for each class of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import did_you_mean, fail, listed


def class_weights(
    given: Any, class_names: Sequence[str], labels: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float32] | None:
    """The factor of the loss of an image of each class, float32 (classes,), or None.

    `balanced` is N / (classes * n) for a class with n of the N images, as in scikit-learn's `compute_class_weight`. A
    mapping names classes or their indices; other classes have factor 1, as with `class_weight` of Keras's `fit`.

    Raises ArchspecError (`class-weight`) for an unknown class.
    """
    if given is None:
        return None
    if given == "balanced":
        counts = np.bincount(labels, minlength=len(class_names))
        return (len(labels) / (len(class_names) * np.maximum(counts, 1))).astype(np.float32)
    weights = np.ones(len(class_names), np.float32)
    for key, weight in given.items():
        word = str(key)
        if word in class_names:
            weights[list(class_names).index(word)] = weight
        elif word.isdecimal() and int(word) < len(class_names):
            weights[int(word)] = weight
        else:
            help = did_you_mean(word, class_names) or f"the classes are: {listed(class_names)}"
            raise fail(
                "class-weight", f"`class_weight` names the class `{word}`, but the data has no such class", help=help
            )
    return weights
