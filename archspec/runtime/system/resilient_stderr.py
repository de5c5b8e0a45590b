"""Standard error that may be closed: training continues after the terminal is closed, or a pipe has no reader."""

from __future__ import annotations

import contextlib
from typing import Any, TextIO


class ResilientStream:
    """A stream without the operating system's errors when nobody can read it any more."""

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
