"""The contact sheets of `archspec evaluate -o`, with and without maps."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archspec import ArchspecError, evaluate_all
from archspec.runtime.evaluation import mistake_pictures
from archspec.runtime.explain.explanation import ExplainedImage
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import save_model
from tests.cli.conftest import Run

COLORS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images of each color; every third image lies in the folder of the next color."""
    folder = tmp_path_factory.mktemp("squares") / "squares"
    for number in range(18):
        pixels = np.full((8, 8, 3), 40, np.uint8)
        pixels[:, :, number % 3] = 255 - 10 * number
        label = COLORS[(number + (number % 9 == 0)) % 3]
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / label / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names the color whose mean is largest. It has a second output."""
    import keras

    inputs = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(3, 1, use_bias=False, name="colors")(inputs)
    logits = keras.layers.Dense(3, name="sum")(keras.layers.GlobalAveragePooling2D()(features))
    other = keras.layers.Softmax(name="other")(keras.layers.Dense(3, name="second")(keras.layers.Flatten()(features)))
    model = keras.Model(inputs, [keras.layers.Softmax(name="main")(logits), other])
    model.get_layer("colors").set_weights([np.eye(3, dtype=np.float32)[None, None] / 100])
    model.get_layer("sum").set_weights([np.eye(3, dtype=np.float32), np.zeros(3, np.float32)])
    path = tmp_path_factory.mktemp("model") / "colors.keras"
    save_model(model, path, Metadata(class_names=COLORS, resize=8))
    return path


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ExplainedImage]]:
    """The file and the contents of each block that is drawn."""
    seen = []
    original = mistake_pictures._block

    def block(found: Any, shown: Any, image: ExplainedImage) -> Any:
        seen.append((Path(found.images[shown[0]]).name, image))
        return original(found, shown, image)

    monkeypatch.setattr(mistake_pictures, "_block", block)
    return seen


def test_each_mistake_has_the_maps_of_the_predicted_and_of_the_true_class(
    run: Run, network: Path, squares: Path, tmp_path: Path, drawn: list[tuple[str, ExplainedImage]]
) -> None:
    result = run("evaluate", network, "--data", squares, "-o", tmp_path / "out", "--explain", "gradcam")
    assert result.status == 0, result.err
    assert "the network has 2 outputs: the first one, `main`, is explained" in result.err
    for name in ("mistakes.png", "confused-classes.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            assert picture.width > 400
    assert [name for name, _ in drawn[:2]] == ["00.png", "09.png"]  # red in the folder of green; 00 is brighter
    first = drawn[0][1]
    assert [panel.numbers["class"] for panel in first.panels] == ["red", "green"]
    assert first.pixels[0, 0].tolist() == [255, 40, 40]
    # every position has 2.55 of red and 0.4 of green; the gradient of the mean over 64 positions is 1/64
    maps = [panel.values for panel in first.panels]
    np.testing.assert_allclose(maps[0], 2.55 / 64, rtol=1e-5)
    np.testing.assert_allclose(maps[1], 0.40 / 64, rtol=1e-5)


def test_the_least_sure_images_of_a_pair_follow(
    run: Run, network: Path, squares: Path, tmp_path: Path, drawn: list[tuple[str, ExplainedImage]]
) -> None:
    assert run("evaluate", network, "--data", squares, "-o", tmp_path / "out").status == 0
    names = [name for name, _ in drawn]
    # of the pair red and green: two mistakes, and the darkest of the correct ones, which have the smallest margin
    assert names == ["00.png", "09.png", "16.png", "15.png", "13.png", "12.png"]
    assert all(image.panels == () for _, image in drawn)
    assert sorted(each.name for each in (tmp_path / "out").glob("*.png")) == [
        "confused-classes.png",
        "confusion.png",
        "mistakes.png",
    ]


def test_ensembles_are_drawn_without_maps_and_saved_predictions_not_at_all(
    network: Path, squares: Path, tmp_path: Path
) -> None:
    lines: list[str] = []
    evaluate_all(
        network,
        str(squares),
        protocols=["center", "ten-crop: 6"],
        ensemble=True,
        out=tmp_path / "out",
        save_predictions=tmp_path / "p.npz",
        explain="saliency",
        report=lines.append,
    )
    assert "`saliency` explains one network: the images of the ensemble are shown without maps" in lines
    assert len(list((tmp_path / "out").glob("*/mistakes.png"))) == 3
    widths = []
    for folder in ("1-center", "3-ensemble"):
        with Image.open(tmp_path / "out" / folder / "mistakes.png") as picture:
            widths.append(picture.width)
    assert widths[1] < widths[0]
    evaluate_all(tmp_path / "p.npz", out=tmp_path / "saved", explain="saliency", report=lines.append)
    assert lines[-1] == f"{tmp_path / 'p.npz'} contains no images, so its mistakes are not drawn"
    assert not list((tmp_path / "saved").glob("mistakes.png"))


@pytest.mark.parametrize(
    ("explain", "code", "words"),
    [
        ("gradcm", "unknown-method", "did you mean `gradcam`?"),
        ("embedding", "method-not-applicable", "use one of: gradcam"),
    ],
)
def test_a_method_without_maps_of_classes_is_refused(
    network: Path, squares: Path, tmp_path: Path, explain: str, code: str, words: str
) -> None:
    with pytest.raises(ArchspecError) as error:
        evaluate_all(network, str(squares), out=tmp_path / "out", explain=explain)
    assert error.value.diagnostics[0].code == code
    assert words in str(error.value.diagnostics[0].help)
    assert not (tmp_path / "out").exists()


def test_series_are_evaluated_without_pictures_and_cannot_be_explained(run: Run, tmp_path: Path) -> None:
    import keras

    inputs = keras.Input((9, 2))
    vectors = keras.layers.GlobalAveragePooling1D()(keras.layers.Conv1D(3, 2)(inputs))
    keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(vectors)).save(tmp_path / "series.keras")
    x, y = np.random.default_rng(0).normal(size=(6, 9, 2)).astype(np.float32), np.arange(6) % 3
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y, x_val=x, y_val=y)
    given = ("evaluate", tmp_path / "series.keras", "--data", tmp_path / "data.npz", "-o", tmp_path / "out")
    refused = run(*given, "--explain", "gradcam")
    assert (refused.status, "error[method-not-applicable]" in refused.err) == (1, True)
    assert "the network takes (9, 2)" in refused.err
    assert "leave `--explain` out" in refused.err
    assert not (tmp_path / "out").exists()
    assert run(*given).status == 0
    assert not (tmp_path / "out" / "mistakes.png").exists()


def test_a_single_sigmoid_unit_has_mistakes_of_two_classes(
    run: Run, squares: Path, tmp_path: Path, drawn: list[tuple[str, ExplainedImage]]
) -> None:
    import keras

    for color in ("red", "blue"):
        shutil.copytree(squares / color, tmp_path / "two" / color)
    inputs = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(2, 1, activation="relu")(inputs)
    unit = keras.layers.Dense(1, activation="sigmoid", kernel_initializer="zeros", bias_initializer="ones")
    keras.Model(inputs, unit(keras.layers.GlobalAveragePooling2D()(features))).save(tmp_path / "unit.keras")
    given = ("evaluate", tmp_path / "unit.keras", "--data", tmp_path / "two", "-o", tmp_path / "out")
    result = run(*given, "--explain", "gradcam")
    assert result.status == 0, result.err
    panels = drawn[0][1].panels
    # the second class, in the order of the folders, has the probability sigmoid(1); the others are mistakes
    assert [(each.numbers["class"], each.numbers["probability"]) for each in panels] == [
        ("red", pytest.approx(1 / (1 + np.exp(-1)))),
        ("blue", pytest.approx(1 / (1 + np.exp(1)))),
    ]


def test_maps_need_a_folder(run: Run, network: Path, squares: Path) -> None:
    result = run("evaluate", network, "--data", squares, "--explain", "gradcam")
    assert (result.status, "give -o DIR" in result.err) == (2, True)
    with pytest.raises(ArchspecError, match="`explain` draws into `out`"):
        evaluate_all(network, str(squares), explain="gradcam")
