"""What native libraries print about a damaged file is dropped while files are checked: the check names each itself."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def native_messages_dropped() -> Iterator[None]:
    """Lines that libjpeg and TensorFlow write to file descriptor 2 go nowhere; Python's own still arrive."""
    if sys.stderr is None:  # closed by the caller: nothing would be heard
        yield
        return
    stream, here = sys.stderr, os.dup(2)
    stream.flush()
    try:
        with contextlib.ExitStack() as stack:
            if _is_descriptor_2(stream):
                sys.stderr = stack.enter_context(
                    open(here, "w", encoding=stream.encoding, errors=stream.errors, buffering=1, closefd=False)
                )
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            yield
    finally:
        sys.stderr = stream
        os.dup2(here, 2)
        os.close(here)


def _is_descriptor_2(stream: object) -> bool:
    try:
        return stream.fileno() == 2  # type: ignore[attr-defined, no-any-return]
    except (AttributeError, OSError):  # a stream of a test or of a notebook
        return False
