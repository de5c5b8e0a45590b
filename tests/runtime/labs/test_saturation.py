"""Saturated units and vanishing gradients: the measures against their definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.runtime.labs.experiments.saturation import derivative, layers_inside, shrinking
from archspec.runtime.labs.progress import LabProgress
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
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small network of the lab with tanh."""
    import keras

    spec = tmp_path_factory.mktemp("saturation") / "spec.yaml"
    spec.write_text(network_texts(lab_source("saturation"))["saturation"], encoding="utf-8")
    keras.utils.set_random_seed(0)
    return archspec.load(spec, activation="tanh", depth=2, filters=3).build()


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.random((count, 8, 8, 1)).astype(np.float32), random.integers(10, size=count).astype(np.int32)


def test_gradients_of_units_agree_with_differences(model: Any) -> None:
    """Moving all units of a channel by its bias changes the loss by the sum of their gradients."""
    import tensorflow as tf

    x, y = images(5)
    outputs, gradients = layers_inside(tf, model, x, y)
    assert [each.shape for each in outputs] == [(5, 8, 8, 3)] * 2
    biases = [layer.bias for layer in model.layers if layer.name.endswith("conv")]
    for bias, gradient in zip(biases, gradients, strict=True):
        losses = []
        for sign in (1, -1):
            bias.assign_add(np.array([sign * 0.01, 0, 0], np.float32))
            losses.append(-np.log(np.asarray(model(x))[np.arange(5), y]).sum())
            bias.assign_add(np.array([-sign * 0.01, 0, 0], np.float32))
        assert gradient[..., 0].sum() == pytest.approx((losses[0] - losses[1]) / 0.02, rel=0.02, abs=1e-3)


@pytest.mark.slow
def test_an_epoch_that_was_not_looked_at_is_trained_again(tmp_path: Path) -> None:
    """As after a kill between the end of an epoch and the look into its network: the result is the same."""
    given: Any = {"out": tmp_path / "out", "scale": "tiny", "progress": LabProgress(silent=True)}
    first = archspec.lab("saturation", **given)
    parts = tmp_path / "out" / "parts"
    before = {path: path.read_bytes() for path in parts.glob("*.npz")}
    (parts / "tanh-seed0-epoch1.npz").unlink()
    again = archspec.lab("saturation", **given)
    assert again == first
    assert {path: path.read_bytes() for path in parts.glob("*.npz")} == before
