"""The style of a lab's figures: the claim as the title, big letters, direct labels, colors for any color vision."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
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
    """Write the name of each line at its end: {name: (x, y, color)}. Names that would overlap are moved apart."""
    if not ends:
        return
    low, high = axes.get_ylim()
    log = axes.get_yscale() == "log"
    from math import log as ln

    def place(y: float) -> float:  # as a share of the axis
        if log:
            y, bottom, top = ln(y), ln(low), ln(high)
        else:
            bottom, top = low, high
        return float((y - bottom) / (top - bottom))

    height = axes.get_window_extent().height or 1.0
    least = 1.25 * LETTERS * DPI / 72 / height
    ordered = sorted(ends.items(), key=lambda item: item[1][1])
    shares: list[float] = []
    for _, (_, y, _) in ordered:
        shares.append(max(place(y), shares[-1] + least) if shares else place(y))
    over = max(0.0, shares[-1] - 1.0)
    shares = [share - over / 2 for share in shares]
    right = max(x for x, _, _ in ends.values())
    for (name, (x, y, color)), share in zip(ordered, shares, strict=True):
        moved = (share - place(y)) * height * 72 / DPI
        axes.annotate(
            name,
            (x if x < right else right, y),
            xytext=(10, moved),
            textcoords="offset points",
            va="center",
            color=color,
            fontweight="bold",
            annotation_clip=False,
        )


def _save(made: Any, path: Path) -> None:
    from PIL import Image

    contents = BytesIO()
    made.savefig(contents, format="png")
    contents.seek(0)
    with Image.open(contents) as image, atomic(path) as temporary:
        few = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(temporary, format="PNG", optimize=True)
