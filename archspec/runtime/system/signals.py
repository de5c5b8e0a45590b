"""Interruptions that a run survives: Ctrl-C, SIGTERM, SIGHUP, and a closed standard error.

A signal is a request to stop: the current step finishes first, then all is saved.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""SIGHUP: the terminal was closed. Windows has none."""


@dataclass
class StopRequest:
    """The signal that requested a stop, if any."""

    signal: int | None = None

    @property
    def made(self) -> bool:
        return self.signal is not None


@contextlib.contextmanager
def stop_requests(note: Callable[[str], None]) -> Iterator[StopRequest]:
    """In the block the first signal makes a request, and a SIGINT after it raises KeyboardInterrupt.

    A signal that is ignored, as SIGHUP is under `nohup`, stays ignored. Outside the main thread no request is made:
    Python delivers no signals there.

    Args:
        note: receives a line for the user when a request is made.
    """
    request = StopRequest()

    def handle(number: int, frame: object) -> None:
        if request.signal is None:
            request.signal = number
            note(
                "interrupted: finishing this step, then saving (Ctrl-C again: stop at once)"
                if number == signal.SIGINT
                else f"got {signal.Signals(number).name}: finishing this step, then saving"
            )
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    handled = SIGNALS if threading.current_thread() is threading.main_thread() else []
    before = {each: signal.signal(each, handle) for each in handled if signal.getsignal(each) != signal.SIG_IGN}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class ResilientStream:
    """A stream that ignores errors after its reader is closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Drops text that cannot be written."""
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
