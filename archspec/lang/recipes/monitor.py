"""What watches a figure of the history: its arguments, as Keras's callbacks have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.declare import NATURAL, arg, choice

FIGURES = ("loss", "top1", "val_loss", "val_top1", "val_top5")
MONITOR: Any = arg(choice(*FIGURES), "the figure of an epoch that is watched", "val_loss")
MODE: Any = arg(choice("auto", "min", "max"), "whether lower or higher is better; `auto`: lower for a loss", "auto")
MIN_DELTA = {"type": "number", "minimum": 0}
PATIENCE = NATURAL


@dataclass(frozen=True)
class EarlyStopping:
    """End when a figure no longer improves; arguments and meaning are those of `keras.callbacks.EarlyStopping`.

    The best network of the run is kept in best.keras in any case.
    """

    monitor: str = MONITOR
    min_delta: float = arg(MIN_DELTA, "the least change that is an improvement", 0)
    patience: int = arg(PATIENCE, "epochs without improvement before it ends", 0)
    mode: str = MODE
    baseline: float | None = arg(
        {"type": ["number", "null"]}, "a value that must be reached before an improvement counts", None
    )
    start_from_epoch: int = arg(NATURAL, "epochs before it begins to watch", 0)


def improves(value: float, best: float | None, monitor: str, mode: str, min_delta: float) -> bool:
    """Whether a value is better than the best so far by more than `min_delta`."""
    if best is None:
        return True
    lower = mode == "min" or (mode == "auto" and monitor.endswith("loss"))
    return value + min_delta < best if lower else value - min_delta > best
