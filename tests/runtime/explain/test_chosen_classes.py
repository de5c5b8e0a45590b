"""Maps of classes that are chosen for each image, against their definition."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from archspec.runtime.data.files.encoded_image import BadImageError
from archspec.runtime.explain.chosen_classes import maps_of_classes
from archspec.runtime.explain.methods.gradcam import gradcam_maps
from archspec.runtime.image_inputs import GivenImage
from tests.runtime.explain.nets import Array, opened, small_net


def given(pixels: Array) -> list[GivenImage]:
    return [GivenImage("the same name", lambda image=image: image) for image in pixels]


@pytest.fixture(scope="module")
def pixels() -> Array:
    return np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)


def test_each_image_gets_the_maps_of_its_own_classes(pixels: Array) -> None:
    network = opened(small_net())
    classes = [(0, 1), (2, 1), (1, 0), (0, 2)]
    found, reason = maps_of_classes(network, given(pixels), classes, gradcam_maps)
    assert reason is None
    # a network of global average pooling and a dense layer: the map of a class is the map of features times the
    # weights of the class, divided by the number of positions (Zhou et al. 2016, equation 1)
    features = keras.Model(network.model.input, network.model.get_layer("act2").output)(pixels.astype(np.float32))
    weights = network.model.get_layer("scores").get_weights()[0]
    for image, each, wanted in zip(features.numpy(), found, classes, strict=True):
        assert each is not None
        assert each.maps is not None
        for number, map_ in zip(wanted, each.maps, strict=True):
            expected = np.maximum(image @ weights[:, number], 0) / image[..., 0].size
            np.testing.assert_allclose(map_, expected, rtol=1e-4, atol=1e-4)
    assert [np.array_equal(each.pixels, image) for each, image in zip(found, pixels, strict=True) if each] == [True] * 4


def test_an_image_that_cannot_be_read_has_no_maps(pixels: Array) -> None:
    def damaged() -> Array:
        raise BadImageError("damaged")

    images = given(pixels)
    images[1] = GivenImage("damaged", damaged)
    found, _ = maps_of_classes(opened(small_net()), images, [(0, 1)] * 4, gradcam_maps)
    assert [each is None for each in found] == [False, True, False, False]


def test_a_network_of_dense_layers_has_images_without_maps(pixels: Array) -> None:
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(inputs))
    found, reason = maps_of_classes(opened(keras.Model(inputs, outputs)), given(pixels), [(0, 1)] * 4, gradcam_maps)
    assert reason == "no layer of the network has spatial extent"
    assert all(each is not None and each.maps is None for each in found)
