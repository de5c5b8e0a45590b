"""The Keras optimizer of a declaration, and the weights that its decay applies to."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from archspec.declare import arguments
from archspec.lang.recipes.optimizers import Optimizer
from archspec.runtime.models.keras_class import keras_class

BY_THE_TRAIN_STEP = frozenset(
    {
        "clipnorm",
        "clipvalue",
        "global_clipnorm",
        "use_ema",
        "ema_momentum",
        "ema_overwrite_frequency",
        "loss_scale_factor",
        "gradient_accumulation_steps",
    }
)
"""Arguments that `TrainStep` implements. Keras, for one, clips the gradients of each replica before it sums them."""


def make_optimizer(declared: Optimizer, variables: Sequence[Any], decayed_names: Sequence[str]) -> Any:
    """The Keras optimizer of a declaration, built for variables whose gradients are already summed over replicas.

    Its decoupled weight decay applies to the variables whose names end in one of `decayed_names`.
    """
    import keras

    given = {name: value for name, value in dataclasses.asdict(declared).items() if name not in BY_THE_TRAIN_STEP}
    given = {**given, **_as_floats(declared, given)}
    if given.get("exclude_layers"):  # regular expressions in Keras
        given["exclude_layers"] = [re.escape(word) for word in given["exclude_layers"]]
    optimizer = keras_class(keras.optimizers, declared.name)(**given)
    kept = decayed(variables, decayed_names)
    optimizer.exclude_from_weight_decay(
        var_list=[variable for variable, decays in zip(variables, kept, strict=True) if not decays]
    )
    optimizer.build(list(variables))
    # TrainStep has summed the gradients, to clip the sum; Keras has no public option for that
    assert callable(optimizer._all_reduce_sum_gradients)
    optimizer._all_reduce_sum_gradients = list
    return optimizer


def _as_floats(declared: Optimizer, given: Mapping[str, Any]) -> dict[str, float]:
    """Numbers that a spec may write as integers: Keras rejects a `learning_rate` of 1 and a `momentum` of 0."""
    numbers = [each.name for each in arguments(type(declared)) if "number" in each.schema.get("type", ())]
    return {name: float(given[name]) for name in numbers if isinstance(given.get(name), int)}


def decayed(variables: Sequence[Any], names: Sequence[str] = ("kernel",)) -> list[bool]:
    """Which variables weight decay applies to: those whose Keras name ends in one of the names."""
    return [variable.name.endswith(tuple(names)) for variable in variables]
