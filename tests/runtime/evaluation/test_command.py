"""`archspec evaluate`: tables in all forms, ensembles of networks and of saved predictions, and its mistakes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archspec import evaluate_all
from archspec.runtime.evaluation.predictions import load_predictions
from tests.cli.conftest import Run
from tests.runtime.evaluation.conftest import NAMES, SIDES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_images: Any) -> Path:
    folder: Path = tmp_path_factory.mktemp("images") / "animals"
    write_images(folder, SIDES)
    return folder


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another member: grey images of another size, its classes in another order, no spec."""
    import keras

    from archspec.runtime.models.metadata import Metadata
    from archspec.runtime.models.model_file import save_model

    keras.utils.set_random_seed(3)
    inputs = keras.Input((7, 7, 1))
    hidden = keras.layers.Flatten()(keras.layers.Conv2D(3, 3, activation="relu")(inputs))
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(6)(hidden)))
    path = tmp_path_factory.mktemp("grey") / "grey.keras"
    save_model(model, path, Metadata(class_names=tuple(reversed(NAMES)), resize=10))
    return path


@pytest.fixture(scope="module")
def saved(model: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The predictions of three protocols."""
    name = tmp_path_factory.mktemp("saved") / "p.npz"
    evaluate_all([model], str(folder), protocols=["center,ten-crop", "dense: [13, 16]"], save_predictions=name)
    assert not name.exists()
    return [name.with_name(f"p-{number}.npz") for number in (1, 2, 3)]


def test_several_evaluations_are_a_table_in_every_form(
    run: Run, saved: list[Path], folder: Path, tmp_path: Path
) -> None:
    text = run("evaluate", *saved)
    assert text.status == 0, text.err
    title, _, headings, _, *rows, _, note = text.out.strip().split("\n")
    assert title == f"{folder}: 18 images of 6 classes"
    assert headings.split()[:4] == ["model", "protocol", "Q", "passes"]
    assert [" ".join(row.split()[1:4]) for row in rows[:2]] == ["center 13 1", "ten-crop 13 10"]
    assert "dense: {sizes: [13, 16]}  13, 16       4" in rows[2]
    assert "Wilson" in note

    markdown = run("evaluate", *saved, "--format", "markdown").out.strip().split("\n")
    assert len({line.count("|") for line in markdown}) == 1
    assert len(markdown) == 2 + 3
    table = list(csv.DictReader(io.StringIO(run("evaluate", *saved, "--format", "csv").out)))
    found = json.loads(run("evaluate", *saved, "--format", "json", "-o", tmp_path / "out").out)["evaluations"]
    for row, each, line in zip(table, found, markdown[2:], strict=True):
        assert float(row["top1_error"]) == each["top1_error"]["rate"]
        assert [float(row["top1_low"]), float(row["top1_high"])] == each["top1_error"]["interval"]
        assert f" {100 * each['top1_error']['rate']:.2f} (" in line
        assert sum(one["images"] for one in each["classes"]) == 18
    names = ["1-center", "2-ten-crop", "3-dense-sizes-13-16", "table.csv", "table.md"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert (tmp_path / "out" / "table.md").read_text().count("\n") == 5
    with Image.open(tmp_path / "out" / "2-ten-crop" / "confusion.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 50
    with (tmp_path / "out" / "1-center" / "classes.csv").open(encoding="utf-8") as file:
        classes = list(csv.DictReader(file))
    assert [row["class"] for row in classes] == list(NAMES)
    assert sum(int(row["images"]) for row in classes) == 18
    again = run("evaluate", *saved, "-o", tmp_path / "out")
    assert (again.status, "output-exists" in again.err) == (1, True)


@pytest.mark.slow
def test_an_ensemble_of_different_networks_and_its_saved_members(
    run: Run, model: Path, grey: Path, folder: Path, tmp_path: Path
) -> None:
    """Members under protocols of their own; then the same average from files, without a network or an image."""
    one, other, both = (tmp_path / name for name in ("one.npz", "other.npz", "both.npz"))
    for member, file in ((f"{model}:dense", one), (f"{grey}:ten-crop", other)):
        assert run("evaluate", member, "--data", folder, "--save-predictions", file).status == 0
    weighted = ["--ensemble", "--weights", "3,1", "--save-predictions", both, "--format", "json"]
    networks = run("evaluate", f"{model}:dense", f"{grey}:ten-crop", "--data", folder, *weighted)
    assert networks.status == 0, networks.err
    first, second, ensemble = json.loads(networks.out)["evaluations"]
    assert [first["protocol"], second["protocol"], ensemble["passes"]] == ["dense", "ten-crop", 12]
    a, b, c = (load_predictions(file) for file in (one, other, both))
    assert (a.class_names, b.class_names) == (NAMES, tuple(reversed(NAMES)))
    np.testing.assert_allclose(c.posteriors, (3 * a.posteriors + b.posteriors[:, ::-1]) / 4, atol=1e-6)
    wrong = (c.posteriors.argmax(axis=1) != c.labels).sum()
    assert ensemble["top1_error"]["wrong"] == wrong

    again = run("evaluate", one, other, "--ensemble", "--weights", "3,1", "--format", "json")
    assert again.status == 0, again.err
    assert [each["top1_error"] for each in json.loads(again.out)["evaluations"]] == [
        each["top1_error"] for each in (first, second, ensemble)
    ]
    mixed = run(
        "evaluate", model, other, "--data", folder, "--protocol", "center,dense", "--ensemble", "--format", "csv"
    )
    rows = list(csv.DictReader(io.StringIO(mixed.out)))
    assert [row["protocol"] for row in rows] == ["center", "dense", "ten-crop", "center + ten-crop", "dense + ten-crop"]
    single = run("evaluate", model, "--data", folder, "--protocol", "multi-crop,dense", "--ensemble", "--format", "csv")
    *_, averaged = csv.DictReader(io.StringIO(single.out))
    joint = run("evaluate", model, "--data", folder, "--protocol", "multi-crop+dense", "--format", "json")
    assert float(averaged["loss"]) == pytest.approx(json.loads(joint.out)["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["MODEL", "--protocol", "tencrop"], "unknown-protocol", "did you mean `ten-crop`?"),
        (["MODEL"], "data-not-found", "give `--data`"),
        (["MODEL", "--data", "DATA", "--weights", "1,2"], "ensemble", "add `--ensemble`"),
        (["MODEL", "GREY", "--data", "DATA", "--ensemble", "--weights", "1,-2"], "ensemble", "give positive numbers"),
        (["MODEL", "GREY", "--data", "DATA", "--ensemble", "--weights", "1,2,3"], "ensemble", "3 weights for 2 memb"),
        (["MODEL", "--data", "DATA", "--ensemble"], "ensemble", "at least two members"),
        (["NPZ"], "bad-predictions", "--save-predictions FILE.npz"),
        (["NPZ:dense"], "ensemble", "leave `:dense` out"),
        (["MODEL", "--data", "DATA", "--save-predictions", "NPZ"], "output-exists", "give another name"),
        (["MODEL", "--data", "DATA", "--save-predictions", "p.json"], "bad-output", "does not end in `.npz`"),
        (["nowhere:dense", "--data", "DATA"], "model-not-found", "there is no file `nowhere`"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_once_with_its_remedy(
    arguments: list[str], code: str, words: str, run: Run, model: Path, grey: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.npz").write_text("no predictions")
    places = {"MODEL": str(model), "GREY": str(grey), "DATA": str(folder), "NPZ": str(tmp_path / "x.npz")}
    given = [places.get(each, each).replace("NPZ", places["NPZ"]) for each in arguments]
    result = run("evaluate", *given)
    assert result.status == 1, result.out
    assert f"error[{code}]" in result.err
    assert words in result.err
    assert "Traceback" not in result.err


def test_weights_that_are_no_numbers_are_wrong_usage(run: Run, model: Path) -> None:
    result = run("evaluate", model, "--ensemble", "--weights", "one")
    assert result.status == 2
    assert "not a list of numbers such as 2,1" in result.err
