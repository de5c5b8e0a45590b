"""What `archspec plan` counts for an optimizer is what Keras's keeps for a kernel."""

from dataclasses import fields

import keras
import numpy as np
import pytest

from archspec.declare import arguments
from archspec.lang.recipes.optimizers import OPTIMIZERS, Optimizer
from archspec.runtime.training.optimization.optimizer import BY_THE_TRAIN_STEP, make_optimizer

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


def whole_numbers(kind: type[Optimizer]) -> dict[str, int]:
    """Integers for all arguments that are numbers, as a spec may write them: `learning_rate: 1`, `momentum: 0`."""
    given = {}
    for each in arguments(kind):
        no_integer = {"exclusiveMinimum", "exclusiveMaximum"} <= set(each.schema)  # between 0 and 1
        if "number" in each.schema.get("type", ()) and each.name not in BY_THE_TRAIN_STEP and not no_integer:
            given[each.name] = 0 if 0 in (each.schema.get("minimum"), each.schema.get("maximum")) else 1
    return given


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_numbers_may_be_written_as_integers(name: str) -> None:
    """Keras refuses SGD(learning_rate=1) and SGD(momentum=0)."""
    given = whole_numbers(OPTIMIZERS[name])
    assert "learning_rate" in given
    optimizer = make_optimizer(
        OPTIMIZERS[name](**given), [keras.Variable(np.zeros((5, 4), "float32"), name="kernel")], ["kernel"]
    )
    assert float(optimizer.learning_rate) == given["learning_rate"]
