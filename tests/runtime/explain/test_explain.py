"""`archspec.explain` and `archspec explain` on model files: what is returned, written and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.explain.backward_rules import DECONVNET
from archspec.runtime.explain.explainer import open_network
from archspec.runtime.explain.picture import CELL, number_text
from tests.cli.conftest import Run, run
from tests.refusal import refused
from tests.runtime.explain.nets import images, opened, small_net

__all__ = ["run"]  # the fixture

SPEC = """
name: small
input: [8, 8, 1]
params: {classes: 10}
layers:
  - {conv: {filters: 6, kernel_size: 3, padding: same}, name: conv1}
  - {relu: ~, name: relu1}
  - {lrn: {depth_radius: 2, alpha: 0.5, beta: 0.75, bias: 2}, name: norm1}
  - {maxpool: {pool_size: 3, strides: 2}, name: pool1}
  - {conv: {filters: 4, kernel_size: 2}, name: conv2}
  - {relu: ~, name: relu2}
  - {flatten: ~, name: flat}
  - {dense: $classes, name: scores}
  - softmax
preprocess: [scale: $(1 / 255)]
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    (folder / "small.yaml").write_text(SPEC)
    archspec.load(str(folder / "small.yaml")).save(folder / "small.keras")
    generator = np.random.default_rng(0)
    for name in ("one", "two"):
        Image.fromarray(generator.integers(0, 256, (9, 11), np.uint8)).save(folder / f"{name}.png")
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    return folder / "small.keras"


def test_the_result_has_the_maps_of_the_classes(model: Path) -> None:
    files = [model.parent / "one.png", model.parent / "two.png"]
    found = archspec.explain(model, files, classes=["top-2", 7])
    assert found.layer == "relu2"
    assert found.maps.shape == (2, 3, 8, 8)
    predicted = archspec.predict(model, files, top=2)
    for image, prediction in zip(found.images, predicted, strict=True):
        assert [panel.numbers["class"] for panel in image.panels][:2] == [name for name, _ in prediction.classes]
        for panel, (_, probability) in zip(image.panels, prediction.classes, strict=False):
            assert panel.numbers["probability"] == pytest.approx(probability, abs=1e-5)
        assert image.panels[2].numbers["class_number"] == 7


def test_the_images_of_a_data_set_are_explained(model: Path) -> None:
    found = archspec.explain(model, data="digits", per_class=2, method="saliency", samples=2)
    assert [image.label for image in found.images] == [str(number // 2) for number in range(20)]
    images = open_data("digits", "validation", channels=1)
    row = np.flatnonzero(images.labels == 7)[1]
    assert found.images[15].file == f"digits[{row}]"
    np.testing.assert_array_equal(found.images[15].pixels, images.pixels[row])  # type: ignore[index]
    assert found.maps.min() >= 0
    assert found.settings["samples"] == 2


def test_the_command_writes_pictures_numbers_and_arrays(run: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("explain", "gradcam", model, model.parent / "*.png", "--class", "top-2", "-o", out)
    done = run(*arguments, "--raw")
    assert done.status == 1  # one file is damaged
    assert "error[bad-images]" in done.err
    assert "bad.png" in done.err
    assert f"wrote {out}: gradcam at relu2, 2 images" in done.out
    assert {path.name for path in out.iterdir()} == {
        *("explain.json", "contact-sheet.png", "001-one.png", "002-two.png", "maps.npz")
    }
    data = json.loads((out / "explain.json").read_text())
    assert [image["picture"] for image in data["images"]] == ["001-one.png", "002-two.png"]
    panel = data["images"][0]["panels"][0]
    assert panel["unit"] == "logits"
    with np.load(out / "maps.npz") as arrays:
        assert arrays["0/1"].shape == (2, 2)
    with Image.open(out / "001-one.png") as picture:
        assert picture.height > CELL
        assert picture.width > 3 * CELL
    again = run(*arguments)
    assert "--overwrite" in again.err
    as_json = run(*arguments[:3], model.parent / "one.png", "-o", out, "--overwrite", "--format", "json")
    assert json.loads(as_json.out)["layer"] == "relu2"


def test_guided_methods_print_their_caveat(run: Run, model: Path, tmp_path: Path) -> None:
    one = model.parent / "one.png"
    for method in ("guided-backprop", "deconvnet", "guided-gradcam"):
        done = run("explain", method, model, one, "-o", tmp_path / method)
        assert done.status == 0, done.err
        assert "Adebayo et al. 2018" in done.out
    filters = run("explain", "filters", model, "-o", tmp_path / "filters")
    assert filters.status == 0, filters.err
    assert (tmp_path / "filters" / "filters.png").stat().st_size > 200


MISTAKES = {
    "gradcam MODEL one.png --layer relu3": ("unknown-layer", "did you mean `relu"),
    "gradcam MODEL one.png --layer flat": ("not-spatial", "relu2 (2, 2, 4)"),
    "gradcam MODEL one.png --class cat": ("unknown-class", "0, 1, 2"),
    "gradcam MODEL one.png --class 10": ("unknown-class", "0 to 9"),
    "gradcam MODEL bad.png": ("bad-images", "bad.png"),
    "gradcam MODEL nowhere.png": ("bad-images", "nowhere.png"),
    "deconvnet MODEL one.png --channel 4": ("bad-option", "from 0 to 3"),
    "occlusion MODEL one.png --size 9": ("bad-option", "8 x 8"),
    "integrated-gradients MODEL one.png --tolerance nan": ("bad-option", "nan"),
    "saliency MODEL one.png --samples 2 --noise inf": ("bad-option", "inf"),
    "filters MODEL --layer conv2": ("method-not-applicable", "1 or 3"),
}


def test_mistakes_are_one_error_each(run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    for line, (code, words) in MISTAKES.items():
        done = run("explain", *line.replace("MODEL", model.name).split(), "-o", tmp_path / "none")
        assert done.status == 1, line
        assert f"error[{code}]" in done.err, line
        assert words in done.err, line
        assert not (tmp_path / "none").exists()
    assert run("explain", "gradcam", model, "-o", tmp_path / "none").status == 2
    for unused in (("--per-class", 2), ("--split", "train")):
        done = run("explain", "gradcam", model, "one.png", *unused, "-o", tmp_path / "none")
        assert done.status == 2
        assert f"'{unused[0]}' needs option '--data'" in done.err


def test_wrong_options_of_python_are_refused(model: Path) -> None:
    for settings, code in (({"steps": 3}, "unknown-option"), ({"classes": []}, "bad-option")):
        assert refused(lambda: archspec.explain(model, "x.png", settings=settings)).code == code  # noqa: B023
    assert refused(lambda: archspec.explain(model, "x.png", method="gradcan")).code == "unknown-method"
    assert refused(lambda: archspec.explain(model, "x.png", per_class=2)).code == "bad-option"
    two = archspec.explain(small_net(), np.zeros((2, 8, 8, 3), np.uint8))
    assert len(two.images) == 2
    assert refused(lambda: archspec.explain(small_net(), np.zeros((8, 8, 3), np.uint8))).code == "data-shape"


def test_response_normalization_is_left_out_on_the_way_down(model: Path) -> None:
    """The signal at the normalization's output arrives unchanged at its input; values go through it."""
    network = open_network(model, None, lambda line: None)
    x = np.abs(images(1, (8, 8, 1)))
    seed = np.abs(images(1, (8, 8, 6)))
    after, before = network.place("norm1"), network.place("relu1")
    expected = network.unit_gradient(x, before, seed, DECONVNET)
    np.testing.assert_array_equal(network.unit_gradient(x, after, seed, DECONVNET), expected)
    assert not np.allclose(network.unit_gradient(x, after, seed), network.unit_gradient(x, before, seed))
    assert not np.allclose(network.activations(x, after), network.activations(x, before))


def test_a_fully_convolutional_network_gives_the_maps_of_the_original(model: Path, tmp_path: Path) -> None:
    archspec.convolutionalize_spec(model).write(tmp_path / "dense.keras")
    pixels = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 1), np.uint8)
    classes: Any = [1, 4]
    original = archspec.explain(model, pixels, classes=classes)
    Image.fromarray(pixels[0, ..., 0]).save(tmp_path / "one.png")
    dense = archspec.explain(tmp_path / "dense.keras", tmp_path / "one.png", classes=classes)
    assert (dense.layer, original.layer) == ("relu_2", "relu2")  # `convolutionalize` names the layers of a file anew
    np.testing.assert_allclose(dense.maps, original.maps, atol=1e-5)
    large = np.random.default_rng(2).integers(0, 256, (1, 12, 15, 1), np.uint8)
    # the smallest side becomes 8 pixels, as in evaluation
    assert archspec.explain(tmp_path / "dense.keras", large).maps.shape == (1, 1, 8, 10)


def test_of_several_outputs_the_first_one_is_explained() -> None:
    main = small_net()
    extra = keras.layers.Softmax(name="extra")(keras.layers.Dense(3)(main.get_layer("mean").output))
    both = opened(keras.Model(main.input, [main.output, extra]))
    x, number = images(1), np.array([1])
    np.testing.assert_allclose(both.input_gradient(x, number)[1], opened(main).input_gradient(x, number)[1], atol=1e-6)


def test_dead_gradients_are_said() -> None:
    model = small_net()
    kernel, bias = model.get_layer("scores").get_weights()
    model.get_layer("scores").set_weights([kernel * 0, bias])
    for method in ("gradcam", "saliency"):
        found = archspec.explain(model, np.zeros((1, 8, 8, 3), np.uint8), method=method)
        assert "all gradients" in found.images[0].notes[0]
        assert "are zero" in found.render()
        assert found.to_json()["images"][0]["panels"][0]["maximum_at"] is None


def test_mixed_precision_gives_the_same_maps() -> None:
    single = small_net()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        mixed = small_net()
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(single.get_weights())
    pixels = np.random.default_rng(1).integers(0, 3, (2, 8, 8, 3), np.uint8)
    for method in ("gradcam", "guided-backprop", "deconvnet"):
        one, other = (archspec.explain(each, pixels, method=method).maps for each in (single, mixed))
        np.testing.assert_allclose(other, one, atol=0.02 * np.abs(one).max())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0123456, "0.0123"),
        (1.2345e-5, "1.23e−5"),
        (-0.000159, "−1.59e−4"),
        (0.001, "0.001"),
        (1234.6, "1,235"),
        (2.5e7, "2.5e7"),
    ],
)
def test_numbers_of_color_bars_are_short(value: float, text: str) -> None:
    assert number_text(value) == text
