"""Each method against its definition, computed another way: matrices, masks, loops, finite differences."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from archspec.runtime.explain.backward_rules import DECONVNET, GUIDED
from archspec.runtime.explain.explainer import find_method
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.methods.gradcam import gradcam_maps
from archspec.runtime.explain.methods.gradcam_plus_plus import gradcam_plus_plus_maps
from archspec.runtime.explain.methods.hirescam import hirescam_maps
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.explain.unit_projection import project
from tests.runtime.explain.nets import Array, finite_differences, images, opened, small_net

SIZE = 9


@pytest.fixture(scope="module")
def network() -> OpenNetwork:
    return opened(small_net())


@pytest.fixture(scope="module")
def flat_network() -> OpenNetwork:
    return opened(small_net(pooled=False))


@pytest.fixture(scope="module")
def stack() -> OpenNetwork:
    """conv, ReLU, 3/2 max pooling, conv inside of which is a ReLU, flatten, dense."""
    keras.utils.set_random_seed(3)
    x = inputs = keras.Input((SIZE, SIZE, 2))
    x = keras.layers.Conv2D(3, 3, name="conv1", bias_initializer="normal")(x)
    x = keras.layers.ReLU(name="relu1")(x)
    x = keras.layers.MaxPooling2D(3, 2, name="pool")(x)
    x = keras.layers.Conv2D(4, 2, activation="relu", name="conv2", bias_initializer="normal")(x)
    x = keras.layers.Dense(3, name="scores")(keras.layers.Flatten()(x))
    return opened(keras.Model(inputs, x))


def batch(x: Array) -> ImageBatch:
    pixels = np.zeros(x.shape, np.uint8)
    return ImageBatch(tuple(f"{row}.png" for row in range(len(x))), (None,) * len(x), pixels, x)


def matrix(layer: Any, shape: tuple[int, ...]) -> Array:
    """The matrix of a layer without bias: outputs x inputs, one column for each unit vector."""
    size = int(np.prod(shape))
    units = np.eye(size, dtype=np.float32).reshape(size, *shape)
    kernel = np.asarray(layer.kernel)
    if kernel.ndim == 2:
        return kernel.T
    found: Array = keras.ops.conv(units, kernel, padding=layer.padding).numpy().reshape(size, -1).T
    return found


def unpooled(signal: Array, features: Array, window: int, stride: int) -> Array:
    """Max unpooling by explicit switches: to the first maximum of each window; overlapping windows add up."""
    result = np.zeros_like(features)
    for row, column, channel in np.ndindex(*signal.shape):
        top, left = row * stride, column * stride
        part = features[top : top + window, left : left + window, channel]
        i, j = np.unravel_index(int(np.argmax(part)), part.shape)
        result[top + i, left + j, channel] += signal[row, column, channel]
    return result


def layer(network: OpenNetwork, name: str) -> Any:
    return network.model.get_layer(name)


def backward_by_hand(network: OpenNetwork, x: Array, signal: Array, rule: str) -> Array:
    """From a signal at the output of conv2 (h, w, C) to the pixels of one image, by transposed matrices."""
    read = {name: network.activations(x[None], network.place(name))[0] for name in ("relu1", "pool", "conv2")}

    def gate(signal: Array, output: Array) -> Array:
        if rule == "deconvnet":
            return np.maximum(signal, 0)
        return np.maximum(signal, 0) * (output > 0)  # guided: both signs

    conv2, conv1 = matrix(layer(network, "conv2"), read["pool"].shape), matrix(layer(network, "conv1"), x.shape)
    down = (conv2.T @ gate(signal, read["conv2"]).ravel()).reshape(read["pool"].shape)
    down = gate(unpooled(down, read["relu1"], 3, 2), read["relu1"])
    return (conv1.T @ down.ravel()).reshape(x.shape)


def test_the_deconvnet_equals_transposed_matrices_with_switches(stack: OpenNetwork) -> None:
    x = images(3, (SIZE, SIZE, 2))
    place = stack.place("conv2")
    features = stack.activations(x, place)
    channels = features.max(axis=(1, 2)).argmax(axis=1)
    found = project(stack, x, place, features, channels)
    for row, channel in enumerate(channels):
        one = features[row, ..., channel]
        unit = np.unravel_index(int(one.argmax()), one.shape)
        signal = np.zeros_like(features[row])
        signal[(*unit, channel)] = one[unit]
        expected = backward_by_hand(stack, x[row], signal, "deconvnet")
        assert found[row].position == tuple(map(int, unit))
        np.testing.assert_allclose(found[row].pixels, expected, atol=1e-5)


def test_ties_go_to_the_first_maximum_and_overlapping_windows_add_up(stack: OpenNetwork) -> None:
    """On a constant image all inputs of a pooling window are equal; one large pixel is the maximum of four windows."""
    flat = np.ones((1, SIZE, SIZE, 2), np.float32)
    peak = flat.copy()
    peak[0, 4, 4] = 50
    for x in (flat, peak):
        place = stack.place("conv2")
        seed = np.ones((1, *place.shape), np.float32)
        found = stack.unit_gradient(x, place, seed, DECONVNET)[0]
        np.testing.assert_allclose(found, backward_by_hand(stack, x[0], seed[0], "deconvnet"), atol=1e-5)


def test_guided_backpropagation_equals_the_masked_product(stack: OpenNetwork) -> None:
    x = images(2, (SIZE, SIZE, 2))
    _, found = stack.input_gradient(x, np.array([0, 2]), GUIDED)
    for row, number in enumerate((0, 2)):
        signal = np.asarray(layer(stack, "scores").kernel)[:, number].reshape(stack.place("conv2").shape)
        expected = backward_by_hand(stack, x[row], signal, "guided")
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


@pytest.mark.parametrize(("activation", "values"), [("relu6", [-1.0, 2.0, 7.0]), ("leaky_relu", [-1.0, 2.0, 7.0])])
def test_rules_at_other_rectifiers(activation: str, values: list[float]) -> None:
    """Guided multiplies by f', which is 0 above the knee of ReLU6; the deconvnet only rectifies the signal."""
    inputs = keras.Input((1, 3, 1))
    x = keras.layers.Activation(activation, name="act")(keras.layers.Conv2D(1, 1, name="conv")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, name="scores")(keras.layers.Flatten()(x)))
    model.set_weights([np.ones((1, 1, 1, 1)), np.zeros(1), np.array([[1, 2], [3, 4], [5, 6]]), np.zeros(2)])
    network = opened(model, ("a", "b"))
    x = np.array(values, np.float32).reshape(1, 1, 3, 1)
    slope = {"relu6": [0, 1, 0], "leaky_relu": [0.2, 1, 1]}[activation]
    _, guided = network.input_gradient(x, np.array([1]), GUIDED)
    np.testing.assert_allclose(guided.ravel(), np.array([2, 4, 6]) * slope, rtol=1e-6)
    _, deconvnet = network.input_gradient(x, np.array([1]), DECONVNET)
    np.testing.assert_allclose(deconvnet.ravel(), [2, 4, 6])


def test_batch_normalization_is_its_scale_in_the_deconvnet(network: OpenNetwork) -> None:
    x, place = images(1), network.place("norm")
    seed = np.abs(images(1, (8, 8, 4)))
    gamma, _, _, variance = layer(network, "norm").get_weights()
    scaled = seed * gamma / np.sqrt(variance + layer(network, "norm").epsilon)
    expected = network.unit_gradient(x, network.place("conv1"), scaled, DECONVNET)
    np.testing.assert_allclose(network.unit_gradient(x, place, seed, DECONVNET), expected, rtol=1e-4, atol=1e-6)


def test_gradcam_of_a_pooled_network_is_its_class_activation_map(network: OpenNetwork) -> None:
    """Zhou et al. 2016: the weights of the dense layer are the weights of the maps, up to 1 / (h w)."""
    x = images(2)
    features, gradients = network.layer_gradients(x, network.last_spatial, np.array([[0, 2], [1, 0]]))
    kernel = np.asarray(layer(network, "scores").kernel)
    maps = gradcam_maps(features, gradients)
    for column, row, number in ((0, 0, 0), (1, 0, 2), (0, 1, 1), (1, 1, 0)):
        np.testing.assert_allclose(maps[column, row], features[row] @ kernel[:, number] / 9, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(hirescam_maps(features, gradients), maps, rtol=1e-4, atol=1e-6)


def test_gradients_of_a_layer_agree_with_finite_differences(flat_network: OpenNetwork) -> None:
    x, place = images(1), flat_network.place("pool")
    features, gradients = flat_network.layer_gradients(x, place, np.array([[1]]))
    rest = keras.Model(layer(flat_network, "pool").output, flat_network.model.get_layer("scores").output)
    places = [(0, 0, 0, 0), (0, 1, 2, 3), (0, 2, 1, 1)]

    def logit(values: Array) -> float:
        return float(rest(values)[0, 1])

    expected = finite_differences(logit, features, places)
    np.testing.assert_allclose([gradients[0][at] for at in places], expected, atol=5e-3)


def test_hirescam_before_a_linear_rest_adds_up_to_the_logit(flat_network: OpenNetwork) -> None:
    x = images(2)
    numbers = np.array([[0], [2]])
    features, gradients = flat_network.layer_gradients(x, flat_network.last_spatial, numbers)
    logits, _ = flat_network.predict(x)
    bias = np.asarray(layer(flat_network, "scores").bias)
    sums = hirescam_maps(features, gradients)[0].sum(axis=(1, 2))
    np.testing.assert_allclose(sums, [logits[0, 0] - bias[0], logits[1, 2] - bias[2]], rtol=1e-4)


def test_gradcam_plus_plus_follows_its_equations_position_by_position() -> None:
    generator = np.random.default_rng(0)
    features, gradients = np.abs(generator.normal(size=(1, 3, 2, 2))), generator.normal(size=(1, 1, 3, 2, 2))
    gradients[0, 0, 0, 0, 0] = 0
    expected = np.zeros((3, 2))
    for k in range(2):
        weight = 0.0
        for i, j in np.ndindex(3, 2):
            g = gradients[0, 0, i, j, k]
            below = 2 * g**2 + features[0, :, :, k].sum() * g**3
            weight += (g**2 / below if below else 0.0) * max(g, 0)
        expected += weight * features[0, :, :, k]
    np.testing.assert_allclose(gradcam_plus_plus_maps(features, gradients)[0, 0], expected, rtol=1e-5)


def test_counterfactual_gradcam_negates_the_gradients(network: OpenNetwork) -> None:
    x = batch(images(2))
    kernel = np.asarray(layer(network, "scores").kernel)
    features = network.activations(x.x, network.last_spatial)
    method = find_method("gradcam", {"counterfactual": True, "classes": ["blue"]})
    for row, image in enumerate(method.explain_batch(network, x)):
        np.testing.assert_allclose(image.panels[0].raw, np.maximum(-features[row] @ kernel[:, 2] / 9, 0), atol=1e-6)


def test_integrated_gradients_are_complete(network: OpenNetwork) -> None:
    x = batch(images(2))
    method = find_method("integrated-gradients", {"classes": ["0", "2"], "steps": 4, "baseline": "black"})
    logits, _ = network.predict(x.x)
    start, _ = network.predict(np.zeros_like(x.x))
    for row, image in enumerate(method.explain_batch(network, x)):
        for number, panel in zip((0, 2), image.panels, strict=True):
            difference = logits[row, number] - start[row, number]
            assert panel.numbers["difference"] == pytest.approx(difference, rel=1e-4)
            assert abs(panel.values.sum() - difference) <= 1.01e-3 * abs(difference)
            assert panel.numbers["residual"] == pytest.approx(difference - panel.values.sum(), abs=1e-5)
            assert "residual" in panel.text


def test_integrated_gradients_of_a_linear_network_are_weights_times_inputs() -> None:
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.Dense(2, name="scores")(keras.layers.Flatten()(inputs)))
    x = batch(images(1, (4, 4, 1)))
    method = find_method("integrated-gradients", {"classes": ["1"], "steps": 1})
    (image,) = method.explain_batch(opened(model, ("a", "b")), x)
    kernel = np.asarray(model.get_layer("scores").kernel)[:, 1].reshape(4, 4)
    np.testing.assert_allclose(image.panels[0].values, kernel * x.x[0, ..., 0], atol=1e-6)


def test_occlusion_equals_a_loop(network: OpenNetwork) -> None:
    x = batch(images(1))
    network.batch_size = 5  # positions are not a multiple of it
    method = find_method("occlusion", {"classes": ["1"], "size": 3, "stride": 2, "fill": "grey"})
    (image,) = method.explain_batch(network, x)
    places = (0, 2, 4, 5)  # the last square touches the border
    features = keras.Model(network.model.input, layer(network, "act2").output)
    strongest = int(features(x.x)[0].numpy().sum(axis=(0, 1)).argmax())
    expected, activity = np.zeros((2, 4, 4))
    total, count = np.zeros((8, 8)), np.zeros((8, 8))
    for (i, top), (j, left) in ((a, b) for a in enumerate(places) for b in enumerate(places)):
        hidden = x.x.copy()
        hidden[0, top : top + 3, left : left + 3] = 127.5
        expected[i, j] = network.model(hidden)[0, 1]
        activity[i, j] = features(hidden)[0].numpy()[..., strongest].sum()
        total[top : top + 3, left : left + 3] += expected[i, j]
        count[top : top + 3, left : left + 3] += 1
    np.testing.assert_allclose(image.panels[0].raw, expected, atol=1e-5)
    np.testing.assert_allclose(image.panels[1].raw, activity, rtol=1e-4)
    assert image.panels[1].numbers["channel"] == strongest
    np.testing.assert_allclose(image.panels[0].values, total / count, atol=1e-5)


def test_noisy_samples_are_averaged(network: OpenNetwork) -> None:
    from archspec.runtime.explain.input_gradients import averaged_gradient, noisy_copies

    x, number = images(1), np.array([1])
    copies = list(noisy_copies(x[0], 3, 0.2))
    assert np.std([copy - x[0] for copy in copies]) == pytest.approx(0.2 * (x.max() - x.min()), rel=0.1)
    expected = np.mean([network.input_gradient(copy[None], number)[1][0] for copy in copies], axis=0)
    np.testing.assert_allclose(averaged_gradient(network, x, number, samples=3, noise=0.2)[0], expected, atol=1e-6)
