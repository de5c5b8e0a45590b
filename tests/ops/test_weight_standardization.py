"""Convolutions with standardized weights against timm, and against the formula in NumPy before a plain convolution."""

from typing import Any

import keras
import numpy as np
import pytest

from archspec.ops import OPS, OpError
from archspec.runtime.models.custom_layers import check_loadable
from archspec.runtime.models.metadata import Metadata


def filled(*shape: int) -> np.ndarray:
    """Numbers between -1 and 1 that any program can make: sin(1^1.5), sin(2^1.5), ..."""
    return np.sin(np.arange(1, 1 + np.prod(shape), dtype="float64") ** 1.5).reshape(shape)


def built(op: str, given: dict[str, Any], shape: tuple[int, ...]) -> Any:
    inputs = keras.Input(shape)
    return keras.Model(inputs, OPS[op].make(given).build(keras, "layer")(inputs))


TIMM = {  # timm 1.0.31, in float64: eps=0.01, the weights and inputs of `filled`; the middle column of the output
    True: [  # StdConv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=True)
        [3.894238, 0.264444, 1.91729, 4.58934, -3.870062, 3.74845],
        [1.294772, -5.087726, -1.791939, -0.845866, 3.429459, 0.843182],
        [-1.267439, 2.103324, -4.290797, -0.189606, 1.459338, 0.951046],
    ],
    "scaled": [  # ScaledStdConv2d with the same arguments; gain = filled(8)[2:]
        [0.204494, 0.297898, -1.534573, 1.708377, -0.762923, 0.44107],
        [0.746887, -0.950196, -0.67518, 0.622812, -1.319299, 0.847964],
        [1.281507, 0.726714, -0.096218, 0.753886, -1.169135, 0.832857],
    ],
}


@pytest.mark.parametrize("standardize", TIMM)
def test_a_convolution_is_that_of_timm(standardize: bool | str) -> None:
    given = {"filters": 6, "strides": 2, "padding": 1, "groups": 2, "standardize": standardize, "epsilon": 0.01}
    model = built("conv", given, (5, 4, 4))
    gain = [filled(8)[2:]] if standardize == "scaled" else []
    by_name = {"layer.filters": [filled(3, 3, 2, 6)], "layer.bias": [filled(1, 6)], "layer.gain": gain}
    for layer in model.layers:
        layer.set_weights(by_name.get(layer.name, []))
    found = np.asarray(model(filled(1, 5, 4, 4).astype("float32")))
    np.testing.assert_allclose(found[0, :, 1], TIMM[standardize], atol=2e-5)


CASES: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("conv", {"filters": 5, "kernel_size": [1, 3], "padding": "same"}, (6, 7, 3)),
    ("conv", {"filters": 4, "kernel_size": 1, "use_bias": False}, (6, 7, 3)),
    ("conv", {"filters": 4, "padding": "causal", "dilation_rate": 2}, (9, 3)),
    ("conv", {"filters": 6, "kernel_size": 2, "groups": 3}, (3, 4, 5, 6)),
    ("depthwise_conv", {"padding": 1, "strides": 2, "depth_multiplier": 2}, (7, 8, 3)),
    ("depthwise_conv", {"dilation_rate": 2}, (9, 3)),
]


@pytest.mark.parametrize("standardize", [True, "scaled"])
@pytest.mark.parametrize(("op", "given", "shape"), CASES)
def test_it_is_the_plain_convolution_with_the_kernel_of_the_formula(
    op: str, given: dict[str, Any], shape: tuple[int, ...], standardize: bool | str
) -> None:
    random = np.random.default_rng(0)
    model, plain = built(op, {**given, "standardize": standardize, "epsilon": 0.01}, shape), built(op, given, shape)
    weights = {layer.name: [random.normal(0.3, 1, each.shape) for each in layer.weights] for layer in model.layers}
    for layer in model.layers:
        layer.set_weights(weights[layer.name])
    (kernel,) = weights["layer.filters"]
    by_filter = kernel.reshape(-1, plain.output_shape[-1])
    fan_in = len(by_filter)
    mean = by_filter.sum(axis=0) / fan_in
    variance = ((by_filter - mean) ** 2).sum(axis=0) / fan_in
    by_filter = (by_filter - mean) / (variance + 0.01) ** 0.5
    if standardize == "scaled":
        by_filter = by_filter * weights["layer.gain"][0] / fan_in**0.5
    bias = [weights["layer.bias"][0][0]] if given.get("use_bias", True) else []
    plain.get_layer("layer").set_weights([by_filter.reshape(kernel.shape), *bias])
    x = random.normal(size=(2, *shape)).astype("float32")
    np.testing.assert_allclose(model(x), plain(x), atol=2e-5)


def test_a_file_needs_stock_layers_only() -> None:
    model = built("conv", {"filters": 4, "groups": 2, "standardize": "scaled"}, (5, 5, 4))
    assert all(type(each).__module__.startswith("keras.") for each in model.operations)
    check_loadable(model, Metadata())


def test_mixed_precision_stays_near_and_gradients_reach_all_weights() -> None:
    import tensorflow as tf

    given, x = {"filters": 4, "standardize": "scaled"}, np.random.default_rng(0).normal(size=(2, 6, 6, 3))
    full = built("conv", given, (6, 6, 3))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = built("conv", given, (6, 6, 3))
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(full.get_weights())
    x = x.astype("float32")
    np.testing.assert_allclose(np.asarray(half(x), "float32"), full(x), atol=0.05)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(full(x) ** 2)
    gradients = tape.gradient(loss, full.trainable_weights)
    assert all(np.abs(tf.convert_to_tensor(each)).max() > 0 for each in gradients)


@pytest.mark.parametrize(
    ("op", "given", "shape", "fact"),
    [
        ("conv", {"filters": 4, "kernel_size": 1, "standardize": True}, (5, 5, 1), "each filter has one weight"),
        ("depthwise_conv", {"kernel_size": 1, "standardize": True}, (5, 5, 4), "each filter has one weight"),
        ("conv", {"filters": 4, "epsilon": 1e-3}, (5, 5, 3), "`epsilon` has no effect without `standardize`"),
    ],
)
def test_what_cannot_be_standardized(op: str, given: dict[str, Any], shape: tuple[int, ...], fact: str) -> None:
    with pytest.raises(OpError, match=fact):
        OPS[op].make(given).weights(shape)
