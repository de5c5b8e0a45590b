"""The path integral of integrated gradients against closed forms, and what its adaptive intervals save."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from archspec.runtime.explain.methods.integrated_gradients import StraightPath, integrate

Doubles = npt.NDArray[np.float64]
SHAPE = (4, 5, 1)


class KinkedNet:
    """A sum of ReLUs of linear functions of the image: piecewise linear, one kink a unit. Counts its gradients."""

    def __init__(self, seed: int, units: int = 400):
        rng = np.random.default_rng(seed)
        self.kernel = rng.normal(size=(units, 20))
        self.weights = rng.normal(size=units)
        self.image = rng.uniform(0, 1, SHAPE)
        self.bias = -rng.uniform(0, 1, units) * (self.kernel @ self.image.ravel())  # each kink is on the path from 0
        self.evaluations = 0

    def logits(self, points: npt.NDArray[np.float32]) -> Doubles:
        found: Doubles = np.maximum(points.reshape(len(points), -1) @ self.kernel.T + self.bias, 0) @ self.weights
        return found

    def gradients(self, points: npt.NDArray[np.float32]) -> Doubles:
        self.evaluations += len(points)
        active = points.reshape(len(points), -1) @ self.kernel.T + self.bias > 0
        found: Doubles = ((active * self.weights) @ self.kernel).reshape(len(points), *SHAPE)
        return found

    @property
    def path(self) -> StraightPath:
        return StraightPath(np.zeros(SHAPE, np.float32), self.image.astype(np.float32), self.logits, self.gradients, 7)

    @property
    def attributions(self) -> Doubles:
        """Closed form: each unit is active on one side of its kink, so its gradient counts for that share."""
        slopes = self.kernel @ self.image.ravel()
        kinks = -self.bias / slopes
        active = np.where(slopes > 0, 1 - kinks, kinks)
        found: Doubles = ((active * self.weights) @ self.kernel).reshape(SHAPE) * self.image
        return found


@pytest.mark.parametrize("seed", range(8))
def test_kinks_cost_fewer_gradients_than_uniform_steps(seed: int) -> None:
    net = KinkedNet(seed)
    found = integrate(net.path, steps=32, tolerance=1e-4)
    assert found.relative_residual <= 1e-4
    difference = float(net.logits(net.image[None])[0] - net.logits(np.zeros((1, *SHAPE)))[0])
    assert found.difference == pytest.approx(difference, rel=1e-5)
    assert found.residual == pytest.approx(difference - found.values.sum(), abs=1e-4 * abs(difference))
    scale = np.abs(net.attributions).max()
    np.testing.assert_allclose(found.values, net.attributions, atol=0.02 * scale)
    adaptive, net.evaluations, steps = net.evaluations, 0, 32
    while integrate(net.path, steps=steps, tolerance=1e-4, max_steps=steps).relative_residual > 1e-4 and steps < 2**12:
        steps *= 2
    assert adaptive < steps


def test_the_steps_given_are_kept_where_they_are_enough() -> None:
    net = KinkedNet(0)
    assert integrate(net.path, steps=50, tolerance=10.0).steps == net.evaluations == 50
    assert integrate(net.path, steps=5, max_steps=5).steps == 5


def test_polynomials_have_their_closed_form() -> None:
    rng = np.random.default_rng(1)
    start, image, root = rng.normal(size=SHAPE), rng.normal(size=SHAPE), rng.normal(size=(20, 20))
    matrix, direction = root + root.T, image - start

    def quadratic(points: npt.NDArray[np.float32]) -> Doubles:
        flat = points.reshape(len(points), -1).astype(np.float64)
        found: Doubles = ((flat @ matrix) * flat).sum(axis=1) / 2
        return found

    def linear(points: npt.NDArray[np.float32]) -> Doubles:
        found: Doubles = (points.reshape(len(points), -1).astype(np.float64) @ matrix).reshape(points.shape)
        return found

    exact = integrate(StraightPath(start, direction, quadratic, linear, 4), steps=2)
    expected = direction * (matrix @ (start + image).ravel() / 2).reshape(SHAPE)
    np.testing.assert_allclose(exact.values, expected, atol=1e-4)
    assert exact.steps == 2  # the midpoint rule is exact where the gradient is linear

    def cubic(points: npt.NDArray[np.float32]) -> Doubles:
        found: Doubles = (points.astype(np.float64) ** 3).sum(axis=(1, 2, 3))
        return found

    divided = integrate(StraightPath(start, direction, cubic, lambda points: 3 * points**2, 4), steps=2, tolerance=1e-5)
    expected = direction * (start**2 + start * image + image**2)
    np.testing.assert_allclose(divided.values, expected, atol=2e-4 * np.abs(expected).max())
    assert divided.relative_residual <= 1e-5
    assert divided.steps > 2
