"""The window that an operator declares is what its output units really read."""

import math
from typing import Any

import keras
import numpy as np
import pytest

from archspec.ops import OPS, Op
from archspec.ops.base import EVERYTHING, Shape, Window
from tests.ops.test_op_conformance import OF_POSITIVE_NUMBERS

CASES = [
    pytest.param(op, given, tuple(13 - axis if n is None else n for axis, n in enumerate(inputs[0])), id=f"{name}-{i}")
    for name, op in OPS.items()
    for i, (given, inputs) in enumerate(op.examples)
    if not op.many and op.make(given).view(*inputs) != EVERYTHING and len(inputs[0]) > 1
]
CASES += [
    pytest.param(OPS["upsample"], {"size": size, "interpolation": interpolation}, (13, 12, 2), id=f"{interpolation}")
    for interpolation, size in [("bilinear", 2), ("bilinear", 3), ("bicubic", 2), ("lanczos3", 2), ("lanczos5", 4)]
]


def readers(op: Op, shape: Shape, axis: int) -> np.ndarray:
    """(outputs, inputs) along an axis: whether the output unit changes with the input unit."""
    tensor = keras.Input(shape)
    model = keras.Model(tensor, op.build(keras, "a.b")(tensor))
    for weight in model.weights:
        if weight.name == "kernel" or weight.name.endswith("_kernel"):
            weight.assign(np.random.default_rng(0).uniform(0.5, 1, weight.shape))  # nothing cancels out
    size = shape[axis]
    assert size is not None
    random = np.random.default_rng(1)
    low, high = (1, 2) if op.name in OF_POSITIVE_NUMBERS else (-0.4, 0.4)
    still = np.repeat(random.uniform(low, high, (1, *shape)).astype("float32"), size, 0)
    moved = still.copy()
    for position in range(size):
        line = (position, *(slice(None),) * axis, position)
        moved[line] += random.uniform(50, 150, moved[line].shape)
    changed = np.asarray(model(moved)) != np.asarray(model(still))
    others = tuple(other for other in range(1, changed.ndim) if other != axis + 1)
    return changed.any(others).T


@pytest.mark.parametrize(("op", "given", "shape"), CASES)
def test_the_window_is_what_is_read(op: type[Op], given: Any, shape: Shape) -> None:
    made = op.make(given)
    view = made.view(shape)
    assert view != EVERYTHING
    for axis in range(len(shape) - 1):
        window = Window() if view is None else view[axis]
        assert isinstance(window, Window)
        read = readers(made, shape, axis)
        declared = np.zeros_like(read)
        for unit in range(len(read)):
            first = math.floor(unit * window.stride - window.before)
            inputs = [first + tap * window.dilation for tap in range(window.size)]
            declared[unit, [i for i in inputs if 0 <= i < read.shape[1]]] = True
        if given.get("interpolation", "nearest") != "nearest" or op.name == "window_attention":
            # a weight of the kernel can be zero; windows that do not move evenly are covered by one that does
            assert not (read & ~declared).any()
            assert read.sum() > declared.sum() / 2
        else:
            np.testing.assert_array_equal(read, declared)
