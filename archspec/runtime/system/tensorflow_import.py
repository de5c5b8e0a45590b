"""Import TensorFlow without its start-up messages.

TensorFlow's native library prints a dozen lines (oneDNN, CUDA libraries that are not there) to file descriptor 2
before any setting can reach it. Here they are kept aside, and shown only when the import fails.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from archspec.diagnostics import fail


def import_tensorflow() -> Any:
    """The module tensorflow. Set TF_CPP_MIN_LOG_LEVEL=0 in the environment to see all of its messages."""
    if "tensorflow" not in sys.modules and os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") != "0":
        with _messages_kept_aside():
            import tensorflow as tf

            tf.config.list_physical_devices()  # the search for GPUs has messages of its own
    import tensorflow as tf

    return tf


def need_tensorflow_backend() -> None:
    """Raises `backend` when Keras computes on something else: training, prediction and export are TensorFlow's."""
    help = "unset KERAS_BACKEND, or set `backend` in keras.json to tensorflow"
    try:
        import_tensorflow()
        import keras
    except ImportError as error:
        raise fail("backend", f"Keras cannot start: {error}", help=help) from error
    name = keras.backend.backend()
    if name != "tensorflow":
        raise fail("backend", f"Keras runs on {name} here, and this needs TensorFlow", help=help)


@contextlib.contextmanager
def _messages_kept_aside() -> Iterator[None]:
    """File descriptor 2 goes to a file meanwhile, which is printed if an exception leaves the block."""
    with tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        descriptor = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(descriptor, 2)
            kept.seek(0)
            os.write(2, kept.read())
            raise
        finally:
            os.dup2(descriptor, 2)
            os.close(descriptor)


@contextlib.contextmanager
def warnings_hidden() -> Iterator[None]:
    """TensorFlow's own Python log shows errors only, for calls that warn of what is meant (replicas on a CPU)."""
    log = logging.getLogger("tensorflow")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
