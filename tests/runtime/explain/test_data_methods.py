"""The methods that compare images: top-patches, neighbours, embedding, invariance; and maximize."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.explain.explainer import open_network
from archspec.runtime.explain.methods.invariance import moved
from archspec.runtime.explain.methods.maximize import Maximize
from archspec.runtime.explain.methods.top_patches import Strongest
from archspec.runtime.explain.patches import Field, cut, field_of
from tests.cli.conftest import Run, run
from tests.runtime.explain.nets import opened, small_net
from tests.runtime.explain.test_explain import model

__all__ = ["model", "run"]  # fixtures

DIGITS = {"data": "digits", "per_class": 3}


# ---- top-patches ----


@pytest.mark.parametrize("batch", [1, 3, 10])
def test_the_strongest_images_are_those_of_a_full_sort(batch: int) -> None:
    features = np.random.default_rng(0).integers(0, 4, (10, 3, 2, 5)).astype(np.float32)  # with many ties
    strongest = Strongest(5, 4)
    for start in range(0, 10, batch):
        strongest.add(features[start : start + batch], np.arange(start, min(start + batch, 10)))
    best = features.reshape(10, 6, 5).max(axis=1)
    for channel in range(5):
        order = sorted(range(10), key=lambda row: (-best[row, channel], row))[:4]
        assert strongest.rows[channel].tolist() == order
        assert strongest.values[channel].tolist() == best[order, channel].tolist()
        for row, unit in zip(order, strongest.units[channel], strict=True):
            assert features[row].reshape(6, 5)[unit, channel] == best[row, channel]
    spread = best.std(axis=0) / best.mean(axis=0)
    assert strongest.most_varied(2).tolist() == sorted(np.argsort(-spread, kind="stable")[:2].tolist())


@pytest.mark.parametrize("path", ["conv1", "pool1", "relu2"])
def test_the_field_is_what_the_unit_depends_on(model: Path, path: str) -> None:
    network = open_network(str(model), None, lambda line: None)
    place = network.place(path)
    field = field_of(network, place, (8, 8))
    x = np.random.default_rng(1).uniform(0.2, 1, (1, 8, 8, 1)).astype(np.float32)
    touched = np.zeros((8, 8), bool)
    position = tuple((size or 1) // 2 for size in place.shape[:2])
    seed = np.zeros((1, *(size or 1 for size in place.shape)), np.float32)
    seed[(0, *position)] = 1
    for sign in (1, -1):  # each pixel of the window matters for one of the two
        touched |= np.abs(network.unit_gradient(sign * x, place, seed)[0, ..., 0]) > 0
    if field.is_whole:
        return
    top, left = field.start(position)
    rows, columns = np.nonzero(touched)
    assert (rows.min(), columns.min()) >= (top, left)
    assert rows.max() < top + field.size[0]
    assert columns.max() < left + field.size[1]


def test_the_field_of_a_foreign_model_comes_from_its_graph() -> None:
    network = opened(small_net())
    assert field_of(network, network.place("conv1"), (8, 8)) == Field((3, 3), (1.0, 1.0), (-1.0, -1.0))
    assert field_of(network, network.place("pool"), (8, 8)) == Field((5, 5), (2.0, 2.0), (-1.0, -1.0))


def test_a_patch_at_the_border_is_filled() -> None:
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
    field = Field((3, 3), (1, 1), (-1, -1))
    assert cut(picture, field, (0, 0))[..., 0].tolist() == [[127, 127, 127], [127, 0, 1], [127, 4, 5]]
    assert cut(picture, field, (3, 3))[..., 0].tolist() == [[10, 11, 127], [14, 15, 127], [127, 127, 127]]


def test_top_patches_are_the_strongest_activations_of_the_data(model: Path) -> None:
    found = archspec.explain(model, method="top-patches", layer="conv2", settings={"channels": [1, 3]}, **DIGITS)
    network = open_network(str(model), None, lambda line: None)
    each = archspec.explain(model, method="features", layer="conv2", **DIGITS)
    maps = np.stack([image.panels[0].raw for image in each.images])  # type: ignore[misc]
    assert network.place("conv2").shape == maps.shape[1:]
    for entry in found.findings.numbers["channels"]:
        best = np.sort(maps[..., entry["channel"]].reshape(30, -1).max(axis=1))[::-1]
        activations = [image["activation"] for image in entry["images"]]
        assert activations == pytest.approx(best[best > 0][:9].tolist(), rel=1e-5)
        assert len({image["file"] for image in entry["images"]}) == len(activations)
    patches = found.findings.arrays["patches/1"]
    assert patches.shape[1:] == (*found.findings.numbers["receptive_field"], 1)
    assert found.findings.arrays["projections/1"].shape == patches.shape


# ---- neighbours ----


def test_neighbours_are_those_of_a_full_search(model: Path) -> None:
    found = archspec.explain(model, method="neighbours", layer="flat", settings={"count": 3, "queries": 2}, **DIGITS)
    network = open_network(str(model), None, lambda line: None)
    images = [image.pixels for image in archspec.explain(model, method="features", layer="relu1", **DIGITS).images]
    x = np.stack(images).astype(np.float32) / 255
    vectors = {"features": network.activations(x, network.place("flat")), "pixels": x.reshape(30, -1) * 255}
    for query, row in zip(found.findings.numbers["queries"], (0, 29), strict=True):
        for space, of in vectors.items():
            distances = np.linalg.norm(of - of[row], axis=1)
            distances[row] = np.inf
            expected = np.sort(distances)[:3]
            assert [each["distance"] for each in query[space]] == pytest.approx(expected.tolist(), rel=1e-4)
            assert query["file"] not in [each["file"] for each in query[space]]


def test_given_images_are_compared_with_the_data(model: Path) -> None:
    found = archspec.explain(model, model.parent / "one.png", method="neighbours", settings={"count": 40}, **DIGITS)
    (query,) = found.findings.numbers["queries"]
    assert query["file"] == str(model.parent / "one.png")
    assert len(query["features"]) == 30  # all there are


# ---- embedding ----


def test_pca_keeps_the_distances_that_two_directions_can(model: Path) -> None:
    found = archspec.explain(model, method="embedding", layer="flat", **DIGITS)
    network = open_network(str(model), None, lambda line: None)
    images = [image.pixels for image in archspec.explain(model, method="features", layer="relu1", **DIGITS).images]
    vectors = network.activations(np.stack(images).astype(np.float32) / 255, network.place("flat")).astype(np.float64)
    values, directions = np.linalg.eigh(np.cov(vectors.T, bias=True))
    expected = (vectors - vectors.mean(axis=0)) @ directions[:, [-1, -2]]
    points = found.findings.arrays["points"]
    assert np.abs(points) == pytest.approx(np.abs(expected), rel=1e-3, abs=1e-4 * np.abs(expected).max())
    shares = found.findings.numbers["explained_variance"]
    assert shares == pytest.approx((values[[-1, -2]] / values.sum()).tolist(), rel=1e-4)


def test_a_map_says_what_it_leaves_out(model: Path) -> None:
    found = archspec.explain(model, method="embedding", settings={"count": 7}, **DIGITS)
    assert len(found.findings.arrays["points"]) == 7
    assert any("7 of 30 images are shown" in note for note in found.notes)


def test_two_images_are_no_map(model: Path) -> None:
    files = [model.parent / "one.png", model.parent / "two.png"]
    with pytest.raises(ArchspecError, match="at least 3 images"):
        archspec.explain(model, files, method="embedding")


# ---- invariance ----


def test_images_move_as_they_should() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 2), np.uint8)
    np.testing.assert_array_equal(moved(pixels), pixels)
    np.testing.assert_array_equal(moved(pixels, shift=2)[2:], pixels[:-2])
    np.testing.assert_array_equal(moved(pixels, shift=-3)[:-3], pixels[3:])
    np.testing.assert_allclose(moved(pixels, degrees=90), np.rot90(pixels), atol=1e-3)
    large = moved(pixels, scale=3)
    np.testing.assert_allclose(large[4, 4], pixels[4, 4])
    np.testing.assert_allclose(large[1, 7], pixels[3, 5])


def test_curves_begin_at_the_unchanged_image(model: Path) -> None:
    found = archspec.explain(
        model, model.parent / "one.png", method="invariance", layer="flat", settings={"steps": 3, "low": "relu1"}
    )
    arrays = found.findings.arrays
    (predicted,) = archspec.predict(model, model.parent / "one.png", top=1)
    probability = predicted.classes[0][1]
    for change, at in (("translation", 1), ("scaling", 0), ("rotation", 0)):
        for what in ("low", "high"):
            assert arrays[f"{change}/{what}"][0, at] == pytest.approx(0, abs=1e-6)
            assert arrays[f"{change}/{what}"][0].max() > 0
        assert arrays[f"{change}/p"][0, at] == pytest.approx(probability, rel=0.02)  # its pixels are rounded
    assert arrays["rotation/low"][0, 2] == pytest.approx(0, abs=1e-3)  # 360 degrees


# ---- maximize ----

FREELY = {"steps": 60, "jitter": 0, "l2": 0, "smoothing": 0}


def test_maximize_raises_the_logit_of_its_class(model: Path) -> None:
    network = open_network(str(model), None, lambda line: None)
    found = archspec.explain(model, method="maximize", classes=["3", "8"], settings=FREELY)
    again = archspec.explain(model, method="maximize", classes=["3", "8"], settings=FREELY)
    np.testing.assert_array_equal(found.findings.arrays["pixels"], again.findings.arrays["pixels"])
    random = np.random.default_rng(0).uniform(0, 1, (200, 8, 8, 1)).astype(np.float32)
    logits, _ = network.predict(random)
    for each in found.findings.numbers["found"]:
        assert each["logit"] > logits[:, each["class_number"]].max()


def test_maximize_raises_the_mean_of_a_channel(model: Path) -> None:
    network = open_network(str(model), None, lambda line: None)
    found = archspec.explain(model, method="maximize", layer="conv2", settings={**FREELY, "channels": [2]})
    (each,) = found.findings.numbers["found"]
    random = np.random.default_rng(0).uniform(0, 1, (200, 8, 8, 1)).astype(np.float32)
    assert each["mean_activation"] > network.activations(random, network.place("conv2"))[..., 2].mean(axis=(1, 2)).max()


@pytest.mark.parametrize(
    ("settings", "fact"),
    [
        ({"classes": ["top-2"]}, "needs an image"),
        ({"channels": [1]}, "need a `layer`"),
        ({"layer": "conv2", "classes": ["1"]}, "cannot both"),
        ({"layer": "conv2", "channels": [4]}, "no channel 4"),
    ],
)
def test_maximize_refuses_what_does_not_go_together(model: Path, settings: dict[str, Any], fact: str) -> None:
    network = open_network(str(model), None, lambda line: None)
    with pytest.raises(ArchspecError, match=fact):
        Maximize.make(settings).check(network)


# ---- the command ----


@pytest.mark.parametrize(
    ("method", "options", "picture"),
    [
        ("top-patches", ("--data", "digits", "--per-class", 2, "--layer", "conv2"), "conv2"),
        ("neighbours", ("--data", "digits", "--per-class", 2), "neighbours"),
        ("embedding", ("--data", "digits", "--per-class", 2), "embedding"),
        ("invariance", ("--data", "digits", "--per-class", 1, "--steps", 3), "invariance"),
        ("maximize", ("--steps", 3), "maximize"),
    ],
)
def test_the_command_writes_one_picture_of_the_set(
    run: Run, model: Path, tmp_path: Path, method: str, options: tuple[Any, ...], picture: str
) -> None:
    out = tmp_path / "out"
    done = run("explain", method, model, *options, "-o", out, "--raw")
    assert done.status == 0, done.err
    assert sorted(each.name for each in out.iterdir()) == sorted(["explain.json", "maps.npz", f"{picture}.png"])
    assert json.loads((out / "explain.json").read_text())["pictures"] == [f"{picture}.png"]
    with Image.open(out / f"{picture}.png") as drawn:
        assert min(drawn.size) > 150
        assert len(drawn.convert("RGB").getcolors(2**24) or []) > 20  # something is drawn
