"""Pictures that explain what a lab compares, drawn without training: `picture:` of a lab."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.labs.figure_style import COLORS, figure


def convolve(
    signal: npt.NDArray[Any], kernel: npt.NDArray[Any], *, strides: int = 1, dilation_rate: int = 1
) -> npt.NDArray[Any]:
    """y[i] = sum_k kernel[k] signal[i strides + k dilation_rate], without padding, as `keras.layers.Conv1D`."""
    reach = dilation_rate * (len(kernel) - 1)
    windows = np.lib.stride_tricks.sliding_window_view(signal, reach + 1)[::strides, ::dilation_rate]
    found: npt.NDArray[Any] = windows @ kernel
    return found


def conv1d_signal(path: Path) -> None:
    """A square wave with noise, and what one kernel makes of it with a stride and with a dilation."""
    rng = np.random.default_rng(0)
    x = np.arange(64)
    signal = np.where(x % 32 < 16, 1.0, -1.0) + rng.normal(0, 0.15, len(x))
    kernel = np.array([1.0, 0.0, -1.0])
    panels: list[tuple[str, dict[str, int]]] = [
        ("kernel (1, 0, -1): 62 outputs, each sees 3 values", {}),
        ("with stride 2: 31 outputs, each sees 3 values", {"strides": 2}),
        ("with dilation 4: 56 outputs, each sees 9 values", {"dilation_rate": 4}),
    ]
    title = "A 1-D convolution slides one kernel along the signal"
    with figure(path, title, ylabel="amplitude", rows=4, size=(11.0, 9.0), sharex=True, sharey=True) as axes:
        flat = axes.ravel()
        flat[0].plot(x, signal, "o-", color=COLORS[6], markersize=5, linewidth=1.5)
        flat[0].set_title("signal: 64 values", loc="left")
        for panel, color, (name, options) in zip(flat[1:], COLORS, panels, strict=False):
            found = convolve(signal, kernel, **options)
            middle = options.get("dilation_rate", 1)  # of the window that an output sees
            places = np.arange(len(found)) * options.get("strides", 1) + middle
            panel.plot(places, found, "o-", color=color, markersize=5, linewidth=1.5)
            panel.set_title(name, loc="left", color=color)
        flat[-1].set_xlabel("time (samples)")


def two_windows(path: Path) -> None:
    """Which pixels one output sees through two 3x3 convolutions, and through one of 5x5."""
    title = "Two 3x3 convolutions see what one 5x5 convolution sees"
    sides = {"input: 5x5 pixels": 5, "after the first 3x3: 3x3 values": 3, "after the second 3x3: 1 value": 1}
    with figure(path, title, columns=3, size=(11.0, 5.0)) as axes:
        for panel, color, (name, side) in zip(axes.ravel(), COLORS, sides.items(), strict=False):
            grid = np.zeros((7, 7))
            start = (7 - side) // 2
            grid[start : start + side, start : start + side] = 1
            panel.pcolormesh(grid, cmap=_white_to(color), edgecolors="#9aa5b1", linewidth=1.5)
            panel.set_title(name, color=color, fontsize=15)
            panel.set(aspect="equal", xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
            panel.grid(visible=False)
        axes.ravel()[0].set_xlabel("one 5x5 filter: 25 weights")
        axes.ravel()[2].set_xlabel("two 3x3 filters: 18 weights")


def _white_to(color: str) -> Any:
    from matplotlib.colors import ListedColormap

    return ListedColormap(["white", color])


PICTURES: Mapping[str, Callable[[Path], None]] = {"conv1d-signal": conv1d_signal, "two-windows": two_windows}
