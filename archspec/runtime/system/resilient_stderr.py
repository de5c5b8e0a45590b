"""Standard error that may go away: training goes on where the terminal was closed, or the pipe has no reader."""

from __future__ import annotations

import contextlib
from typing import Any, TextIO


class ResilientStream:
    """The stream, without the errors of the system when nobody can read it any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As that of the stream; what cannot be written is dropped."""
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """As that of the stream."""
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
