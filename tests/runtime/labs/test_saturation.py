"""Saturated units and vanishing gradients: the measures against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

import archspec
from archspec.runtime.labs.experiments.saturation import derivative, layers_inside, shrinking
from archspec.runtime.labs.memory_training import MemoryTrainer, SgdSettings, augmented
from archspec.runtime.labs.read_lab import lab_source, network_texts


@pytest.mark.parametrize(
    ("activation", "function", "steepest"), [("sigmoid", lambda z: 1 / (1 + np.exp(-z)), 0.25), ("tanh", np.tanh, 1)]
)
def test_derivatives_agree_with_differences(activation: str, function: object, steepest: float) -> None:
    z = np.linspace(-5, 5, 41)
    step = 1e-5
    slope = (function(z + step) - function(z - step)) / (2 * step)  # type: ignore[operator]
    assert derivative(activation, function(z)) == pytest.approx(slope / steepest, abs=1e-8)  # type: ignore[operator]


def test_the_shrinking_of_a_gradient_is_a_geometric_mean() -> None:
    assert shrinking({"rms": np.array([[[1.0, 5.0, 10.0], [4.0, 9.0, 1.0]]])}) == pytest.approx(np.sqrt(0.1 * 4))


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> MemoryTrainer:
    spec = tmp_path_factory.mktemp("saturation") / "spec.yaml"
    spec.write_text(network_texts(lab_source("saturation"))["saturation"], encoding="utf-8")
    return MemoryTrainer(archspec.load(spec, activation="tanh", depth=2, filters=3).graph(), 4)


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.random((count, 8, 8, 1)).astype(np.float32), random.integers(10, size=count).astype(np.int32)


def test_gradients_of_units_agree_with_differences(trainer: MemoryTrainer) -> None:
    """Moving all units of a channel by its bias changes the loss by the sum of their gradients."""
    trainer.start(0)
    x, y = images(5)
    outputs, gradients = layers_inside(trainer.tf, trainer.model, x, y)
    assert [each.shape for each in outputs] == [(5, 8, 8, 3)] * 2
    biases = [layer.bias for layer in trainer.model.layers if layer.name.endswith("conv")]
    for bias, gradient in zip(biases, gradients, strict=True):
        losses = []
        for sign in (1, -1):
            bias.assign_add(np.array([sign * 0.01, 0, 0], np.float32))
            losses.append(-np.log(trainer.predict(x)[np.arange(5), y]).sum())
            bias.assign_add(np.array([-sign * 0.01, 0, 0], np.float32))
        assert gradient[..., 0].sum() == pytest.approx((losses[0] - losses[1]) / 0.02, rel=0.02, abs=1e-3)


def test_sgd_equals_that_of_keras(trainer: MemoryTrainer) -> None:
    """Two steps with momentum. Keras has the learning rate in the velocity, which is equal while it is constant."""
    import keras

    x, y = images(8)
    trainer.start(1)
    peer = keras.models.clone_model(trainer.model)
    peer.set_weights(trainer.model.get_weights())
    peer.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy")
    order = np.random.default_rng(3).permutation(8)
    for start in (0, 4):
        peer.train_on_batch(x[order[start : start + 4]], y[order[start : start + 4]])
    trainer.epoch(x, y, SgdSettings(0.1), np.random.default_rng(3))
    for found, expected in zip(trainer.model.get_weights(), peer.get_weights(), strict=True):
        assert found == pytest.approx(expected, abs=1e-6)


def test_weight_decay_shrinks_kernels_only(trainer: MemoryTrainer) -> None:
    x, y = images(4)
    after = []
    for decay in (0.0, 0.5):
        trainer.start(2)
        kernel, bias = (np.array(each) for each in trainer.model.get_weights()[:2])
        trainer.epoch(x, y, SgdSettings(0.1, weight_decay=decay), np.random.default_rng(0))
        after.append(trainer.model.get_weights()[:2])
    assert after[0][0] - after[1][0] == pytest.approx(0.1 * 0.5 * kernel, abs=1e-6)
    assert after[0][1] == pytest.approx(after[1][1], abs=1e-7)
    assert bias == pytest.approx(0)


def test_augmented_images_are_flipped_and_moved_copies() -> None:
    x = np.random.default_rng(0).random((20, 5, 5, 2)).astype(np.float32) + 1
    found = augmented(x, SgdSettings(0.1, flip=True, shift=1), np.random.default_rng(1))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    flipped = np.pad(x[:, :, ::-1], ((0, 0), (1, 1), (1, 1), (0, 0)))
    views = [
        source[:, top : top + 5, left : left + 5]
        for source in (padded, flipped)
        for top in range(3)
        for left in range(3)
    ]
    assert all(any(np.array_equal(found[row], view[row]) for view in views) for row in range(20))
    assert augmented(x, SgdSettings(0.1), np.random.default_rng(1)) is x


def test_fewer_images_than_a_batch_are_one_batch(trainer: MemoryTrainer) -> None:
    x, y = images(3)
    trainer.start(0)
    before = -np.log(trainer.predict(x)[np.arange(3), y]).mean()
    loss, _ = trainer.epoch(x, y, SgdSettings(0.1), np.random.default_rng(0))
    assert loss == pytest.approx(before, rel=1e-4)
