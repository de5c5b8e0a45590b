"""Limit the size of the variables that Keras creates from the configuration of a stranger's file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SPARE = 1_000_000
"""Numbers that a model may have beyond those of its file: the state of random generators, new statistics."""


@contextmanager
def limited_variables(size: int) -> Iterator[None]:
    """Inside, models may have as many numbers as a file of `size` bytes can contain, and SPARE more.

    Raises:
        ValueError: a layer would create more, before it allocates them.
    """
    import keras

    inherited = "__init__" not in vars(keras.Variable)
    original = keras.Variable.__init__
    left = size + SPARE

    def limited(self: Any, initializer: Any, shape: Any = None, *args: Any, **options: Any) -> None:
        nonlocal left
        if shape is not None and callable(initializer):
            left -= math.prod(1 if each is None else int(each) for each in shape)
            if left < 0:
                raise VariableLimitError(f"a weight of the shape {'x'.join(map(str, shape))} is larger than the file")
        original(self, initializer, shape, *args, **options)

    keras.Variable.__init__ = limited
    try:
        yield
    finally:
        if inherited:
            del keras.Variable.__init__
        else:
            keras.Variable.__init__ = original


class VariableLimitError(ValueError):
    """The model of a configuration has more numbers than its file can contain."""
