"""TensorFlow's errors during a pass over images, as errors with a remedy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from archspec.diagnostics import counted, fail


@contextlib.contextmanager
def tensorflow_failures(
    batch_size: int, broken: Callable[[], Sequence[str]] = lambda: (), *, restore: str = "restore the original file"
) -> Iterator[None]:
    """Turn TensorFlow's errors for memory and for images into errors with a remedy.

    Args:
        batch_size: images per batch.
        broken: finds the images that can no longer be read, one line each.
        restore: the remedy for these.

    Raises:
        ArchspecError: `out-of-memory`, `data-changed`.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise fail(
            "out-of-memory",
            f"a batch of {counted(batch_size, 'image')} does not fit in the memory of the device",
            help=f"use a smaller batch, such as {max(batch_size // 2, 1)}",
        ) from error
    except tf.errors.OpError as error:
        if not any(word in str(error).lower() for word in ("readfile", "decode", "jpeg", "no such file", "read_file")):
            raise
        fact = "an image file can no longer be read"
        notes = broken() or [f"TensorFlow says: {str(error.message).splitlines()[0][:300]}"]
        raise fail("data-changed", fact, notes=notes, help=restore) from error
