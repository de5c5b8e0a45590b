"""The style of a lab's figures: the claim as the title, big letters, direct labels, colors for any color vision."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

from archspec.runtime.system.atomic_write import atomic

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#8c5a00", "#000000", "#666666")
"""Of Okabe & Ito (2008), without their yellow, which is too pale for lines on white."""
GREY = "#d9dde2"
SIZE = (11.0, 6.2)
"""Inches; 16:9."""
DPI = 100
LETTERS = 16
"""Points. A figure is as wide as a slide."""


@contextmanager
def figure(
    path: Path,
    title: str,
    *,
    xlabel: str = "",
    ylabel: str = "",
    rows: int = 1,
    columns: int = 1,
    size: tuple[float, float] = SIZE,
    **subplots: Any,
) -> Iterator[Any]:
    """Axes to draw on; at the end the PNG is written to `path`, with at most 256 colors.

    Yields the axes, or an array of axes (rows, columns) if there are several. `subplots`: for `Figure.subplots`.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fonts: Any = {"font.size": LETTERS, "lines.linewidth": 3, "lines.markersize": 9, "axes.axisbelow": True}
    with rc_context(fonts):
        made = Figure(figsize=size, dpi=DPI, layout="constrained")
        FigureCanvasAgg(made)
        letters = LETTERS + 4
        wide = int(size[0] * DPI / (0.6 * letters * DPI / 72))
        heading = made.suptitle("", x=0.01, ha="left", fontsize=letters, fontweight="bold")
        for width in range(wide, 0, -1):  # in characters, which are not equally wide
            heading.set_text(textwrap.fill(title, width))
            if heading.get_window_extent().x1 < 0.99 * size[0] * DPI:
                break
        axes = made.subplots(rows, columns, squeeze=False, **subplots)
        for each in axes.flat:
            each.spines[["top", "right"]].set_visible(False)
            each.grid(axis="y", color=GREY)
            each.set(xlabel=xlabel, ylabel=ylabel)
        yield axes[0, 0] if axes.size == 1 else axes
        _save(made, path)


def label_ends(axes: Any, ends: Mapping[str, tuple[float, float, str]]) -> None:
    """Write the name of each line at its end: {name: (x, y, color)}. Names that would overlap are moved apart.

    The name of a line that ends before the right border stands where it covers the fewest lines.
    """
    if not ends:
        return
    height = axes.get_window_extent().height or 1.0
    least = 1.25 * LETTERS * DPI / 72 / height
    shares = {name: _share(axes, x, y) for name, (x, y, _) in ends.items()}
    border = [name for name in ends if shares[name][0] > BORDER]
    ordered = sorted(border, key=lambda name: ends[name][1])
    places: list[float] = []
    for name in ordered:
        places.append(max(shares[name][1], places[-1] + least) if places else shares[name][1])
    over = max(0.0, places[-1] - 1.0) if places else 0.0
    for name, place in zip(ordered, places, strict=True):
        x, y, color = ends[name]
        moved = (place - over / 2 - shares[name][1]) * height * 72 / DPI
        _text(axes, name, (x, y), color, ((10, moved), "left", "center"))
    label_points(axes, {name: end for name, end in ends.items() if name not in border})


def label_points(
    axes: Any, points: Mapping[str, tuple[float, float, str]], radii: Mapping[str, float] = {}, size: float = LETTERS
) -> None:
    """Write the name of each point beside it, where it covers the fewest lines, points and names.

    Args:
        points: {name: (x, y, color)}.
        radii: of the drawn points, in points of type.
        size: of the letters.
    """
    if not points:
        return
    axes.figure.draw_without_rendering()  # the layout, which the places depend on
    drawn = _drawn(axes)
    centers = {name: axes.transData.transform((x, y)) for name, (x, y, _) in points.items()}
    taken = [_box(center, radii.get(name, 4.0) * DPI / 72) for name, center in centers.items()]
    for name, (x, y, color) in points.items():
        near = radii.get(name, 4.0) + 3
        around = [
            ((across * gap, up * gap), ha, va)
            for gap in (near, near + size)  # farther away where all near places are taken
            for across, up, ha, va in SIDES
        ]
        tried: list[tuple[float, int, Place, Any]] = []
        for place in around:
            text = _text(axes, name, (x, y), color, place, size)
            box = text.get_window_extent()
            tried.append((_covered(axes, box, drawn, taken), len(tried), place, box))
            text.remove()
        _, _, place, box = min(tried, key=lambda each: each[:2])
        taken.append(box)
        _text(axes, name, (x, y), color, place, size)


SIDES = (
    (0, 1, "right", "bottom"),
    (0, -1, "right", "top"),
    (1, 0, "left", "center"),
    (-1, 0, "right", "center"),
    (0, 1, "center", "bottom"),
    (0, -1, "center", "top"),
    (0, 1, "left", "bottom"),
    (0, -1, "left", "top"),
)
"""Where a name stands beside its point: direction right and up, and alignment."""
BORDER = 0.93
"""Share of the width of the axes; lines that end beyond it have their names outside."""
Place = tuple[tuple[float, float], str, str]
"""Offset in points, horizontal and vertical alignment."""


def _text(axes: Any, name: str, at: tuple[float, float], color: str, place: Place, size: float = LETTERS) -> Any:
    offset, ha, va = place
    style = {"color": color, "fontweight": "bold", "annotation_clip": False, "fontsize": size}
    return axes.annotate(name, at, offset, textcoords="offset points", ha=ha, va=va, **style)


def _share(axes: Any, x: float, y: float) -> tuple[float, float]:
    """A point of the data as shares of the axes."""
    across, up = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
    return float(across), float(up)


def _drawn(axes: Any) -> list[tuple[Any, float]]:
    """The pixels of each line, (n, 2), 4 or fewer apart, and how visible it is."""
    import numpy as np

    found = []
    for line in axes.lines:
        corners = line.get_transform().transform(line.get_xydata())
        parts = [corners[:1]]
        for start, end in pairwise(corners):
            steps = int(np.hypot(*(end - start)) / 4) + 1 if np.isfinite([start, end]).all() else 1
            parts.append(start + (end - start) * np.linspace(0, 1, steps + 1)[1:, None])
        found.append((np.concatenate(parts), line.get_alpha() or 1.0))
    return found


def _covered(axes: Any, box: Any, drawn: Sequence[tuple[Any, float]], taken: Sequence[Any]) -> float:
    """How much of what is drawn lies under a box, in pixels of a line; much for other names, or outside the axes."""
    whole = axes.get_window_extent()
    outside = box.x0 < whole.x0 or box.x1 > whole.x1 or box.y0 < whole.y0 or box.y1 > whole.y1
    total = 1e3 * outside + 1e3 * sum(box.overlaps(each) for each in taken)
    for pixels, visible in drawn:
        inside = (pixels > (box.x0, box.y0)).all(axis=1) & (pixels < (box.x1, box.y1)).all(axis=1)
        total += 4 * visible * float(inside.sum())
    return float(total)


def _box(center: Any, radius: float) -> Any:
    from matplotlib.transforms import Bbox

    return Bbox([center - radius, center + radius])


def _save(made: Any, path: Path) -> None:
    from PIL import Image

    contents = BytesIO()
    made.savefig(contents, format="png")
    contents.seek(0)
    with Image.open(contents) as image, atomic(path) as temporary:
        few = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(temporary, format="PNG", optimize=True)
