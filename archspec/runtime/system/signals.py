"""Ctrl-C, SIGTERM and SIGHUP as requests: what is under way comes to its end first, so that what is saved is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

NOTES = {
    signal.SIGINT: "interrupted: finishing this step, then saving (Ctrl-C again: stop at once)",
    signal.SIGTERM: "asked to end: finishing this step, then saving",
}
if hasattr(signal, "SIGHUP"):  # the terminal was closed
    NOTES[signal.SIGHUP] = NOTES[signal.SIGTERM]


class Interrupt:
    """A context in which the first of these signals sets `signal`, and a SIGINT after it raises KeyboardInterrupt.

    A signal that is ignored, as SIGHUP is under `nohup`, stays ignored.

    Outside the main thread, where Python delivers no signals, nothing is requested.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self.signal: int | None = None
        self._note = note
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        return self.signal is not None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in [each for each in NOTES if signal.getsignal(each) != signal.SIG_IGN]:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.signal = number
        self._note(NOTES[signal.Signals(number)])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}
