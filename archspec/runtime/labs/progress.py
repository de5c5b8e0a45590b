"""The progress display of a lab: one line for each part, and the live table of training in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from archspec.runtime.training.records.progress import TrainingProgress


class LabProgress(TrainingProgress):
    """Shows the lines of the lab, and of its runs only the step that is being computed.

    Args:
        console: standard error by default.
        silent: show nothing.
    """

    def __init__(self, console: Console | None = None, *, silent: bool = False) -> None:
        super().__init__(console, quiet=silent)
        self.silent = silent
        self._after_epoch: Callable[[int], None] | None = None

    def line(self, text: str) -> None:
        """Show a line of the lab."""
        if not self.silent:
            super().note(text)

    def note(self, text: str) -> None:
        """Notes of single runs are not shown: each run directory has them."""

    def epoch(self, row: Mapping[str, Any], *, best: bool) -> None:
        """Epochs of single runs are not shown."""
        if self._after_epoch is not None:
            self._after_epoch(int(row["epoch"]))

    @contextmanager
    def after_each_epoch(self, call: Callable[[int], None] | None) -> Iterator[None]:
        """Inside the context, `call` gets the number of each epoch whose files are written."""
        self._after_epoch, self.reads_network = call, call is not None
        try:
            yield
        finally:
            self._after_epoch, self.reads_network = None, False
