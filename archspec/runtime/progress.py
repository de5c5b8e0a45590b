"""What a user sees while a network trains: a live line in a terminal, plain lines elsewhere, on standard error."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn


class TrainingProgress:
    """Shows steps and epochs; a context manager, which ends the live line.

    Args:
        console: where to; standard error by default.
        quiet: show nothing but notes.
    """

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self.quiet = quiet
        self._live: Progress | None = None
        self._task: TaskID | None = None
        self._epochs = 0

    def note(self, text: str) -> None:
        """A line of its own: a warning, or what runs."""
        self.console.print(text, markup=False)

    def start(self, epochs: int, steps_per_epoch: int) -> None:
        """Training begins."""
        self._epochs = epochs
        if self.quiet or not self.console.is_terminal:
            return
        self._live = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
            transient=True,
        )
        figures = "preparing the first step"
        self._task = self._live.add_task("train", total=steps_per_epoch, epoch=f"1/{epochs}", figures=figures)
        self._live.start()

    def steps(
        self, epoch: int, done: int, loss: float, top1: float, images_per_second: float, seconds_left: float
    ) -> None:
        """`done` steps of an epoch (from 1) are over; loss in nats and top-1 (0 to 1) are the epoch's so far."""
        if self._live is not None and self._task is not None:
            self._live.update(
                self._task,
                completed=done,
                epoch=f"{epoch}/{self._epochs}",
                figures=f"loss {loss:.4f}  top-1 {100 * top1:.1f} %  {images_per_second:,.0f} images/s  "
                f"{duration(seconds_left)} left",
            )

    def validating(self) -> None:
        """The epoch's training steps are over."""
        if self._live is not None and self._task is not None:
            self._live.update(self._task, figures="validating")

    def epoch(self, row: Mapping[str, Any], *, best: bool) -> None:
        """An epoch is over: a row of history.csv, and whether it is the best so far."""
        if self.quiet:
            return
        width = len(str(self._epochs))
        self.note(
            f"epoch {row['epoch']:>{width}}/{self._epochs}  loss {row['loss']:.4f}  top-1 {100 * row['top1']:5.1f} %"
            f"  | validation loss {row['val_loss']:.4f}  top-1 {100 * row['val_top1']:6.2f} %{' *' if best else '  '}"
            f"| {row['images_per_second']:,.0f} images/s  {duration(row['seconds'])}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def pace(images_per_second: float) -> str:
    """`1,234`, `56.7`, `0.042`: three digits at least."""
    if images_per_second >= 100:
        return f"{images_per_second:,.0f}"
    return f"{images_per_second:.3g}"


def duration(seconds: float) -> str:
    """`7.3 s`, `4:05 min`, `2:03 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"
