"""The transposed convolution against the gradient of the convolution, and its sizes against Keras on random windows."""

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.ops import OPS, OpError
from archspec.ops.base import Shape, Window

NAME = "a.b"


def model_of(args: dict[str, Any], shape: Shape) -> Any:
    tensor = keras.Input(shape)
    return keras.Model(tensor, OPS["conv_transpose"].make(args).build(keras, NAME)(tensor))


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 1), (4, 2), (5, 3)])
def test_it_is_the_gradient_of_the_convolution(padding: str, kernel: int, stride: int) -> None:
    args = {"filters": 3, "kernel_size": kernel, "strides": stride, "padding": padding.lower(), "use_bias": False}
    model = model_of(args, (4, 5, 2))
    y = np.random.default_rng(0).normal(size=(2, 4, 5, 2)).astype("float32")
    weights = model.weights[0].numpy()  # (k, k, filters, C): the kernel of a convolution from filters to C channels
    x = tf.zeros((2, *model.output_shape[1:]))
    with tf.GradientTape() as tape:
        tape.watch(x)
        convolved = tf.nn.conv2d(x, weights, stride, padding)
    assert convolved.shape == y.shape
    np.testing.assert_allclose(model(y), tape.gradient(convolved, x, y), rtol=1e-4, atol=1e-5)


def test_it_costs_what_its_convolution_costs() -> None:
    """Each product of the convolution occurs once in its gradient."""
    up = OPS["conv_transpose"].make({"filters": 3, "kernel_size": 4, "strides": 2})
    down = OPS["conv"].make({"filters": 5, "kernel_size": 4, "strides": 2})
    large = up.shape((6, 7, 5))
    assert down.shape(large) == (6, 7, 5)
    assert up.macs((6, 7, 5)) == down.macs(large)


@st.composite
def windows(draw: st.DrawFn) -> tuple[dict[str, Any], Shape]:
    rank = draw(st.integers(1, 3))
    sizes = draw(st.lists(st.integers(1, 6), min_size=rank, max_size=rank))
    each = {"kernel_size": st.integers(1, 5), "strides": st.integers(1, 3), "dilation_rate": st.sampled_from([1, 1, 2])}
    args: dict[str, Any] = {
        word: draw(st.lists(item, min_size=rank, max_size=rank)) if word == "kernel_size" else draw(item)
        for word, item in each.items()
    }
    args |= {"filters": draw(st.integers(1, 3)), "padding": draw(st.sampled_from(["valid", "same"]))}
    if draw(st.booleans()):
        args["output_padding"] = draw(st.integers(0, 2))
    return args, (*sizes, draw(st.integers(1, 3)))


@settings(max_examples=60, derandomize=True)
@given(windows())
def test_random_windows_fail_or_agree_with_keras(drawn: tuple[dict[str, Any], Shape]) -> None:
    args, shape = drawn
    made = OPS["conv_transpose"].make(args)
    try:
        declared = made.shape(shape)
    except OpError:
        strided = args["strides"] > 1 and args["dilation_rate"] > 1
        assert strided or args.get("output_padding", 0) >= args["strides"] or min(sizes_of_keras(args, shape)) < 1
        return
    assert declared == sizes_of_keras(args, shape)


def sizes_of_keras(args: dict[str, Any], shape: Shape) -> Shape:
    layer = getattr(keras.layers, f"Conv{len(shape) - 1}DTranspose")(**args)
    return tuple(layer.compute_output_shape((None, *shape))[1:])


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (2, 3), (5, 3), (5, 2)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_no_output_reads_outside_its_window(kernel: int, stride: int, padding: str) -> None:
    """Where the stride does not divide the window, some outputs read fewer inputs than the widest."""
    args = {"filters": 1, "kernel_size": kernel, "strides": stride, "padding": padding, "use_bias": False}
    model = model_of(args, (7, 1))
    model.weights[0].assign(np.ones(model.weights[0].shape))
    read = np.asarray(model(np.eye(7, dtype="float32")[:, :, None]))[:, :, 0].T > 0
    (window,) = OPS["conv_transpose"].make(args).view((7, 1))  # type: ignore[misc]
    assert isinstance(window, Window)
    widest = 0
    for unit, inputs in enumerate(read):
        first = math.floor(unit * window.stride - window.before)
        assert set(np.flatnonzero(inputs)) <= set(range(first, first + window.size)), unit
        widest = max(widest, int(inputs.sum()))
    assert widest == window.size
