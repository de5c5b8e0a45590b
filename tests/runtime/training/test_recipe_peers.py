"""What a recipe declares beside Keras's own: signatures, schedules, losses, plateau and early stopping."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.declare import Declared, arguments
from archspec.lang.recipes.losses import LOSSES
from archspec.lang.recipes.monitor import EarlyStopping
from archspec.lang.recipes.optimizers import OPTIMIZERS
from archspec.lang.recipes.recipe import Recipe
from archspec.lang.recipes.schedules import SCHEDULES, Clock, PlateauSchedule
from archspec.runtime.models.keras_class import keras_class
from archspec.runtime.training.optimization.losses import training_loss, validation_loss
from archspec.runtime.training.optimization.lr_schedule import EarlyStopper, LearningRateSchedule

schedules = keras.optimizers.schedules
SHORT = {"constant", "step", "cosine", "plateau"}
"""Schedules that are archspec's own."""
NOT_HERE: Mapping[Any, Mapping[str, str]] = {
    keras.optimizers: {
        "Optimizer": "the base class",
        "LossScaleOptimizer": "`dtype_policy: mixed_float16` scales the loss",
        "MultiOptimizer": "it takes other optimizers",
    },
    keras.losses: {
        "Loss": "the base class",
        "Circle": "it compares the images of a batch with one another",
        "CTC": "it takes sequences",
    },
    schedules: {"LearningRateSchedule": "the base class"},
}
DECIDED = {"name", "kwargs", "reduction", "dtype", "axis", "from_logits"}
"""Arguments of Keras that archspec gives."""


@pytest.mark.parametrize(
    ("module", "base", "declared"),
    [
        (keras.optimizers, keras.optimizers.Optimizer, OPTIMIZERS),
        (keras.losses, keras.losses.Loss, LOSSES),
        (schedules, schedules.LearningRateSchedule, {k: v for k, v in SCHEDULES.items() if k not in SHORT}),
    ],
    ids=["optimizers", "losses", "schedules"],
)
def test_everything_of_keras_is_there_with_its_arguments_and_defaults(
    module: Any, base: Any, declared: Mapping[str, type[Declared]]
) -> None:
    theirs = {key for key, each in vars(module).items() if inspect.isclass(each) and issubclass(each, base)}
    mine = {keras_class(module, name).__name__: each for name, each in declared.items()}
    assert set(mine) | set(NOT_HERE[module]) == theirs
    for name, each in mine.items():
        parameters = inspect.signature(getattr(module, name).__init__).parameters
        expected = {key: value.default for key, value in parameters.items() if key not in DECIDED | {"self"}}
        found = {argument.name: argument.default for argument in arguments(each) if argument.name != "unit"}
        assert set(found) == set(expected), name
        for key, default in expected.items():
            # the optimizer's rate and the length of the run stand in for what Keras requires
            free = key in ("initial_learning_rate", "decay_steps") and default is inspect.Parameter.empty
            if default is inspect.Parameter.empty and not free:
                assert next(a for a in arguments(each) if a.name == key).required, (name, key)
            else:
                assert found[key] == (None if free else default), (name, key)


@pytest.mark.parametrize("name", [*OPTIMIZERS, *LOSSES])
def test_keras_knows_it_by_the_same_name(name: str) -> None:
    if name in ("categorical_generalized_cross_entropy", "lamb"):  # which `get` of Keras has forgotten
        return
    assert (keras.optimizers if name in OPTIMIZERS else keras.losses).get(name) is not None


RATES = {
    "exponential_decay": [
        {"decay_steps": 7, "decay_rate": 0.5},
        {"decay_steps": 5, "decay_rate": 0.9, "staircase": True},
    ],
    "inverse_time_decay": [
        {"decay_steps": 7, "decay_rate": 2.0},
        {"decay_steps": 5, "decay_rate": 1, "staircase": True},
    ],
    "polynomial_decay": [
        {"decay_steps": 10, "power": 2.0},
        {"decay_steps": 6, "end_learning_rate": 0.01, "cycle": True},
    ],
    "piecewise_constant_decay": [{"boundaries": [3, 9, 20], "values": [0.5, 0.1, 0.3, 0.01]}],
    "cosine_decay": [{"decay_steps": 30, "alpha": 0.1}, {"decay_steps": 9, "warmup_target": 0.7, "warmup_steps": 6}],
    "cosine_decay_restarts": [
        {"first_decay_steps": 5, "m_mul": 0.8, "alpha": 0.1},
        {"first_decay_steps": 6, "t_mul": 1.0, "m_mul": 0.5},
    ],
}


@pytest.mark.parametrize(("name", "given_"), [(name, each) for name, cases in RATES.items() for each in cases])
def test_schedules_are_those_of_keras(name: str, given_: dict[str, Any]) -> None:
    """In iterations; and in epochs of 4 iterations, which is four times as long."""
    first = {} if name == "piecewise_constant_decay" else {"initial_learning_rate": 0.2}
    theirs = keras_class(schedules, name)(**first, **given_)
    mine = SCHEDULES[name].make({**first, **given_})
    alone, by_epoch = SCHEDULES[name].make(given_), SCHEDULES[name].make({**given_, "unit": "epochs"})
    for iteration in range(40):
        expected = pytest.approx(float(theirs(iteration)), rel=2e-5, abs=1e-7)
        clock = Clock(iteration, 4, 400)
        assert mine.rate(9.9, clock) == expected
        assert alone.rate(0.2, clock) == expected
        assert by_epoch.rate(0.2, Clock(4 * iteration, 4, 400)) == expected


def probabilities(logits: Any) -> Any:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid_entropy(y: Any, z: Any) -> Any:
    return np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))


def focal_factor(y: Any, z: Any, gamma: float) -> Any:
    s = 1 / (1 + np.exp(-z))
    return (1 - (y * s + (1 - y) * (1 - s))) ** gamma


FORMULAS: Mapping[str, Any] = {  # y: one-hot, p: probabilities, z: logits; (B, classes) -> (B,)
    "categorical_crossentropy": lambda y, p, z: -(y * np.log(p)).sum(1),
    "sparse_categorical_crossentropy": lambda y, p, z: -(y * np.log(p)).sum(1),
    "categorical_focal_crossentropy": lambda y, p, z: -(0.25 * (1 - p) ** 2 * y * np.log(p)).sum(1),
    "categorical_generalized_cross_entropy": lambda y, p, z: (1 - (y * p).sum(1) ** 0.5) / 0.5,
    "binary_crossentropy": lambda y, p, z: sigmoid_entropy(y, z).mean(1),
    "binary_focal_crossentropy": lambda y, p, z: (focal_factor(y, z, 2) * sigmoid_entropy(y, z)).mean(1),
    "categorical_hinge": lambda y, p, z: np.maximum(0, 1 - (y * p).sum(1) + ((1 - y) * p).max(1)),
    "hinge": lambda y, p, z: np.maximum(0, 1 - (2 * y - 1) * p).mean(1),
    "squared_hinge": lambda y, p, z: (np.maximum(0, 1 - (2 * y - 1) * p) ** 2).mean(1),
    "kl_divergence": lambda y, p, z: -(y * np.log(p)).sum(1),
    "poisson": lambda y, p, z: (p - y * np.log(p)).mean(1),
    "mean_squared_error": lambda y, p, z: ((y - p) ** 2).mean(1),
    "mean_absolute_error": lambda y, p, z: np.abs(y - p).mean(1),
    "mean_absolute_percentage_error": lambda y, p, z: 100 * (np.abs(y - p) / np.maximum(y, 1e-7)).mean(1),
    "mean_squared_logarithmic_error": lambda y, p, z: ((np.log1p(y) - np.log1p(p)) ** 2).mean(1),
    "huber": lambda y, p, z: ((y - p) ** 2 / 2).mean(1),
    "log_cosh": lambda y, p, z: np.log(np.cosh(p - y)).mean(1),
    "cosine_similarity": lambda y, p, z: -(y * p).sum(1) / np.sqrt((p**2).sum(1)),
    "dice": lambda y, p, z: 1 - 2 * (y * p).sum(1) / (y.sum(1) + p.sum(1)),
    "tversky": lambda y, p, z: 1 - (y * p).sum(1) / ((y * p).sum(1) + 0.5 * ((1 - y) * p + y * (1 - p)).sum(1)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_their_formulas_an_example(name: str) -> None:
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    labels = np.array([0, 2, 1, 1, 0], np.int32)
    recipe = Recipe(loss=LOSSES[name]())
    expected = FORMULAS[name](np.eye(3)[labels], probabilities(logits.astype(float)), logits.astype(float))
    for loss in (training_loss(recipe), validation_loss(recipe)):
        np.testing.assert_allclose(loss(tf.constant(logits), tf.constant(labels)).numpy(), expected, rtol=3e-4)
    if not LOSSES[name].sparse:
        hard = training_loss(recipe)(tf.constant(logits), tf.constant(np.eye(3, dtype=np.float32)[labels]))
        np.testing.assert_allclose(hard.numpy(), expected, rtol=3e-4)  # the same labels as shares


def test_smoothed_and_mixed_labels_are_targets_like_others() -> None:
    """Both places of `label_smoothing` are one thing for the cross-entropy; validation knows neither."""
    logits = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    mixed = np.random.default_rng(1).dirichlet(np.ones(3), 4).astype(np.float32)
    target = 0.8 * mixed + 0.2 / 3
    expected = -(target * np.log(probabilities(logits))).sum(1)
    outside = Recipe(label_smoothing=0.2)
    inside = Recipe(loss=LOSSES["categorical_crossentropy"](label_smoothing=0.2))
    for recipe in (outside, inside):
        np.testing.assert_allclose(training_loss(recipe)(tf.constant(logits), tf.constant(mixed)), expected, rtol=1e-5)
        plain = -(mixed * np.log(probabilities(logits))).sum(1)
        np.testing.assert_allclose(validation_loss(recipe)(tf.constant(logits), tf.constant(mixed)), plain, rtol=1e-5)
    squared = Recipe(loss=LOSSES["mean_squared_error"](), label_smoothing=0.2)
    found = training_loss(squared)(tf.constant(logits), tf.constant(mixed))
    np.testing.assert_allclose(found, ((target - probabilities(logits)) ** 2).mean(1), rtol=1e-4)


HISTORIES = st.lists(st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5, 0.9]), min_size=1, max_size=25)


class Monitored:
    """As much of a Keras model as a callback looks at."""

    def __init__(self) -> None:
        self.optimizer = SimpleNamespace(learning_rate=keras.Variable(0.1))
        self.stop_training = False


def row(epoch: int, value: float) -> dict[str, Any]:
    return {"epoch": epoch + 1, "val_loss": value}


@settings(max_examples=60)
@given(HISTORIES, st.integers(1, 4), st.integers(0, 2), st.sampled_from([0.0, 0.06]), st.sampled_from([0.0, 0.02]))
def test_plateau_drops_the_rate_where_keras_does(
    history: list[float], patience: int, cooldown: int, min_delta: float, min_lr: float
) -> None:
    """Also when it goes on from its state after every epoch."""
    words: dict[str, Any] = {"factor": 0.5, "patience": patience, "cooldown": cooldown}
    words |= {"min_delta": min_delta, "min_lr": min_lr}
    callback, model = keras.callbacks.ReduceLROnPlateau(mode="min", **words), Monitored()
    callback.set_model(model)
    callback.on_train_begin()
    recipe = Recipe(optimizer=OPTIMIZERS["sgd"](learning_rate=0.1), schedule=PlateauSchedule(**words), epochs=30)
    rates = LearningRateSchedule(recipe, recipe.length(128))
    for epoch, value in enumerate(history):
        before = rates.at(epoch)
        callback.on_epoch_end(epoch, {"val_loss": value})
        model.optimizer.learning_rate = keras.Variable(float(model.optimizer.learning_rate))
        line = rates.after(row(epoch, value))
        assert rates.at(epoch + 1) == pytest.approx(float(model.optimizer.learning_rate), rel=1e-6)
        assert (line is not None) == (rates.at(epoch + 1) != before)
        again = LearningRateSchedule(recipe, recipe.length(128))
        again.restore(rates.state())
        rates = again


@settings(max_examples=60)
@given(HISTORIES, st.integers(0, 4), st.sampled_from([0, 0.06]), st.sampled_from([None, 0.2]), st.integers(0, 3))
def test_early_stopping_stops_where_keras_does(
    history: list[float], patience: int, min_delta: float, baseline: float | None, start: int
) -> None:
    words: dict[str, Any] = {
        "patience": patience,
        "min_delta": min_delta,
        "baseline": baseline,
        "start_from_epoch": start,
    }
    callback, model = keras.callbacks.EarlyStopping(mode="min", **words), Monitored()
    callback.set_model(model)
    callback.on_train_begin()
    recipe = Recipe(early_stopping=EarlyStopping(**words))
    stopper = EarlyStopper(recipe)
    for epoch, value in enumerate(history):
        callback.on_epoch_end(epoch, {"val_loss": value})
        assert stopper.after(row(epoch, value)) == model.stop_training
        if model.stop_training:
            break
        state, stopper = stopper.state(), EarlyStopper(recipe)
        stopper.restore(state)


def test_higher_is_better_for_accuracies() -> None:
    stopper = EarlyStopper(Recipe(early_stopping=EarlyStopping(monitor="val_top1", patience=1)))
    assert [stopper.after({"epoch": i + 1, "val_top1": value}) for i, value in enumerate([0.5, 0.6, 0.55])] == [
        False,
        False,
        True,
    ]
