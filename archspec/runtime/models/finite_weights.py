"""Weights that turn the outputs of a network into numbers without meaning: NaN, infinity, negative variances.

And the layers whose outputs are NaN or infinite.
"""

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


def not_finite_layers(model: Any, inputs: Any) -> list[str]:
    """Notes on where NaN or infinity begins in a model: the weights that contain it, or the first layer.

    Args:
        inputs: what the model is called with, a small batch for which an output is not finite.
    """
    import keras
    import numpy as np

    if line := not_finite(model, "the model"):
        return [line.partition(" has ")[2]]
    layers = [layer for layer in model.layers if isinstance(layer.output, keras.KerasTensor)]
    try:
        found = keras.Model(model.inputs, [layer.output for layer in layers])(
            keras.tree.flatten(inputs), training=False
        )
    except ValueError:  # a layer of another model, which this one shares
        return []
    finite = [bool(np.isfinite(np.asarray(keras.ops.cast(each, "float32"))).all()) for each in found]
    if all(finite):
        return []
    first = layers[finite.index(False)]
    if isinstance(first, keras.layers.InputLayer):
        return ["the inputs contain NaN or infinite values"]
    return [f"the first is the output of the layer `{first.name.replace('.', '/')}`"]
