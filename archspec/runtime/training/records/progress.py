"""The progress display of training: a live table in a terminal, plain lines elsewhere, on standard error.

Elsewhere a line a minute shows that a long epoch is alive: in a log file, in a notebook, in a pipe.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TextIO, cast

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from archspec.diagnostics import listed, terminal_text
from archspec.format import duration, wrapped
from archspec.runtime.models.metrics import MetricSums
from archspec.runtime.system.signals import ResilientStream
from archspec.wording import worded

INTERVAL = 60.0  # seconds between two lines where there is no terminal
Figures = Callable[[MetricSums], Mapping[str, float]]
"""From the sums of an epoch's steps to its metrics."""
BAR, LEAST_BAR = 20, 5  # letters wide, and where the terminal is narrow
DISPENSABLE = (
    "",
    "data wait",
    "top-5",
    "steps",
    "images/s",
    "left",
)  # columns that a narrow terminal omits, first to last


class TrainingProgress:
    """Displays steps and epochs; a context manager, whose end removes the live table.

    Args:
        console: standard error by default.
        quiet: print notes only.
        interval: most seconds without a line where there is no terminal.
    """

    def __init__(self, console: Console | None = None, *, quiet: bool = False, interval: float = INTERVAL) -> None:
        self.console = console or Console(
            file=cast("TextIO", ResilientStream(sys.stderr)), highlight=False, soft_wrap=True
        )
        self.quiet = quiet
        self.interval = interval
        self._live: Live | None = None
        self._printed = time.monotonic()
        self._state = ""
        self._ended: threading.Event | None = None
        self._epochs = 0
        self._steps = 0
        self._top5 = True
        self._figures: Figures | None = None
        self.reads_network = False
        """Whether `epoch` reads last.keras, which is then written after every epoch."""

    def note(self, text: str) -> None:
        """Print a line."""
        self.console.print(wrapped(terminal_text(worded(text))), markup=False)
        self._printed = time.monotonic()

    def start(self, epochs: int, steps_per_epoch: int, *, top5: bool = True, figures: Figures | None = None) -> None:
        """Call at the start of training.

        Args:
            top5: whether to show top-5 accuracy, which needs more than five classes.
            figures: the metrics of steps beside their loss; None for top-1 and top-5 accuracy.
        """
        self._epochs, self._steps, self._top5, self._figures = epochs, steps_per_epoch, top5, figures
        self._state = "preparing the first step"
        if self.quiet:
            return
        if not self.console.is_terminal:
            self._ended = threading.Event()
            threading.Thread(target=self._print_state, args=(self._ended,), daemon=True).start()
            return
        self._live = Live(self._state, console=self.console, transient=True, refresh_per_second=5)
        self._live.start()

    def steps(
        self, epoch: int, done: int, metrics: MetricSums, images_per_second: float, waiting: float, seconds_left: float
    ) -> None:
        """Call after `done` steps of an epoch (from 1), with the metrics of the epoch so far.

        waiting: share of the time that steps waited for data; NaN if not measured.
        """
        shares = {"top-1": f"{100 * metrics.top1:.1f} %", "top-5": f"{100 * metrics.top5:.1f} %"}
        if self._figures is not None:
            shares = {metric_name(name): metric_text(name, value) for name, value in self._figures(metrics).items()}
        elif not self._top5:
            del shares["top-5"]
        if self._live is None:
            first = listed(f"{name} {value}" for name, value in shares.items() if name != "top-5")
            self._state = (
                f"epoch {epoch}/{self._epochs}, step {done:,} of {self._steps:,}: loss {metrics.loss:.4f}, "
                f"{first}, {images_per_second:,.0f} images/s, {duration(seconds_left)} left"
            )
            return
        cells = {
            "epoch": f"{epoch}/{self._epochs}",
            "steps": f"{done}/{self._steps}",
            "": " " * LEAST_BAR,
            "loss": f"{metrics.loss:.4f}",
            **shares,
            "images/s": f"{images_per_second:,.0f}",
            "data wait": "-" if math.isnan(waiting) else f"{100 * waiting:.0f} %",
            "left": duration(seconds_left),
        }
        shown = _fitting(cells, self.console.width)
        table = Table(*shown, box=None, pad_edge=False, header_style="dim", expand=False)
        bar = ProgressBar(self._steps, done, width=min(BAR, LEAST_BAR + self.console.width - _width(shown)))
        table.add_row(*(text if name else bar for name, text in shown.items()))
        self._live.update(table)

    def validating(self) -> None:
        """Call after the last training step of an epoch."""
        self._state = "validating"
        if self._live is not None:
            self._live.update("validating")

    def epoch(self, row: Mapping[str, Any], *, best: bool) -> None:
        """Call after an epoch, with its rows of history.csv and times.csv, and whether it is the best so far."""
        if self.quiet:
            return
        self.note(_epoch_line(row, self._epochs, best, self.console.width if self.console.is_terminal else None))

    def _print_state(self, ended: threading.Event) -> None:
        """Print the current status if no line was printed for a while."""
        while not ended.wait(max(self._printed + self.interval - time.monotonic(), 0.01)):
            if time.monotonic() - self._printed >= self.interval:
                self.note(self._state)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._ended is not None:
            self._ended.set()
            self._ended = None
        if self._live is not None:
            self._live.stop()
            self._live = None


def _epoch_line(row: Mapping[str, Any], epochs: int, best: bool, width: int | None) -> str:
    """The metrics of an epoch in one line; with a width as many as fit, else the fewest."""
    wait = "" if row["data_wait"] is None else f"data wait {100 * row['data_wait']:.0f} %  "
    start = f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  loss {row['loss']:.4f}"
    if "val_top1" in row:
        trained = f"{start}  top-1 {100 * row['top1']:5.1f} %"
        figures = f"loss {row['val_loss']:.4f}  top-1 {100 * row['val_top1']:6.2f} %"
        top5 = f"  top-5 {100 * row['val_top5']:6.2f} %" if "val_top5" in row else ""
    else:
        own = [name for name in row if name.startswith("val_") and name != "val_loss"]
        each = [f"{metric_name(name[4:])} {metric_text(name, row[name])}" for name in own]
        trained, figures = start, "  ".join([f"loss {row['val_loss']:.4f}", *each[:1]])
        top5 = "".join(f"  {text}" for text in each[1:])
    star = " *" if best else "  "
    speed = f" | {row['images_per_second']:,.0f} images/s  {wait}{duration(row['seconds'])}"
    lines = (
        f"{trained}  | validation {figures}{top5}{star}{speed}",
        f"{trained}  | validation {figures}{top5}{star}",
        f"{trained}  | validation {figures}{star}",
        f"{trained}  | {figures}{star}",
    )
    return next((line for line in lines if width is None or len(line) <= width), lines[-1])


NAMES = {"top1": "top-1", "top5": "top-5", "auc": "AUC", "map": "mAP", "f1": "F1", "r2": "R2"}
"""Names of metrics in text; others are written in capitals or as they are."""


def metric_name(column: str) -> str:
    """The name of a column of history.csv in text: `mAP`, `color top-1`."""
    output, _, metric = column.rpartition("_")
    metric = NAMES.get(metric, metric.upper() if metric in ("rmse", "mae") else metric)
    return f"{output} {metric}".strip()


def metric_text(column: str, value: float) -> str:
    """Its value: a percentage for shares of images, else four digits."""
    return f"{100 * value:.2f} %" if column.endswith(("top1", "top5", "accuracy")) else f"{value:.4f}"


def _fitting(cells: Mapping[str, str], width: int) -> dict[str, str]:
    """The columns that fit into a terminal of that width."""
    kept, dispensable = dict(cells), list(DISPENSABLE)
    while dispensable and _width(kept) > width:
        kept.pop(dispensable.pop(0), None)
    return kept


def _width(cells: Mapping[str, str]) -> int:
    """Width of the table with this row."""
    return sum(2 + max(len(name), len(text)) for name, text in cells.items()) - 2
