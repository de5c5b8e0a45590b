"""Ctrl-C while modules are imported: the command line exits at once, with status 130 and without a message.

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

_is_command = False


def exit_on_interrupt() -> None:
    """Let Ctrl-C end this process, which runs a command, until `raise_on_interrupt`, unless it is ignored."""
    global _is_command
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit)
        _is_command = True


def raise_on_interrupt() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, if `exit_on_interrupt` is in effect."""
    if signal.getsignal(signal.SIGINT) is _exit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def importing() -> Iterator[None]:
    """For a long import: Ctrl-C ends the process in the block, if it runs a command."""
    if _is_command:
        exit_on_interrupt()
    try:
        yield
    finally:
        raise_on_interrupt()


def _exit(number: int, frame: FrameType | None) -> None:
    os._exit(130)
