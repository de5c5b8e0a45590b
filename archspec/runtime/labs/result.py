"""The result of a lab: numbers, paired differences, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from archspec.format import duration
from archspec.runtime.labs.bootstrap import BootstrapInterval

Verdict = Literal["reproduced", "not seen at this scale", "opposite"]
Expectation = Literal["higher", "lower", "equal", "no lower", "ratio"]


@dataclass(frozen=True)
class PairedDifference:
    """The difference between two arms that share their seeds, with its 95 % bootstrap interval."""

    what: str
    """`CNN - MLP, test accuracy`."""
    unit: str
    """`points` (of percent), `times`, ..."""
    value: float
    low: float
    high: float
    verdict: Verdict
    criterion: str = ""
    """When the difference counts as reproduced: `the interval is above 0 points`."""
    decides: bool = True
    """Whether the verdict of the lab depends on it."""

    def __str__(self) -> str:
        sign = "" if self.unit == "times" else "+"
        value, low, high = (f"{each:{sign}.3g}" for each in (self.value, self.low, self.high))
        return f"{self.what}: {value} {self.unit} ({low} to {high})"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def judged(
    what: str, unit: str, interval: BootstrapInterval, expect: Expectation, margin: float, factor: float = 1.0
) -> PairedDifference:
    """The difference with its verdict.

    Args:
        expect: `higher` or `lower`: the interval is above +margin, or below -margin. `equal`: it is inside
            [-margin, margin]. `no lower`: it is above -margin. `ratio`: it is above
            `margin`, and the opposite is a ratio below 1.
        margin: in `unit`.
        factor: from the units of the interval to `unit`: 100 from shares to points.
    """
    value, low, high = (round(factor * each, 9) + 0.0 for each in (interval.value, interval.low, interval.high))
    verdict: Verdict = "not seen at this scale"
    if expect == "equal":
        criterion = f"the interval is within {margin:g} {unit} of 0"
        if -margin <= low and high <= margin:
            verdict = "reproduced"
        elif low > margin or high < -margin:
            verdict = "opposite"
    elif expect == "no lower":
        criterion = f"the interval is above {-margin:g} {unit}"
        if low > -margin:
            verdict = "reproduced"
        elif high < -margin:
            verdict = "opposite"
    else:
        sign, neutral = (-1 if expect == "lower" else 1), (1.0 if expect == "ratio" else 0.0)
        least, most = sorted((sign * low, sign * high))
        criterion = f"the interval is {'below' if expect == 'lower' else 'above'} {sign * margin + 0.0:g} {unit}"
        if least > margin:
            verdict = "reproduced"
        elif most < sign * neutral:
            verdict = "opposite"
    return PairedDifference(what, unit, value, low, high, verdict, criterion)


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """Of all differences together: reproduced if all are, opposite if one is."""
    found = set(verdicts)
    if "opposite" in found:
        return "opposite"
    return "reproduced" if found == {"reproduced"} else "not seen at this scale"


@dataclass(frozen=True)
class LabResult:
    """What a lab found. The numbers and figures are files in its folder too."""

    columns: tuple[str, ...]
    """Of the rows, with units: `test error (%)`."""
    rows: tuple[tuple[str | float, ...], ...]
    """The numbers; the first column names the row."""
    verdict: Verdict
    """It follows from the criterion of the lab."""
    reason: str
    """The verdict in numbers: `98.1 % against 62.4 %, 3 seeds`."""
    differences: tuple[PairedDifference, ...] = ()
    """Between the arms that are compared."""
    figures: tuple[Path, ...] = ()
    """PNG files."""
    lab: str = ""
    """The name of the lab."""
    claim: str = ""
    """What was tested."""
    source: str = ""
    """Where the claim comes from."""
    criterion: str = ""
    """How the verdict is computed."""
    scale: str = "default"
    """`tiny`, `default` or `full`."""
    seeds: int = 1
    """The number of seeds."""
    seconds: float = field(default=0.0, compare=False)
    """Computing time of all parts, those of an interrupted process included."""
    directory: Path = Path()
    """The folder of the lab."""

    def __repr__(self) -> str:
        return f"<LabResult: {self.summary()}>"

    def __str__(self) -> str:
        return self.render()

    def summary(self) -> str:
        """One line: the name, the verdict and the reason."""
        return f"{self.lab}: {self.verdict}: {self.reason}"

    def render(self) -> str:
        """The claim, the numbers as a table, the differences and the verdict, as text."""
        cells = [tuple(map(str, self.columns)), *(tuple(map(cell, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        table = [
            "  ".join(
                text.ljust(width) if place == 0 else text.rjust(width)
                for place, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]
        parts = [f"{self.lab}: {self.claim}", f"source: {self.source}", "", *table, ""]
        parts += [f"{each}" + f"  {each.verdict}" * each.decides for each in self.differences]
        parts += [f"verdict: {self.verdict}: {self.reason}", f"criterion: {self.criterion}"]
        seeds = f"{self.seeds} seed{'s' * (self.seeds > 1)}"
        return "\n".join([*parts, f"{self.scale} scale, {seeds}, {duration(self.seconds)}"])

    def to_json(self) -> dict[str, Any]:
        """Plain values, as in result.json."""
        return {
            "lab": self.lab,
            "claim": self.claim,
            "source": self.source,
            "scale": self.scale,
            "seeds": self.seeds,
            "seconds": round(self.seconds, 1),
            "verdict": self.verdict,
            "reason": self.reason,
            "criterion": self.criterion,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "differences": [each.to_json() for each in self.differences],
            "figures": [each.name for each in self.figures],
        }


def cell(value: str | float) -> str:
    """A number with four digits at most after thousands are grouped: `98.12`, `3,706`."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"
