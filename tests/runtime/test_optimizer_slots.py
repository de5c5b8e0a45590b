"""What `archspec plan` counts for an optimizer is what Keras's keeps for a kernel."""

from dataclasses import fields

import keras
import numpy as np
import pytest

from archspec.lang.recipes.optimizers import OPTIMIZERS

SETTINGS = ({}, {"momentum": 0.9}, {"momentum": 0.9, "centered": True}, {"amsgrad": True})
CASES = [
    (name, given)
    for name, kind in OPTIMIZERS.items()
    for given in SETTINGS
    if set(given) <= {f.name for f in fields(kind)}
]


@pytest.mark.parametrize(("name", "given"), CASES)
def test_values_kept_for_each_weight(name: str, given: dict[str, object]) -> None:
    kinds = {each.lower(): getattr(keras.optimizers, each) for each in dir(keras.optimizers) if each[0].isupper()}
    optimizer = kinds[name](**given)
    optimizer.build([keras.Variable(np.zeros((50, 40), "float32"), name="kernel")])
    kept = sum(variable.shape == (50, 40) for variable in optimizer.variables)
    assert OPTIMIZERS[name](**given).slots == kept


def test_averages_and_accumulated_gradients_are_kept_too() -> None:
    assert OPTIMIZERS["adam"](use_ema=True, gradient_accumulation_steps=4).values_per_weight == 2 + 1 + 1
