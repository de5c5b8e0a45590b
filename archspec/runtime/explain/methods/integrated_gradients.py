"""Integrated gradients (Sundararajan et al. 2017), with steps that adapt until the parts add up to the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.declare import POSITIVE, POSITIVE_NUMBER, arg, choice, declared
from archspec.diagnostics import counted
from archspec.runtime.explain.baseline import LEVELS, uniform_input
from archspec.runtime.explain.explain_method import CLASSES, SAMPLES, ExplainMethod
from archspec.runtime.explain.explanation import ExplainedImage
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.input_gradients import NOISE, explained_by_class, noisy_copies
from archspec.runtime.explain.map_scaling import Array
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.wording import option

FEWEST = 8
"""Intervals that are divided together, at least, when the residual is too large."""
ROUNDING = 1e-6
"""A residual of this size is rounding."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StraightPath:
    """The points baseline + share (x - baseline), for shares from 0 to 1, and the network on them."""

    baseline: Array
    """(H, W, C)."""
    direction: Array
    """x - baseline."""
    logits: Callable[[Array], Array]
    """Points (n, H, W, C) -> logits (n,)."""
    gradients: Callable[[Array], Array]
    """Points (n, H, W, C) -> gradients of the logit (n, H, W, C)."""
    batch_size: int
    """Points that run together."""

    def _batches(self, shares: Doubles) -> Iterator[tuple[slice, Array]]:
        for start in range(0, len(shares), self.batch_size):
            part = slice(start, start + self.batch_size)
            yield part, (self.baseline + shares[part, None, None, None] * self.direction).astype(np.float32)

    def logits_at(self, shares: Doubles) -> Doubles:
        """Logits (n,) at these shares."""
        return np.concatenate([self.logits(points) for _, points in self._batches(shares)]).astype(np.float64)

    def gradients_at(self, shares: Doubles, weights: Doubles) -> tuple[Doubles, Doubles]:
        """The weighted sum of the gradients at these shares (H, W, C), and the slope of the logit at each (n,)."""
        total, slopes = np.zeros(self.direction.shape, np.float64), np.zeros(len(shares))
        for part, points in self._batches(shares):
            gradients = self.gradients(points).astype(np.float64)
            total += np.tensordot(weights[part], gradients, 1)
            slopes[part] = (gradients * self.direction).sum(axis=(1, 2, 3))
        return total, slopes


@dataclass(frozen=True)
class Integral:
    """Attributions of one image, and how well they add up."""

    values: Array
    """(H, W, C), in logits."""
    difference: float
    """F(x) - F(baseline), logits."""
    residual: float
    """`difference` less the sum of the values."""
    steps: int
    """Intervals of the path."""

    @property
    def relative_residual(self) -> float:
        """|residual| as a share of |difference|."""
        return abs(self.residual) / abs(self.difference) if self.difference else abs(self.residual)


def integrate(path: StraightPath, *, steps: int = 32, tolerance: float = 1e-3, max_steps: int = 2048) -> Integral:
    """Integrate the gradient along the straight path from the baseline to x, by the midpoint rule.

    Completeness holds on each interval of the path: the slope at its midpoint times its length is the change of the
    logit over it. While the whole residual exceeds the tolerance, the intervals that cause it are divided into three:
    those with its sign, the largest first, that make up the whole residual. A network of ReLUs is piecewise linear, so
    those are the intervals with a kink. Dividing the others too would only replace their errors, which nearly cancel.
    """
    edges = np.linspace(0, 1, steps + 1)
    logits = path.logits_at(edges)
    total, slopes = path.gradients_at((edges[:-1] + edges[1:]) / 2, np.diff(edges))
    intervals = np.stack([edges[:-1], edges[1:], logits[:-1], logits[1:], slopes])  # start, end, logit at each, slope
    difference = float(logits[-1] - logits[0])
    while True:
        starts, ends, first, last, slopes = intervals
        residuals = last - first - slopes * (ends - starts)
        residual = float(residuals.sum())
        room = (max_steps - len(starts)) // 2  # each divided interval adds two
        if abs(residual) <= max(tolerance * abs(difference), ROUNDING) or room < 1:
            return Integral((total * path.direction).astype(np.float32), difference, residual, len(starts))
        chosen = _causes(residuals)[:room]
        change, divided = _in_thirds(path, intervals[:, chosen])
        total += change
        intervals = np.concatenate([np.delete(intervals, chosen, 1), divided], 1)
        intervals = intervals[:, np.argsort(intervals[0])]


def _causes(residuals: Doubles) -> npt.NDArray[np.intp]:
    """The intervals that make up the whole residual: those with its sign, the largest first."""
    towards = residuals * np.sign(residuals.sum())
    order = np.argsort(-towards, kind="stable")[: np.count_nonzero(towards > 0)]
    needed = int(np.searchsorted(np.cumsum(towards[order]), towards.sum())) + 1
    return order[: max(needed, FEWEST)]


def _in_thirds(path: StraightPath, intervals: Doubles) -> tuple[Doubles, Doubles]:
    """Divide intervals (5, n) into three: the change of the sum of gradients (H, W, C), and the intervals (5, 3 n).

    The middle third keeps the midpoint, thus the slope; only the weight of its gradient changes.
    """
    starts, ends, first, last, slopes = intervals
    third = (ends - starts) / 3
    left, right = starts + third, ends - third
    at_left, at_right = np.split(path.logits_at(np.concatenate([left, right])), 2)
    change, found = path.gradients_at(
        np.concatenate([(starts + ends) / 2, (starts + left) / 2, (right + ends) / 2]),
        np.concatenate([-2 * third, third, third]),
    )
    _, left_slopes, right_slopes = np.split(found, 3)
    parts = [
        (starts, left, first, at_left, left_slopes),
        (left, right, at_left, at_right, slopes),
        (right, ends, at_right, last, right_slopes),
    ]
    return change, np.concatenate([np.stack(part) for part in parts], 1)


@declared
class IntegratedGradients(ExplainMethod):
    """Integrated gradients: what each pixel adds to a class's logit (Sundararajan et al. 2017).

    The gradient is averaged on the straight path from the baseline to the image, and multiplied by their difference
    (equation 1). The values add up to the difference of the two logits; what is missing is printed as the residual.
    """

    name = "integrated-gradients"
    one_at_a_time = True

    classes: tuple[str, ...] = CLASSES
    baseline: str = arg(choice(*LEVELS), "the image that means nothing: one pixel value everywhere", "black")
    steps: int = arg(POSITIVE, "intervals of the path at the beginning", 32)
    tolerance: float = arg(
        POSITIVE_NUMBER, "largest residual, as a share of the difference; intervals are divided until it is met", 1e-3
    )
    max_steps: int = arg(POSITIVE, "largest number of intervals", 2048)
    samples: int = SAMPLES
    noise: float = NOISE

    def check(self, network: OpenNetwork) -> None:
        network.targets(self.classes)

    def explain_batch(self, network: OpenNetwork, batch: ImageBatch) -> Sequence[ExplainedImage]:
        start = uniform_input(network, LEVELS[self.baseline], batch.x.shape[1:])
        integrals: list[list[Integral]] = []  # by class, then image

        def attributions(classes: npt.NDArray[np.integer[Any]]) -> Array:
            column = [
                self._integral(network, x, start, int(number)) for x, number in zip(batch.x, classes, strict=True)
            ]
            integrals.append(column)
            return np.stack([each.values for each in column])

        images = explained_by_class(
            network, batch, self.classes, attributions, lambda values: values.sum(axis=-1), "signed", "logits"
        )
        return [self._with_residuals(image, [column[row] for column in integrals]) for row, image in enumerate(images)]

    def _integral(self, network: OpenNetwork, x: Array, start: Array, number: int) -> Integral:
        """Of one image, or the mean over noisy copies of it."""

        def logits(points: Array) -> Array:
            return network.predict(points)[0][:, number]

        def gradients(points: Array) -> Array:
            return network.input_gradient(points, np.full(len(points), number))[1]

        found = [
            integrate(
                StraightPath(start, copy - start, logits, gradients, network.batch_size),
                steps=self.steps,
                tolerance=self.tolerance,
                max_steps=max(self.steps, self.max_steps),
            )
            for copy in noisy_copies(x, self.samples, self.noise)
        ]
        return Integral(
            np.mean([each.values for each in found], axis=0),
            float(np.mean([each.difference for each in found])),
            float(np.mean([each.residual for each in found])),
            max(each.steps for each in found),
        )

    def _with_residuals(self, image: ExplainedImage, integrals: Sequence[Integral]) -> ExplainedImage:
        panels, notes = [], list(image.notes)
        for panel, integral in zip(image.panels, integrals, strict=True):
            numbers = {
                **panel.numbers,
                "difference": integral.difference,
                "residual": integral.residual,
                "steps": integral.steps,
            }
            share = f"residual {integral.relative_residual:.1e} of the difference {integral.difference:.4g}"
            panels.append(
                replace(panel, numbers=numbers, text=f"{panel.title} ({share}, {counted(integral.steps, 'step')})")
            )
            if abs(integral.residual) > max(self.tolerance * abs(integral.difference), ROUNDING):
                fact = f"the residual is {integral.relative_residual:.3g} of the difference, above the tolerance"
                notes.append(f"{fact} {self.tolerance:g}: raise {option('max_steps')}, or {option('steps')}")
        return replace(image, panels=tuple(panels), notes=tuple(notes))
