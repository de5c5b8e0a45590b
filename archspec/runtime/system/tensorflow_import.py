"""Import TensorFlow and call native libraries without their messages on standard error.

Native libraries write to file descriptor 2, which no setting of Python controls: TensorFlow prints a dozen lines when
it is imported (oneDNN, missing CUDA libraries), and libjpeg a line for each damaged file.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, Any

from archspec.diagnostics import fail
from archspec.interrupt import importing
from archspec.runtime.system.processor import choose_onednn


def import_tensorflow() -> Any:
    """The module tensorflow, with oneDNN if it is faster on this processor (`choose_onednn`).

    With TF_CPP_MIN_LOG_LEVEL=0 in the environment it prints all of its messages. Its import takes seconds: on the
    command line, a line on standard error says so after the first.
    """
    choose_onednn()
    if "tensorflow" not in sys.modules and os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") != "0":
        with importing(), _native_messages_kept() as descriptor, _notice_after(NOTICE_SECONDS, descriptor):
            import tensorflow as tf

            tf.config.list_physical_devices()  # the search for GPUs also prints messages
        if "archspec.cli.main" in sys.modules:  # where the collector is nearly off so far
            gc.freeze()  # the modules stay to the end
            gc.set_threshold(*COLLECTION)
    import tensorflow as tf

    return tf


def need_tensorflow_backend() -> None:
    """Raises `backend` when Keras does not run on TensorFlow, which training, prediction and export need."""
    help = "unset KERAS_BACKEND, or set `backend` in keras.json to tensorflow"
    try:
        import_tensorflow()
        import keras
    except ImportError as error:
        raise fail("backend", f"Keras cannot start: {error}", help=help) from error
    name = keras.backend.backend()
    if name != "tensorflow":
        raise fail("backend", f"Keras uses the backend {name}, but archspec needs TensorFlow here", help=help)


@contextlib.contextmanager
def native_messages_dropped() -> Iterator[IO[bytes]]:
    """Drop what native libraries print; Python's own standard error still works.

    Yields the file that receives the messages.
    """
    with tempfile.TemporaryFile() as dropped, _native_messages_to(dropped):
        yield dropped


@contextlib.contextmanager
def native_messages_discarded() -> Iterator[None]:
    """As `native_messages_dropped`, but nothing is kept, however many messages there are: for a server."""
    with open(os.devnull, "wb") as nothing, _native_messages_to(nothing):
        yield


@contextlib.contextmanager
def _native_messages_to(file: IO[bytes]) -> Iterator[None]:
    """Let native libraries write to a file, and Python to standard error."""
    stream = sys.stderr
    with _descriptor_2_redirected(file) as original:
        if original is None or not _is_descriptor_2(stream):
            yield
            return
        given = (stream.encoding, stream.errors)
        with open(original, "w", 1, *given, closefd=False) as same, contextlib.redirect_stderr(same):
            yield


COLLECTION = (700, 10, 10)
"""Python's own thresholds of garbage collection."""
NOTICE_SECONDS = 1.0
NOTICE = b"starting TensorFlow ..."


@contextlib.contextmanager
def _notice_after(seconds: float, descriptor: int | None) -> Iterator[None]:
    """Write NOTICE when the block takes longer; a terminal shows it until the block ends."""
    if descriptor is None or "archspec.cli.main" not in sys.modules:  # a library prints nothing
        yield
        return
    terminal = os.isatty(descriptor)
    timer = threading.Timer(seconds, os.write, (descriptor, NOTICE if terminal else NOTICE + b"\n"))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if terminal:
            os.write(descriptor, b"\r\x1b[K")


@contextlib.contextmanager
def _native_messages_kept() -> Iterator[int | None]:
    """Print what native libraries print only when an exception leaves the block. Yields the original descriptor 2."""
    with tempfile.TemporaryFile() as kept:
        try:
            with _descriptor_2_redirected(kept) as original:
                yield original
        except BaseException:
            kept.seek(0)
            os.write(2, kept.read())
            raise


@contextlib.contextmanager
def _descriptor_2_redirected(file: IO[bytes]) -> Iterator[int | None]:
    """Let descriptor 2 write to a file. Yields a duplicate of the original; None where standard error is closed."""
    if sys.stderr is None:
        yield None
        return
    sys.stderr.flush()
    original = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield original
    finally:
        os.dup2(original, 2)
        os.close(original)


def _is_descriptor_2(stream: Any) -> bool:
    try:
        return bool(stream.fileno() == 2)
    except (AttributeError, OSError):  # a stream of a test or of a notebook
        return False


@contextlib.contextmanager
def warnings_hidden() -> Iterator[None]:
    """Limit TensorFlow's Python log to errors, for calls that warn of something intended, such as replicas on a CPU."""
    log = logging.getLogger("tensorflow")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
