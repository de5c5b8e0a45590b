"""Figures of matplotlib as pixels, with colors that can be told apart with any color vision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#b3a100", "#7f3c8d", "#5d4037")
"""Okabe & Ito 2008, and three more."""
DPI = 110


@contextmanager
def figure(width: float, height: float, **subplots: Any) -> Iterator[tuple[Any, Any]]:
    """A figure and its axes, sizes in inches, without the frame lines above and on the right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(made)
    axes = made.subplots(squeeze=False, **subplots)
    for each in axes.flat:
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=8)
    yield made, axes


def pixels_of(made: Any) -> Any:
    """RGB (H, W, 3), uint8."""
    made.canvas.draw()
    return np.asarray(made.canvas.buffer_rgba())[..., :3].copy()
