"""A small trained network: explanations point at the object, and depend on the weights (Adebayo et al. 2018)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from archspec.runtime.explain.backward_rules import GUIDED
from archspec.runtime.explain.explainer import find_method
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.methods.gradcam import gradcam_maps
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.models.metadata import Metadata
from archspec.transforms import TRANSFORMS
from tests.runtime.explain.nets import Array, opened

SIDE, SQUARE = 32, 10
NAMES = ("red", "green", "blue", "nothing")
SCALED = Metadata(preprocess=(TRANSFORMS["scale"](1 / 255),))  # type: ignore[arg-type]


def squares(count: int, seed: int, classes: int = 3) -> tuple[Array, Array, Array]:
    """Grey noise with a square of the color of the class: inputs (N, H, W, 3), classes, tops and lefts of the squares.

    Class 3 has no square. Without it the absence of two colors would be evidence for the third one everywhere.
    """
    generator = np.random.default_rng(seed)
    x = generator.uniform(0.25, 0.75, (count, SIDE, SIDE, 3)).astype(np.float32)
    numbers = generator.integers(0, classes, count)
    corners = generator.integers(0, SIDE - SQUARE + 1, (count, 2))
    for image, number, (top, left) in zip(x, numbers, corners, strict=True):
        if number == 3:
            continue
        color = np.full(3, 0.1, np.float32)
        color[number] = 0.9
        image[top : top + SQUARE, left : left + SQUARE] = color + generator.uniform(-0.1, 0.1, (SQUARE, SQUARE, 3))
    return x, numbers, corners


def net() -> Any:
    """Three convolutions, global average pooling, a dense layer."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((SIDE, SIDE, 3))
    for number, filters in enumerate((8, 12, 16), 1):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        if number < 3:
            x = keras.layers.MaxPooling2D(name=f"pool{number}")(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(inputs, keras.layers.Softmax(name="softmax")(keras.layers.Dense(4, name="scores")(x)))


@pytest.fixture(scope="module")
def trained() -> OpenNetwork:
    model = net()
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, classes, _ = squares(800, 1, 4)
    model.fit(x, classes, batch_size=30, epochs=8, verbose=0)
    x, classes, _ = squares(100, 2, 4)
    assert model.evaluate(x, classes, verbose=0)[1] >= 0.98
    return opened(model, NAMES, SCALED)


def batch(x: Array) -> ImageBatch:
    return ImageBatch(tuple(map(str, range(len(x)))), (None,) * len(x), (x * 255).astype(np.uint8), x)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gradcam", {}),
        ("integrated-gradients", {"baseline": "grey", "steps": 8, "max_steps": 16}),
        ("occlusion", {"size": 6, "stride": 3}),
    ],
)
def test_the_maximum_lies_in_the_square(trained: OpenNetwork, name: str, settings: dict[str, Any]) -> None:
    x, classes, corners = squares(100, 3)
    trained.batch_size = 64
    hits = 0
    for number in range(3):
        rows = np.flatnonzero(classes == number)
        method = find_method(name, {"classes": [str(number)], **settings})
        for row, image in zip(rows, method.explain_batch(trained, batch(x[rows])), strict=True):
            values = image.panels[0].values
            if name == "occlusion":  # the probability is lowest where the square is hidden
                values = -values
            place = np.array(np.unravel_index(int(np.argmax(values)), values.shape))
            hits += bool(np.all((place >= corners[row]) & (place < corners[row] + SQUARE)))
    assert hits >= 95


def ranks(values: Array) -> Array:
    return np.argsort(np.argsort(values.ravel()))


def correlation(one: Array, other: Array) -> float:
    """Spearman's rank correlation, averaged over the images."""
    pairs = zip(one, other, strict=True)
    return float(np.mean([np.corrcoef(ranks(a), ranks(b))[0, 1] for a, b in pairs]))


def test_maps_change_when_all_weights_are_randomised(trained: OpenNetwork) -> None:
    """Signed maps of 20 images; integrated gradients are divided by x - x'."""
    x, classes, _ = squares(20, 4)
    random = net()
    generator = np.random.default_rng(5)
    random.set_weights([generator.permuted(w.ravel()).reshape(w.shape) for w in random.get_weights()])
    maps: dict[str, list[Array]] = {"gradient": [], "integrated-gradients": [], "gradcam": []}
    for network in (trained, opened(random, NAMES, SCALED)):
        maps["gradient"].append(network.input_gradient(x, classes)[1])
        features, gradients = network.layer_gradients(x, network.last_spatial, classes[:, None])
        maps["gradcam"].append(gradcam_maps(features, gradients)[0])
        method = find_method("integrated-gradients", {"classes": ["0"], "steps": 8, "max_steps": 8})
        images = method.explain_batch(network, batch(x))
        maps["integrated-gradients"].append(np.stack([image.panels[0].raw for image in images]) / np.maximum(x, 1e-3))
    assert {name: correlation(*pair) for name, pair in maps.items() if abs(correlation(*pair)) >= 0.5} == {}
    for name in ("guided-backprop", "deconvnet", "guided-gradcam"):  # those that need not change say so
        assert "Adebayo" in find_method(name, {}).caveat
    assert trained.input_gradient(x, classes, GUIDED)[1].any()
