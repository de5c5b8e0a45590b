"""Weights that turn the outputs of a network into numbers without meaning: NaN, infinity, negative variances."""

from __future__ import annotations

from typing import Any

from archspec.diagnostics import listed

VARIANCES = ("moving_variance", "running_var")
"""Names of variances, whose roots divide."""


def is_negative_variance(name: str, array: Any) -> bool:
    """Whether an array is the variance of a batch normalization, and a value of it is negative."""
    return name in VARIANCES and bool((array < 0).any())


def not_finite(model: Any, source: object) -> str | None:
    """A warning that names the weights of a model that contain NaN or infinity, or negative variances; else None."""
    import numpy as np

    arrays = {weight.path: np.asarray(weight, "float32") for weight in model.weights if "float" in str(weight.dtype)}
    found = [path for path, array in arrays.items() if not np.isfinite(array).all()]
    negative = [path for path, array in arrays.items() if is_negative_variance(path.rpartition("/")[2], array)]
    facts = []
    if found:
        names = "every weight" if len(found) == len(arrays) > 1 else listed([f"`{path}`" for path in found], 4)
        facts.append(f"NaN or infinity in {names}")
    if negative:
        facts.append(f"negative values in the variance {listed([f'`{path}`' for path in negative], 4)}")
    return f"warning: `{source}` has {' and '.join(facts)}" if facts else None
