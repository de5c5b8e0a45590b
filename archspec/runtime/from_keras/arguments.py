"""Arguments of Keras's layers as a page writes them."""

from __future__ import annotations

from typing import Any

from archspec.runtime.from_keras.reading import NotReadable, Reading


def sizes(values: Any) -> Any:
    """3 for (3, 3); (1, 3) as it is."""
    values = tuple(values)
    return values[0] if len(set(values)) == 1 else values


def sides(values: Any) -> Any:
    """1 for ((1, 1), (1, 1)); (1, 2) for ((1, 1), (2, 2)); ((0, 1), (0, 1)) as it is."""
    pairs = tuple(tuple(pair) if isinstance(pair, (list, tuple)) else (pair, pair) for pair in values)
    if any(before != after for before, after in pairs):
        return pairs
    return sizes(before for before, _ in pairs)


def channels_last(layer: Any) -> None:
    """Raises NotReadable for a layer whose channels come first."""
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise NotReadable(
            "its channels come first, and those of a page come last", "build it with data_format='channels_last'"
        )


def last_axis(reading: Reading, axis: Any) -> None:
    """Raises NotReadable for a normalization along another axis than the channels."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    if axes not in ([-1], [len(reading.shape(reading.inputs[0]))]):
        raise NotReadable(f"it normalizes along axis {axis}, and a page along the last, the channels")


def plain(values: Any) -> Any:
    """A number, or a list of numbers that are not all the same."""
    import numpy as np

    flat = [float(value) for value in np.asarray(values).reshape(-1)]
    return flat[0] if len(set(flat)) == 1 else flat
