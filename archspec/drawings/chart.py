"""Charts: axes with round ticks, and labels that do not overlap. Elements are SVG in the classes of the palette."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from archspec.drawings import svg
from archspec.drawings.font import text_width

SIZE = 11.0
TICKS = 6
"""About as many ticks has an axis."""

FURTHER = 0.06
"""How much of a label may cover a ball before the next place is better."""

CHART_STYLE = (
    ".leader{stroke:#8b949e;stroke-width:.7}.grid{stroke:#d0d7de;stroke-width:.6}.axis{stroke:#6e7781;stroke-width:.9;fill:none}"
    "@media (prefers-color-scheme:dark){.grid{stroke:#30363d}.axis{stroke:#8b949e}}"
)

HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a7a00", "#5b4b9a")
"""Colors of lines and balls: those of Okabe and Ito, 2008, and two more."""


@dataclass(frozen=True)
class ChartAxis:
    """Values from `low` to `high`; with `log`, equal ratios have equal lengths."""

    title: str
    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value is on the axis, from 0 to 1."""
        low, high = self._of(self.low), self._of(self.high)
        return (self._of(value) - low) / (high - low) if high > low else 0.5

    def ticks(self) -> list[float]:
        """Round values on the axis: 1, 2 and 5 times powers of ten for a logarithmic one."""
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            steps = (1, 2, 5) if last - first <= 3 else (1,)
            found = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        else:
            raw = (self.high - self.low) / TICKS or 1.0
            power = 10.0 ** math.floor(math.log10(raw))
            step = power * next(each for each in (1, 2, 5, 10) if raw <= each * power)
            first = math.ceil(self.low / step - 1e-9)
            found = [step * number for number in range(first, math.floor(self.high / step + 1e-9) + 1)]
        return [tick for tick in found if self.low * (1 - 1e-9) <= tick <= self.high * (1 + 1e-9)]

    def _of(self, value: float) -> float:
        return math.log10(value) if self.log else value


def axis_of(title: str, values: Sequence[float], *, log: bool = False, zero: bool = False) -> ChartAxis:
    """An axis for the values, with some room at both ends; with `zero` it begins at 0."""
    low, high = min(values), max(values)
    if log:
        return ChartAxis(title, low / 1.6, high * 1.6, True)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return ChartAxis(title, 0.0 if zero else low - room, high + room)


def tick_text(value: float) -> str:
    """`0.5`, `50`, `2G`."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


@dataclass(frozen=True)
class Chart:
    """An area from (left, top), in pixels, with an axis along each side."""

    left: float
    top: float
    width: float
    height: float
    x: ChartAxis
    y: ChartAxis

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point."""
        return self.left + self.width * self.x.share(x), self.top + self.height * (1 - self.y.share(y))

    def frame(self) -> Iterator[str]:
        """The grid, the axes, their ticks and titles."""
        left, low, right = self.left, self.top + self.height, self.left + self.width
        for tick in self.y.ticks():
            y = self.at(self.x.low, tick)[1]
            yield svg.line([(left, y), (right, y)], 0, class_="grid")
            yield svg.text(left - 6, y + SIZE * 0.36, tick_text(tick), SIZE, text_anchor="end")
        for tick in self.x.ticks():
            x = self.at(tick, self.y.low)[0]
            yield svg.line([(x, low), (x, low + 4)], 0, class_="axis")
            yield svg.text(x, low + 17, tick_text(tick), SIZE, text_anchor="middle")
        yield svg.line([(left, self.top), (left, low), (right, low)], 0, class_="axis")
        yield svg.text(left, self.top - 10, self.y.title, SIZE, class_="faint")
        yield svg.text(right, low + 34, self.x.title, SIZE, text_anchor="end", class_="faint")


Corners = tuple[float, float, float, float]


class Ball(NamedTuple):
    """A circle with its label."""

    x: float
    y: float
    radius: float
    label: str


def labels(balls: Sequence[Ball], left: float, right: float) -> Iterator[str]:
    """The labels next to their balls, where they cover neither another label nor the middle of a ball.

    Of the places that are left, a near one that covers little of the other balls.
    """
    squares = {ball: _square(ball) for ball in balls}
    taken = [(ball.x - 4, ball.y - 4, ball.x + 4, ball.y + 4) for ball in balls]
    for ball in sorted(balls, key=lambda each: -each.radius):
        wide = text_width(ball.label, SIZE)
        places = list(_places(ball, wide))
        free = [each for each in places if left <= each[0] and each[2] <= right and not _hits(each, taken)]
        others = [square for other, square in squares.items() if other != ball]
        costs = [_covered(each, others) / (wide * SIZE) + FURTHER * place for place, each in enumerate(free)]
        if free:
            x, y, to_x, to_y = free[costs.index(min(costs))]
        else:
            x, y, to_x, to_y = min(places, key=lambda each: _covered(each, taken))
        taken.append((x, y, to_x, to_y))
        if _away((x, y, to_x, to_y), ball) > 6:
            start = min(max(ball.x, x), to_x), min(max(ball.y, y), to_y)
            yield svg.line([(ball.x, ball.y), start], 0, class_="leader")
        yield svg.text(x, to_y - 3, ball.label, SIZE)


def _square(ball: Ball) -> Corners:
    """The square of about the area of a ball."""
    half = 0.88 * ball.radius
    return ball.x - half, ball.y - half, ball.x + half, ball.y + half


def _away(box: Corners, ball: Ball) -> float:
    """The distance of a label from its ball, along the axis on which it is larger."""
    left, high, right, low = box
    across = max(left - ball.x, ball.x - right)
    along = max(high - ball.y, ball.y - low)
    return max(across, along) - ball.radius


def _places(ball: Ball, wide: float) -> Iterator[tuple[float, float, float, float]]:
    """Boxes for a label: to the right, left, above and below, then further away."""
    high = SIZE + 2
    for away in (0.0, 14.0, 28.0, 44.0, 60.0):
        reach = ball.radius + 4 + away
        for shift in (0.0, -away, away):
            yield ball.x + reach, ball.y - high / 2 + shift, ball.x + reach + wide, ball.y + high / 2 + shift
            yield ball.x - reach - wide, ball.y - high / 2 + shift, ball.x - reach, ball.y + high / 2 + shift
        yield ball.x - wide / 2, ball.y - reach - high, ball.x + wide / 2, ball.y - reach
        yield ball.x - wide / 2, ball.y + reach, ball.x + wide / 2, ball.y + reach + high


def _hits(box: Corners, others: Sequence[Corners]) -> bool:
    return _covered(box, others) > 0


def _covered(box: Corners, others: Sequence[Corners]) -> float:
    """The area that a box shares with others."""
    return sum(
        max(0.0, min(box[2], right) - max(box[0], left)) * max(0.0, min(box[3], low) - max(box[1], high))
        for left, high, right, low in others
    )
