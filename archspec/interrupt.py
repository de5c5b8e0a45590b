"""Ctrl-C, SIGTERM and SIGHUP in a command: temporary files are removed; while modules are imported, it exits at once.

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

ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""SIGHUP: the terminal was closed. Windows has none."""
_is_command = False


def exit_on_interrupt() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP end this process, which runs a command, until `raise_on_interrupt`.

    A signal that is ignored, as Ctrl-C is for a command in the background, stays ignored.
    """
    global _is_command
    _is_command = True
    for ending in ENDING:
        if signal.getsignal(ending) is _terminate:
            signal.signal(ending, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit)


def raise_on_interrupt() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, and the others SystemExit, if `exit_on_interrupt` is in effect."""
    for ending in ENDING:
        if _is_command and signal.getsignal(ending) is signal.SIG_DFL:
            signal.signal(ending, _terminate)
    if signal.getsignal(signal.SIGINT) is _exit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def importing() -> Iterator[None]:
    """For a long import: Ctrl-C, SIGTERM and SIGHUP end the process in the block, if it runs a command."""
    if _is_command:
        exit_on_interrupt()
    try:
        yield
    finally:
        raise_on_interrupt()


def _exit(number: int, frame: FrameType | None) -> None:
    os._exit(130)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
    raise SystemExit(128 + number)  # as in a shell
