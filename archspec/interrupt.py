"""Ctrl-C and SIGTERM in a command: temporary files are removed; while modules are imported, it exits at once.

A KeyboardInterrupt in the middle of an import is printed as a traceback, or swallowed by the module that is imported.
This module imports as little as possible, so that it is in effect early.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

TYPE_CHECKING = False  # typing takes longer to import than this module
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

TERMINATED = 143
"""Exit status after SIGTERM: 128 and its number, as in a shell."""
_is_command = False


def exit_on_interrupt() -> None:
    """Let Ctrl-C and SIGTERM end this process, which runs a command, until `raise_on_interrupt`.

    A signal that is ignored, as Ctrl-C is for a command in the background, stays ignored.
    """
    global _is_command
    _is_command = True
    if signal.getsignal(signal.SIGTERM) is _terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit)


def raise_on_interrupt() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, and SIGTERM SystemExit, if `exit_on_interrupt` is in effect."""
    if _is_command and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is _exit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def importing() -> Iterator[None]:
    """For a long import: Ctrl-C and SIGTERM end the process in the block, if it runs a command."""
    if _is_command:
        exit_on_interrupt()
    try:
        yield
    finally:
        raise_on_interrupt()


def _exit(number: int, frame: FrameType | None) -> None:
    os._exit(130)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends the process at once
    raise SystemExit(TERMINATED)
