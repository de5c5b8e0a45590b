"""The Keras optimizer of a declaration, and which weights its decay holds down."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from archspec.declare import arguments
from archspec.lang.recipes.optimizer import Optimizer
from archspec.runtime.models.keras_class import keras_class

BY_THE_LOOP = frozenset(
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
"""Arguments that the training loop sees to: Keras clips each replica's gradients before it sums them, for one."""


def make_optimizer(declared: Optimizer, variables: Sequence[Any], decayed_names: Sequence[str]) -> Any:
    """The Keras optimizer of that declaration, built for variables whose gradients are summed over replicas already.

    Its decoupled weight decay holds down the variables that `decayed` names.
    """
    import keras

    given = {name: value for name, value in dataclasses.asdict(declared).items() if name not in BY_THE_LOOP}
    given = {**given, **_as_floats(declared, given)}
    if given.get("exclude_layers"):  # which Keras takes for regular expressions
        given["exclude_layers"] = [re.escape(word) for word in given["exclude_layers"]]
    optimizer = keras_class(keras.optimizers, declared.name)(**given)
    kept = decayed(variables, decayed_names)
    optimizer.exclude_from_weight_decay(
        var_list=[variable for variable, decays in zip(variables, kept, strict=True) if not decays]
    )
    optimizer.build(list(variables))
    # the loop has summed them, to clip what is summed; Keras has no public word for that
    assert callable(optimizer._all_reduce_sum_gradients)
    optimizer._all_reduce_sum_gradients = list
    return optimizer


def _as_floats(declared: Optimizer, given: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that a page may write as integers: Keras refuses a `learning_rate` of 1, and a `momentum` of 0."""
    numbers = [each.name for each in arguments(type(declared)) if "number" in each.schema.get("type", ())]
    return {name: float(given[name]) for name in numbers if isinstance(given.get(name), int)}


def decayed(variables: Sequence[Any], names: Sequence[str] = ("kernel",)) -> list[bool]:
    """Which variables weight decay holds down: those whose Keras name ends in one of the names."""
    return [variable.name.endswith(tuple(names)) for variable in variables]
