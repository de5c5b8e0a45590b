"""Monitoring a metric of the history, with the arguments of Keras's callbacks."""

from __future__ import annotations

from typing import Any

from archspec.declare import AT_LEAST_0, NATURAL, Declared, arg, choice, declared

FIGURES = ("loss", "top1", "val_loss", "val_top1", "val_top5")
METRICS = ("loss", "top1", "top5", "auc", "accuracy", "map", "f1", "r2", "rmse", "mae")
"""What the columns of history.csv end in; those of several outputs start with their names: `val_color_top1`."""
MONITOR: Any = arg(
    {"type": "string", "pattern": f"^(val_)?([A-Za-z0-9_-]+_)?({'|'.join(METRICS)})$"},
    f"the metric that is monitored, a column of history.csv: {', '.join(FIGURES)}; docs/training.md lists those of "
    "other targets than classes",
    "val_loss",
)
MODE: Any = arg(choice("auto", "min", "max"), "whether lower or higher is better; `auto` is lower for a loss", "auto")


@declared
class EarlyStopping(Declared):
    """Stop when a metric no longer improves, as `keras.callbacks.EarlyStopping`.

    The best network of the run is always saved in best.keras.
    """

    monitor: str = MONITOR
    min_delta: float = arg(AT_LEAST_0, "smallest change that counts as an improvement", 0)
    patience: int = arg(NATURAL, "epochs without improvement before the run stops", 0)
    mode: str = MODE
    baseline: float | None = arg(
        {"type": ["number", "null"]}, "a value that must be reached before an improvement counts", None
    )
    start_from_epoch: int = arg(NATURAL, "epochs before monitoring starts", 0)


def improves(value: float, best: float | None, monitor: str, mode: str, min_delta: float) -> bool:
    """Whether a value is better than the best so far by more than `min_delta`."""
    if best is None:
        return True
    lower = mode == "min" or (mode == "auto" and monitor.endswith(("loss", "rmse", "mae")))
    return value + min_delta < best if lower else value - min_delta > best
