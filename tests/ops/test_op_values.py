"""What operators compute, against TensorFlow, NumPy and the papers' formulas."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.lib.stride_tricks import sliding_window_view

from archspec.ops import OPS


def run(op: str, given: dict[str, Any], *arrays: Any) -> np.ndarray:
    """The operator on a batch, through a Keras model."""
    tensors = [keras.Input(array.shape[1:]) for array in arrays]
    model = keras.Model(tensors, OPS[op].make(given).build(keras, "a.b")(*tensors))
    return np.asarray(model([np.asarray(array, "float32") for array in arrays]), "float32")


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    "given",
    [{}, {"depth_radius": 1, "bias": 1.0, "alpha": 0.5, "beta": 0.5}, {"depth_radius": 9, "alpha": 1.0}],
    ids=["paper", "narrow", "wider than the channels"],
)
def test_lrn_is_that_of_tensorflow(given: dict[str, Any]) -> None:
    x = 5 * normal(2, 4, 3, 7)
    arguments = {"depth_radius": 2, "bias": 2.0, "alpha": 1e-4, "beta": 0.75, **given}
    np.testing.assert_allclose(run("lrn", given, x), tf.nn.lrn(x, **arguments), rtol=2e-6)


def test_lrn_in_bfloat16_stays_near() -> None:
    x = 5 * normal(2, 4, 3, 7)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = run("lrn", {"alpha": 0.5}, x)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(half, run("lrn", {"alpha": 0.5}, x), rtol=0.03)


def windows(x: np.ndarray, size: tuple[int, int], strides: tuple[int, int], border: float, pixels: Any) -> np.ndarray:
    """(N, H', W', C, h, w): what each output unit of a 2-D pooling sees."""
    padded = np.pad(x, ((0, 0), *pixels, (0, 0)), constant_values=border)
    return sliding_window_view(padded, size, axis=(1, 2))[:, :: strides[0], :: strides[1]]


@pytest.mark.parametrize(
    ("padding", "strides", "pixels"),
    [
        (1, [2, 3], ((1, 1), (1, 1))),
        (1, [1, 1], ((1, 1), (1, 1))),
        ([[0, 2], [1, 0]], [2, 1], ((0, 2), (1, 0))),
    ],
    ids=["strided", "like same", "uneven"],
)
def test_what_is_padded_is_never_the_maximum(padding: Any, strides: list[int], pixels: Any) -> None:
    x = -1 - abs(normal(2, 7, 8, 3))
    expected = windows(x, (3, 3), (strides[0], strides[1]), -np.inf, pixels).max((-2, -1))
    np.testing.assert_array_equal(run("maxpool", {"pool_size": 3, "strides": strides, "padding": padding}, x), expected)


@pytest.mark.parametrize("strides", [[1, 1], [2, 3]])
def test_pixels_count_as_zeros_in_a_mean(strides: list[int]) -> None:
    x = 3 + normal(2, 7, 8, 3)
    expected = windows(x, (3, 3), (strides[0], strides[1]), 0, ((1, 1), (1, 1))).mean((-2, -1))
    pooled = run("avgpool", {"pool_size": 3, "strides": strides, "padding": 1}, x)
    np.testing.assert_allclose(pooled, expected, rtol=1e-5)


def test_same_does_not_count_in_a_mean() -> None:
    ones = np.ones((1, 5, 4, 2), "float32")
    np.testing.assert_allclose(run("avgpool", {"pool_size": 3, "strides": 1, "padding": "same"}, ones), ones, rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "function"), [("add", np.add), ("multiply", np.multiply), ("average", None), ("maximum", np.maximum)]
)
def test_merges_broadcast(op: str, function: Any) -> None:
    x, excitation, bias = normal(2, 5, 4, 3), normal(2, 1, 1, 3, seed=1), normal(2, 3, seed=2)
    spread = bias[:, None, None]
    expected = (x + excitation + spread) / 3 if op == "average" else function(function(x, excitation), spread)
    np.testing.assert_allclose(run(op, {}, x, excitation, bias), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(op, {}, bias, excitation, x), expected, rtol=1e-5, atol=1e-6)


def test_channels_are_padded_at_the_end_with_zeros() -> None:
    x = 3 + normal(2, 5, 4, 3)
    np.testing.assert_array_equal(run("pad_channels", {"channels": 7}, x), np.pad(x, ((0, 0),) * 3 + ((0, 4),)))


def test_normalization_by_given_statistics() -> None:
    x = normal(2, 5, 4, 3)
    mean, variance = [0.5, -1, 2], [4, 0.25, 1]
    expected = (x - np.array(mean)) / np.sqrt(variance)
    normalized = run("normalize", {"mean": mean, "variance": variance}, x)
    np.testing.assert_allclose(normalized, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run("normalize", {"mean": mean}, x), x - np.array(mean), rtol=1e-5, atol=1e-6)
    scaled = run("rescale", {"scale": mean, "offset": 1}, x)
    np.testing.assert_allclose(scaled, x * np.array(mean) + 1, rtol=1e-5, atol=1e-6)


def test_layer_norm_takes_the_axes_as_they_are_named() -> None:
    """Keras resolves -1 after it has sorted the axes, and swaps the sizes of gamma; the values are those of [1, 3]."""
    x = normal(2, 5, 4, 3)
    mean, variance = x.mean((1, 3), keepdims=True), x.var((1, 3), keepdims=True)
    for axis in ([-1, 1], [1, 3], [3, 1]):
        normalized = run("layer_norm", {"axis": axis}, x)
        np.testing.assert_allclose(normalized, (x - mean) / np.sqrt(variance + 1e-3), rtol=1e-4, atol=1e-5)


def test_the_loss_sees_the_logits_before_a_softmax() -> None:
    """Keras computes the cross-entropy of an Activation's softmax from its logits: exact where the softmax is 0."""
    tensor = keras.Input((3,))
    model = keras.Model(tensor, OPS["softmax"].make({}).build(keras, "softmax")(tensor))
    logits = np.array([[200.0, 0.0, -200.0]], "float32")
    loss = keras.losses.sparse_categorical_crossentropy(np.array([2]), model(logits))
    np.testing.assert_allclose(loss, [400.0])


CHAIN = [
    ("normalize", {"mean": [0.5, 0.25, 0], "variance": [1, 2, 4]}),
    ("rescale", {"scale": [1, 2, 0.5], "offset": -0.25}),
    ("conv", {"filters": 6, "kernel_size": 3, "strides": 2, "padding": 1}),
    ("lrn", {}),
    ("relu", {"negative_slope": 0.1, "max_value": 6}),
    ("pad_channels", {"channels": 8}),
    ("maxpool", {"pool_size": 3, "strides": 2, "padding": 1}),
    ("squareplus", {"b": 1}),
    ("upsample", {"size": [2, 1], "interpolation": "bilinear"}),
    ("glu", {}),
    ("prelu", {"shared_axes": [1, 2]}),
    ("avgpool", {"pool_size": 2, "strides": 1, "padding": [[1, 0], [0, 1]]}),
    ("layer_norm", {"axis": [-1, 1]}),
    ("select_channels", {"indices": [2, 0, 3]}),
    ("threshold", {"threshold": -0.5, "default_value": -0.75}),
    ("channel_shuffle", {"groups": 3}),
    ("avgpool", {"pool_size": 3, "strides": 2, "ceil_mode": True}),
    ("adaptive_avgpool", {"output_size": [3, 2]}),
    ("reshape", {"target_shape": [-1, 3]}),
    ("attention", {"num_heads": 3}),
    ("take", {"indices": 0}),
]

RELOAD = """
import sys
import keras, numpy as np
model = keras.saving.load_model("model.keras")
assert not any(name.startswith("archspec") for name in sys.modules)
np.save("out.npy", np.asarray(model(np.load("in.npy"))))
print(sorted({type(layer).__module__.split(".")[0] for layer in model.layers}))
"""


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # Keras, saving
@pytest.mark.slow
def test_a_saved_model_loads_with_keras_alone(tmp_path: Path) -> None:
    tensor = output = keras.Input((19, 17, 3))
    for number, (op, given) in enumerate(CHAIN):
        output = OPS[op].make(given).build(keras, f"chain.{number}")(output)
    model = keras.Model(tensor, output)
    for weight in model.weights:
        weight.assign(normal(*weight.shape, seed=len(weight.path)))
    x = normal(2, 19, 17, 3)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "in.npy", x)
    done = subprocess.run([sys.executable, "-I", "-c", RELOAD], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['keras']"
    expected = np.asarray(model(x))
    assert expected.std() > 0.01
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-6, atol=1e-7)


def test_the_configuration_of_a_model_is_plain_data() -> None:
    """No lambda and no pickled object, which Keras refuses to load in its safe mode."""
    for name, op in OPS.items():
        for given, inputs in op.examples:
            tensors = [keras.Input(shape) for shape in inputs]
            model = keras.Model(tensors, op.make(given).build(keras, "a.b")(*tensors))
            text = json.dumps(keras.saving.serialize_keras_object(model))
            assert "__lambda__" not in text, name
            again = keras.saving.deserialize_keras_object(json.loads(text))
            assert again.output_shape == model.output_shape, name


@pytest.mark.parametrize(("size", "kernel"), [(7, 3), (8, 3), (7, 2), (8, 7)])
def test_same_pad_before_a_valid_window_is_the_window_with_same(size: int, kernel: int) -> None:
    x = normal(2, size, size + 1, 3)
    padded = run("same_pad", {"kernel_size": kernel, "strides": 2}, x)
    kernels = normal(kernel, kernel, 3, 5, seed=1)
    expected = tf.nn.conv2d(x, kernels, 2, "SAME")
    np.testing.assert_allclose(tf.nn.conv2d(padded, kernels, 2, "VALID"), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 3, 7), (5, 7), (7,), (3, 4, 2, 5)])
def test_layer_scale_starts_as_one_factor_and_learns_one_for_each_channel(shape: tuple[int, ...]) -> None:
    tensor = keras.Input(shape)
    model = keras.Model(tensor, OPS["layer_scale"].make({"init_value": 0.25}).build(keras, "a.b")(tensor))
    x = normal(2, *shape)
    np.testing.assert_allclose(model(x), 0.25 * x, rtol=1e-6)
    (kernel,) = model.trainable_weights
    factors = normal(shape[-1], seed=1)
    kernel.assign(factors.reshape(kernel.shape))
    np.testing.assert_allclose(model(x), factors * x, rtol=1e-5)


@pytest.mark.parametrize("shape", [(4, 3, 7), (7,)])
def test_stochastic_depth_keeps_or_drops_whole_samples_and_keeps_the_mean(shape: tuple[int, ...]) -> None:
    tensor = keras.Input(shape)
    model = keras.Model(tensor, OPS["stochastic_depth"].make({"rate": 0.25}).build(keras, "a.b")(tensor))
    x = np.ones((4000, *shape), "float32")
    np.testing.assert_array_equal(model(x, training=False), x)
    kept = np.asarray(model(x, training=True)).reshape(4000, -1)
    assert (kept == kept[:, :1]).all()
    assert set(np.unique(kept.round(4))) == {0.0, np.float32(1.3333)}
    assert kept.mean() == pytest.approx(1, abs=0.05)  # five standard deviations are 0.046
