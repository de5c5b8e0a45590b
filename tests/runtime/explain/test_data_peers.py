"""The methods of data sets, invariance and maximize against scikit-learn, SciPy and plain NumPy, where installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archspec
from archspec.runtime.explain.methods.invariance import moved
from tests.runtime.explain.nets import Array
from tests.runtime.explain.test_explain import model

__all__ = ["model"]  # the fixture

DIGITS = {"data": "digits", "per_class": 4}


@pytest.fixture(scope="module")
def seen(model: Path) -> list[Any]:
    """The images of the data set as the network sees them."""
    return list(archspec.explain(model, method="features", layer="relu1", **DIGITS).images)


def outputs(model: Path, name: str, x: Array) -> Array:
    """What a layer of the saved model returns for inputs, by Keras alone."""
    whole = keras.models.load_model(model, compile=False)
    values: Array = keras.Model(whole.input, whole.get_layer(name).output).predict(x, verbose=0)
    return values


def inputs(seen: list[Any]) -> Array:
    return np.stack([image.pixels for image in seen]).astype(np.float32) / 255


def test_the_embedding_is_that_of_scikit_learn(model: Path, seen: list[Any]) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    found = archspec.explain(model, method="embedding", layer="flat", **DIGITS)
    peer = decomposition.PCA(2, svd_solver="full")
    expected = peer.fit_transform(outputs(model, "flat", inputs(seen)).astype(np.float64))
    points = found.findings.arrays["points"]
    signs = np.sign((points * expected).sum(axis=0))  # a direction and its opposite are the same component
    assert np.abs(points * signs - expected).max() < 1e-5 * np.abs(expected).max()
    assert found.findings.numbers["explained_variance"] == pytest.approx(peer.explained_variance_ratio_, rel=1e-5)


def test_neighbours_are_those_of_scikit_learn(model: Path, seen: list[Any]) -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    settings = {"count": 5, "queries": 4}
    found = archspec.explain(model, method="neighbours", layer="flat", settings=settings, **DIGITS)
    files = [image.file for image in seen]
    x = inputs(seen)
    spaces = {"features": outputs(model, "flat", x), "pixels": x.reshape(len(x), -1) * 255}
    for query in found.findings.numbers["queries"]:
        row = files.index(query["file"])
        for space, vectors in spaces.items():
            distances, rows = neighbors.NearestNeighbors(n_neighbors=6).fit(vectors).kneighbors(vectors[[row]])
            assert rows[0, 0] == row
            assert [each["file"] for each in query[space]] == [files[other] for other in rows[0, 1:]]
            assert [each["distance"] for each in query[space]] == pytest.approx(distances[0, 1:], rel=1e-4)


def test_top_patches_are_those_of_a_full_sort(model: Path, seen: list[Any]) -> None:
    settings = {"channels": [0, 1, 2, 3]}
    found = archspec.explain(model, method="top-patches", layer="relu2", settings=settings, **DIGITS)
    maps = outputs(model, "relu2", inputs(seen))
    for entry in found.findings.numbers["channels"]:
        channel = entry["channel"]
        best = maps[..., channel].reshape(len(maps), -1).max(axis=1)
        order = np.argsort(-best, kind="stable")
        order = order[best[order] > 0][:9]
        assert [each["file"] for each in entry["images"]] == [seen[row].file for row in order]
        for place, (row, each) in enumerate(zip(order, entry["images"], strict=True)):
            top, left = np.unravel_index(int(maps[row, ..., channel].argmax()), (2, 2))
            assert each["position"] == [top, left]
            # 3 x 3 with padding 1, pooling 3/2 and 2 x 2 see 3 + 2 + 2 = 7 pixels from -1 on, in steps of 2
            border = np.pad(seen[row].pixels, ((1, 1), (1, 1), (0, 0)), constant_values=127)
            patch = border[2 * top : 2 * top + 7, 2 * left : 2 * left + 7]
            np.testing.assert_array_equal(found.findings.arrays[f"patches/{channel}"][place], patch)


@pytest.mark.parametrize(
    ("change", "shift", "scale", "degrees"),
    [("move", 2.5, 1, 0), ("grow", 0, 1.7, 0), ("turn", 0, 1, 33), ("all", -1.2, 1.4, 200)],
)
def test_images_are_moved_as_by_scipy(change: str, shift: float, scale: float, degrees: float) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    pixels = np.random.default_rng(0).integers(0, 256, (24, 17, 1), np.uint8)
    cosine, sine = np.cos(np.deg2rad(degrees)) / scale, np.sin(np.deg2rad(degrees)) / scale
    backward = np.array([[cosine, sine], [-sine, cosine]])  # from (row, column) of the result to that of the image
    center = (np.array(pixels.shape[:2]) - 1) / 2
    offset = center - backward @ (center + np.array([shift, 0]))
    given = pixels[..., 0].astype(np.float64)
    expected = ndimage.affine_transform(given, backward, offset, order=1, cval=np.nan)
    found = moved(pixels, shift, scale, degrees)[..., 0]
    inside = ~np.isnan(expected)
    assert inside.sum() > 120
    # Pillow rounds positions to 1/65536 of a pixel
    np.testing.assert_allclose(found[inside], expected[inside], atol=0.05)


def test_the_curves_of_invariance_are_distances_of_moved_images(model: Path, seen: list[Any]) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    found = archspec.explain(
        model, data="digits", per_class=1, method="invariance", layer="flat", settings={"low": "relu1", "steps": 5}
    )
    shifts = found.findings.arrays["translation/values"]
    assert shifts.tolist() == [-2, -1, 0, 1, 2]
    image = next(each for each in seen if each.file == found.findings.numbers["curves"][3]["file"])
    x = np.stack([ndimage.shift(image.pixels.astype(float), (shift, 0, 0), order=0, cval=127) for shift in shifts])
    x = x.astype(np.float32) / 255
    for what, layer in (("low", "relu1"), ("high", "flat")):
        values = outputs(model, layer, x).reshape(5, -1)
        distances = np.linalg.norm(values - values[2], axis=1) / np.linalg.norm(values[2])
        np.testing.assert_allclose(found.findings.arrays[f"translation/{what}"][3], distances, atol=1e-4)
    probabilities = keras.models.load_model(model, compile=False).predict(x, verbose=0)[:, int(image.label)]
    np.testing.assert_allclose(found.findings.arrays["translation/p"][3], probabilities, atol=1e-5)


def test_maximize_takes_the_steps_that_its_options_describe(model: Path) -> None:
    """Ascent of the logit, less smoothing by the discrete Laplacian and less the distance to grey; all in pixels."""
    ndimage = pytest.importorskip("scipy.ndimage")
    import tensorflow as tf

    settings = {"steps": 2, "jitter": 0, "l2": 0.01, "smoothing": 0.2, "learning_rate": 3.0, "seed": 5}
    found = archspec.explain(model, method="maximize", classes=["4"], settings=settings)
    whole = keras.models.load_model(model, compile=False)
    logits = keras.Model(whole.input, whole.get_layer("scores").output)
    pixels = 127.5 + np.random.default_rng(5).normal(0, 8, (1, 8, 8, 1))
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]) / 4
    for step in range(2):
        x = tf.constant(pixels / 255, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(x)
            logit = logits(x)[0, 4]
        gradient = tape.gradient(logit, x).numpy()
        laplacian = ndimage.convolve(pixels[0, ..., 0], kernel, mode="nearest")[None, ..., None]
        rate = 3.0 * (1 - 0.9 * step / 2)
        pixels = pixels + rate * gradient / np.abs(gradient).mean() + 0.2 * laplacian - 0.01 * (pixels - 127.5)
        pixels = np.clip(pixels, 0, 255)
    assert np.abs(found.findings.arrays["pixels"] - pixels).max() < 0.51  # they are rounded
