"""One step on one device beside Keras's own optimizer, regularizer, clipping and averaging; and laws of the step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from archspec.lang.recipes.optimizers import OPTIMIZERS, Sgd
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.distributed.strategy import make_strategy
from archspec.runtime.models.keras_class import keras_class
from archspec.runtime.models.metrics import MetricSums
from archspec.runtime.training.optimization import optimizer as loss_scale
from archspec.runtime.training.optimization.losses import class_weights
from archspec.runtime.training.replica_batches import replica_batches
from archspec.runtime.training.train_step import TrainStep

X = np.random.default_rng(1).normal(size=(7, 3)).astype(np.float32)
Y = np.array([0, 3, 1, 2, 3, 1, 0], np.int32)
START = [
    np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32),
    np.array([0.1, 0.2, -0.3, 0.4], np.float32),
]


def linear(**arguments: Any) -> Any:
    """Three numbers to four classes, from START."""
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(4, **arguments)(inputs)))
    model.set_weights(START)
    return model


def stepped(
    recipe: Recipe, updates: Sequence[bool], *, batch: int = 7, model: Any = None, x: Any = X, y: Any = Y, **given: Any
) -> tuple[TrainStep, list[MetricSums]]:
    """A step for each of `updates`, over batches of the data again and again, at the recipe's rate."""
    strategy = make_strategy()
    with strategy.scope():
        model = model() if model else linear()
    step = TrainStep(strategy, model, recipe, **given)
    iterator = iter(replica_batches(strategy, tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).repeat()))
    return step, [MetricSums.of(step(iterator, recipe.optimizer.learning_rate, update)) for update in updates]


def beside_keras(optimizer: Any, steps: int, regularizer: Any = None) -> list[Any]:
    """The weights after so many steps of Keras's optimizer on the whole data."""
    model = linear(kernel_regularizer=regularizer)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    loss = keras.losses.SparseCategoricalCrossentropy()
    for _ in range(steps):
        with tf.GradientTape() as tape:
            total = loss(Y, model(X)) + sum(model.losses)
        optimizer.apply(tape.gradient(total, model.trainable_variables), model.trainable_variables)
    return [
        *model.get_weights(),
        *([] if not optimizer.use_ema else map(np.array, optimizer._model_variables_moving_average)),
    ]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimizer_is_that_of_keras_with_its_decay_and_average(name: str) -> None:
    given = {"learning_rate": 0.02, "weight_decay": 0.03, "use_ema": True, "ema_momentum": 0.6}
    step, _ = stepped(Recipe(optimizer=OPTIMIZERS[name](**given)), [True] * 4)
    expected = beside_keras(keras_class(keras.optimizers, name)(**given), 4)
    found = step.model.get_weights()
    with step.averaged():
        found += step.model.get_weights()
    for mine, its in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, its, atol=2e-6)
    assert np.abs(found[0] - START[0]).max() > 1e-3
    assert np.abs(found[0] - found[2]).max() > 1e-4
    np.testing.assert_array_equal(step.model.get_weights()[0], found[0])  # put back


@pytest.mark.parametrize(
    "clip", [{}, {"clipnorm": 0.05}, {"global_clipnorm": 0.06}, {"clipvalue": 0.02}], ids=["no", "each", "all", "value"]
)
def test_coupled_decay_is_clipped_with_the_gradient_as_keras_does_with_a_regularizer(clip: dict[str, float]) -> None:
    """weight_decay w is the gradient of the regularizer weight_decay / 2 w^2."""
    given = {"learning_rate": 0.1, "momentum": 0.9}
    step, _ = stepped(Recipe(optimizer=Sgd(**given, **clip), weight_decay=0.2), [True] * 3)
    expected = beside_keras(keras.optimizers.SGD(**given, **clip), 3, keras.regularizers.L2(0.1))
    for mine, its in zip(step.model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-6)


def test_decay_reaches_the_weights_that_are_asked_for() -> None:
    recipe = Recipe(optimizer=Sgd(learning_rate=0.5), weight_decay=0.2)
    one, _ = stepped(recipe, [True])
    every, _ = stepped(Recipe(optimizer=Sgd(learning_rate=0.5), weight_decay=0.2, decayed=("kernel", "bias")), [True])
    np.testing.assert_allclose(every.model.get_weights()[0], one.model.get_weights()[0], atol=1e-7)
    np.testing.assert_allclose(every.model.get_weights()[1], one.model.get_weights()[1] - 0.1 * START[1], atol=1e-6)


def test_accumulated_batches_are_one_large_batch() -> None:
    """7 examples in batches of 2, three an update, are 6 and the 1 that is left at the epoch's end."""
    given = {"learning_rate": 0.1, "momentum": 0.9, "clipnorm": 0.2}
    small, scores = stepped(
        Recipe(optimizer=Sgd(**given, gradient_accumulation_steps=3), weight_decay=0.1),
        [False, False, True, True] * 2,
        batch=2,
    )
    large, whole = stepped(Recipe(optimizer=Sgd(**given), weight_decay=0.1), [True] * 4, batch=6)
    for mine, its in zip(small.model.get_weights(), large.model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-6)
    assert sum(each.loss_sum for each in scores[:3]) == pytest.approx(whole[0].loss_sum, rel=1e-6)
    assert [each.optimizer.iterations.numpy() for each in (small, large)] == [4, 4]


def test_the_average_takes_the_statistics_of_normalization_along() -> None:
    def normalized() -> Any:
        inputs = keras.Input((3,))
        return keras.Sequential([inputs, keras.layers.BatchNormalization(momentum=0.5), keras.layers.Dense(4)])

    recipe = Recipe(optimizer=Sgd(use_ema=True, ema_momentum=0.75))
    step, _ = stepped(recipe, [True, True], model=normalized)
    # momentum 0.5 twice: 3/4 of the mean of X; before it 1/2; the average holds 3/4 of the first and 1/4 of the second
    mean = X.mean(axis=0)
    assert step.model.weights[2].name == "moving_mean"
    np.testing.assert_allclose(step.model.get_weights()[2], 0.75 * mean, atol=1e-5)
    with step.averaged():
        np.testing.assert_allclose(step.model.get_weights()[2], (0.75 * 0.5 + 0.25 * 0.75) * mean, atol=1e-5)


def test_the_average_takes_the_place_of_the_weights_every_so_many_updates() -> None:
    recipe = Recipe(optimizer=Sgd(use_ema=True, ema_momentum=0.75, ema_overwrite_frequency=3))
    for updates, same in ((2, False), (3, True)):
        step, _ = stepped(recipe, [True] * updates)
        now = step.model.get_weights()[0]
        with step.averaged():
            assert np.array_equal(step.model.get_weights()[0], now) == same


def test_the_scale_of_float16_is_that_of_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """An infinite input makes an infinite gradient: no update, half the scale; twice the scale after good updates."""
    monkeypatch.setattr(loss_scale, "GROWTH", 2)
    keras_optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), dynamic_growth_steps=2)
    variable = keras.Variable(np.zeros(3, np.float32))
    expected = []
    for bad in (False, True, False, False, False):
        keras_optimizer.apply([tf.constant([np.inf if bad else 1.0] * 3)], [variable])
        expected.append(float(keras_optimizer.dynamic_scale))
    x = np.repeat(X[:1], 5, axis=0)
    x[1] = 3e4  # times weights: beyond 65504
    recipe = Recipe(optimizer=Sgd(), dtype_policy="mixed_float16")

    def half() -> Any:
        inputs = keras.Input((3,))
        hidden = keras.layers.Dense(4, dtype="mixed_float16", kernel_initializer="ones")(inputs)
        return keras.Model(inputs, keras.layers.Dense(2, dtype="mixed_float16")(keras.layers.Rescaling(1e-3)(hidden)))

    found, before = [], None
    for count in range(1, 6):
        keras.utils.set_random_seed(0)
        step, _ = stepped(recipe, [True] * count, batch=1, model=half, x=x, y=np.zeros(5, np.int32))
        scale, fine = step.variables()[-2:]
        found.append(float(scale.numpy()))
        kernel = step.model.get_weights()[0]
        assert np.isfinite(kernel).all()
        assert (before is not None and np.array_equal(kernel, before)) == (count == 2)
        before = kernel
    assert found == expected == [2.0**15, 2.0**14, 2.0**14, 2.0**15, 2.0**15]
    assert int(fine.numpy()) == 1


def test_a_gradient_that_overflows_costs_an_update_and_not_the_run() -> None:
    """By hand: with hidden h = 0.03 the logits are 4h and -4h, p = (0.56, 0.44), and the gradient of h is
    -4 x 0.44 - 4 x 0.44 = -3.52: times 2^15 it is -115,000, and times 2^14 -57,700, where float16 ends at 65,504."""

    def steep() -> Any:
        inputs = keras.Input((3,))
        hidden = keras.layers.Dense(1, dtype="mixed_float16", kernel_initializer="ones")
        head = keras.layers.Dense(2, dtype="mixed_float16")
        model = keras.Model(inputs, keras.layers.Softmax(dtype="float32")(head(hidden(inputs))))
        head.set_weights([np.float32([[4, -4]]), np.zeros(2, np.float32)])
        return model

    recipe = Recipe(optimizer=Sgd(learning_rate=0.0625), dtype_policy="mixed_float16")
    x, y = np.full((2, 3), 0.01, np.float32), np.zeros(2, np.int32)
    kernels, scales = [], []
    for count in (1, 2):
        step, scores = stepped(recipe, [True] * count, batch=1, model=steep, x=x, y=y)
        assert scores[0].loss == pytest.approx(-np.log(1 / (1 + np.exp(-0.24))), abs=1e-3)
        kernels.append(step.model.get_weights()[0])
        scales.append(float(step.variables()[-2].numpy()))
    assert scales == [2.0**14, 2.0**14]
    np.testing.assert_array_equal(kernels[0], 1)
    np.testing.assert_allclose(kernels[1], 1 + 0.0625 * 0.01 * 8 / (1 + np.exp(0.24)), rtol=1e-5)


def test_weighted_classes_and_auxiliary_outputs_by_hand() -> None:
    """d loss / d bias = mean of c_y (p - y), of each output with its weight; the loss is the one that is minimized."""

    def two() -> Any:
        inputs = keras.Input((3,))
        heads = [keras.layers.Softmax()(keras.layers.Dense(4)(inputs)) for _ in range(2)]
        model = keras.Model(inputs, heads)
        model.set_weights([*START, START[0] / 2, START[1]])
        return model

    factors = np.array([1.0, 2.0, 0.5, 3.0])
    recipe = Recipe(optimizer=Sgd(learning_rate=1.0))
    step, (score,) = stepped(recipe, [True], model=two, loss_weights=(1.0, 0.3), class_weight=factors)
    total, moved = 0.0, []
    for weight, kernel in ((1.0, START[0]), (0.3, START[0] / 2)):
        logits = X.astype(float) @ kernel + START[1]
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        total += weight * (factors[Y] * -np.log(p[range(7), Y])).sum()
        moved.append(weight * (factors[Y][:, None] * (p - np.eye(4)[Y])).mean(axis=0))
        if weight == 1:
            right = (p.argmax(axis=1) == Y).sum()
    assert score.loss_sum == pytest.approx(total, rel=1e-5)
    assert score.top1_count == right
    for bias, gradient in zip(step.model.get_weights()[1::2], moved, strict=True):
        np.testing.assert_allclose(bias, START[1] - gradient, atol=1e-5)


def test_class_weights_by_name_index_and_balance() -> None:
    names, labels = ("cat", "dog", "7", "cow"), np.array([0, 0, 0, 1, 2, 2])
    assert class_weights(None, names, labels) is None
    given = class_weights({"dog": 2, "3": 5, "7": 0.5}, names, labels)
    assert given is not None
    assert given.tolist() == [1, 2, 0.5, 5]
    balanced = class_weights("balanced", names[:3], labels)  # 6 / (3 n), as in scikit-learn's documentation
    np.testing.assert_allclose(balanced, [6 / 9, 2, 1])


def test_every_variable_is_in_the_list_once() -> None:
    recipe = Recipe(
        optimizer=OPTIMIZERS["nadam"](use_ema=True, gradient_accumulation_steps=2), dtype_policy="mixed_float16"
    )
    step, _ = stepped(recipe, [False, True], batch=4)
    variables = step.variables()
    assert all(callable(each.assign) for each in variables)
    assert len({id(each) for each in variables}) == len(variables)
    # model 2; nadam: iteration, rate, product, two moments each; accumulators 2 and a count; averages 2; scale, count
    assert len(variables) == 2 + 7 + 3 + 2 + 2
