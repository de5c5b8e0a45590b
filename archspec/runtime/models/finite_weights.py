"""Weights with NaN or infinity, which a network turns into outputs without meaning."""

from __future__ import annotations

from typing import Any

from archspec.diagnostics import listed


def not_finite(model: Any, source: object) -> str | None:
    """A warning that names the weights of a model that contain NaN or infinity; None if there are none."""
    import numpy as np

    weights = [weight for weight in model.weights if "float" in str(weight.dtype)]
    found = [weight.path for weight in weights if not np.isfinite(np.asarray(weight, "float32")).all()]
    if not found:
        return None
    names = "every weight" if len(found) == len(weights) > 1 else listed([f"`{path}`" for path in found], 4)
    return f"warning: `{source}` has NaN or infinity in {names}"
