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

REFINED = 0.5
"""Share of the intervals that are divided when the residual is too large: those with the largest residuals."""
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

    def midpoints(self, starts: Doubles, ends: Doubles) -> tuple[Doubles, Doubles]:
        """Of intervals: the sum of gradient times width (H, W, C), and the slope of the logit at each midpoint (n,)."""
        widths = ends - starts
        total, slopes = np.zeros(self.direction.shape, np.float64), np.zeros(len(starts))
        for part, points in self._batches((starts + ends) / 2):
            gradients = self.gradients(points).astype(np.float64)
            total += np.tensordot(widths[part], gradients, 1)
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
    logit over it. While the whole residual exceeds the tolerance, the intervals with the largest residuals are divided
    into three. A network of ReLUs is piecewise linear, so those are the intervals with a kink.
    """
    edges = np.linspace(0, 1, steps + 1)
    logits = path.logits_at(edges)
    intervals = np.stack([edges[:-1], edges[1:], logits[:-1], logits[1:]])  # start, end, logit at each
    total, slopes = path.midpoints(*intervals[:2])
    while True:
        starts, ends, first, last = intervals
        residuals = last - first - slopes * (ends - starts)
        difference, residual = float(last[-1] - first[0]), float(residuals.sum())
        room = (max_steps - len(starts)) // 2  # each divided interval adds two
        if abs(residual) <= max(tolerance * abs(difference), ROUNDING) or room < 1:
            return Integral((total * path.direction).astype(np.float32), difference, residual, len(starts))
        chosen = np.argsort(-np.abs(residuals), kind="stable")[: min(max(1, int(REFINED * len(starts))), room)]
        kept = np.setdiff1d(np.arange(len(starts)), chosen)
        divided = _in_thirds(path, intervals[:, chosen])
        before, _ = path.midpoints(starts[chosen], ends[chosen])
        after, new_slopes = path.midpoints(*divided[:2])
        total += after - before
        intervals = np.concatenate([intervals[:, kept], divided], 1)
        slopes = np.concatenate([slopes[kept], new_slopes])
        order = np.argsort(intervals[0])
        intervals, slopes = intervals[:, order], slopes[order]


def _in_thirds(path: StraightPath, intervals: Doubles) -> Doubles:
    """Intervals (4, n), divided into three each: (4, 3 n)."""
    starts, ends, first, last = intervals
    third = (ends - starts) / 3
    left, right = starts + third, ends - third
    at_left, at_right = np.split(path.logits_at(np.concatenate([left, right])), 2)
    parts = [(starts, left, first, at_left), (left, right, at_left, at_right), (right, ends, at_right, last)]
    return np.concatenate([np.stack(part) for part in parts], 1)


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
