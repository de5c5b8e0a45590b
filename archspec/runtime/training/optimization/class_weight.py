"""`class_weight:` of a recipe as a factor for each class of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import did_you_mean, fail, listed


def class_weights(
    given: Any, class_names: Sequence[str], labels: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float32] | None:
    """Float (classes,), what the loss of an image of each class is multiplied by, or None where nothing is given.

    `balanced` is N / (classes * n) for a class with n of the N images, as scikit-learn's `compute_class_weight`; a
    mapping names classes or their indices, and leaves the others at 1, as `class_weight` of Keras's `fit`.

    Raises ArchspecError (class-weight) for a class that is not there.
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
            raise fail("class-weight", f"`class_weight` names the class `{word}`, which the data has not", help=help)
    return weights
