"""`archspec predict` on folders, patterns and data sources, in every form, with the names of the classes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec import predict
from archspec.diagnostics import ArchspecError
from archspec.runtime.data.class_list import ClassName, imagenet_class_list, read_class_list, unique_names
from tests.cli.conftest import Run
from tests.runtime.evaluation.conftest import NAMES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
SIX = ["tench, Tinca tinca", "goldfish", "crane, bird", "crane, machine", "great white shark", "hen"]
SYNSETS = [f"n0000000{number}" for number in range(6)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, write_images: Any) -> Path:
    """Six images in folders of classes, one deeper, with a text file and a hidden one beside them."""
    folder: Path = tmp_path_factory.mktemp("photos") / "all"
    write_images(folder, [(13, 13)] * 6)
    deep = folder / "bee" / "garden"
    deep.mkdir()
    (folder / "bee" / "000.png").rename(deep / "000.PNG")
    (folder / "notes.txt").write_text("not an image")
    (folder / ".DS_Store").write_text("not an image")
    return folder


def test_a_folder_a_pattern_and_a_data_source_give_the_same_predictions(model: Path, photos: Path) -> None:
    said: list[str] = []
    found = predict(model, photos, report=said.append)
    assert len(found) == 6
    assert said == [f"1 file is skipped, because the name is not that of an image: {photos / 'notes.txt'}"]
    by_name = {each.file: each.classes for each in found}
    deep = str(photos / "bee" / "garden" / "000.PNG")
    assert deep in by_name
    of_pattern = predict(model, [f"{photos}/*/*.png"])
    assert {each.file: each.classes for each in of_pattern} == {
        name: classes for name, classes in by_name.items() if name != deep
    }
    (single,) = predict(model, deep)
    assert single.classes == by_name[deep]
    assert {each.file for each in predict(model, data=str(photos))} >= {each.file for each in of_pattern}


def test_arrays_are_predicted_by_their_rows(model: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (4, 13, 13, 3), np.uint8)
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(4) % 2)
    found = predict(model, data=str(tmp_path / "x.npz"), top=2)
    assert [each.file for each in found] == [f"{tmp_path}/x.npz[{row}]" for row in range(4)]
    assert all(len(each.classes) == 2 for each in found)


@pytest.mark.parametrize(
    ("images", "code"), [(["nothing*.png"], "data-not-found"), ([], "data-not-found"), (["."], "data-empty")]
)
def test_places_without_images_are_named(
    model: Path, images: list[str], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArchspecError) as caught:
        predict(model, images)
    assert caught.value.diagnostics[0].code == code


def test_the_forms_of_the_command_agree(run: Run, model: Path, photos: Path, tmp_path: Path) -> None:
    (photos / "ant" / "broken\x1b.png").write_text("not an image")
    try:
        text = run("predict", model, photos, "--top", 2)
        assert text.status == 1
        assert text.out.count("\n") == 6
        assert "error[bad-images]" in text.err
        assert "\x1b" not in text.err + text.out
        values = json.loads(run("predict", model, photos, "--top", 2, "--format", "json").out)
        rows = list(csv.DictReader(io.StringIO(run("predict", model, photos, "--top", 2, "--format", "csv").out)))
        assert [row["error"] for row in rows].count("not an image") == 1
        for row, value in zip(rows, values, strict=True):
            if not row["error"]:
                assert row["path"] == value["file"]
                assert [row["class_1"], row["class_2"]] == [each["class"] for each in value["classes"]]
                probabilities = [float(row["probability_1"]), float(row["probability_2"])]
                assert probabilities == pytest.approx([each["probability"] for each in value["classes"]], rel=1e-5)
        written = run("predict", model, photos, "--top", 2, "-o", tmp_path / "p.csv")
        assert written.out == f"wrote {tmp_path}/p.csv: 7 images, 1 of them unreadable\n"
        assert list(csv.DictReader(io.StringIO((tmp_path / "p.csv").read_text()))) == rows
    finally:
        (photos / "ant" / "broken\x1b.png").unlink()
    assert "write `" in run("predict", model, photos, "-o", tmp_path / "p").err
    assert run("predict", model).status == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n".join(name.partition(",")[0] for name in SIX) + "\n", [(name.partition(",")[0], None) for name in SIX]),
        ("\r\n".join(f"{one} {name}" for one, name in zip(SYNSETS, SIX, strict=True)), None),
        ("\n".join(SYNSETS), [(one, one) for one in SYNSETS]),
        (json.dumps({str(i): [SYNSETS[i], SIX[i].partition(",")[0].replace(" ", "_")] for i in range(6)}), None),
        (json.dumps([f"{one} {name}" for one, name in zip(SYNSETS, SIX, strict=True)]), None),
        (json.dumps({one: i for i, one in enumerate(SYNSETS)}), [(one, one) for one in SYNSETS]),
        (json.dumps(dict(enumerate(NAMES))), [(name, None) for name in NAMES]),
    ],
)  # fmt: skip
def test_lists_of_classes_are_read_in_their_usual_forms(
    text: str, expected: list[tuple[str, str | None]] | None, tmp_path: Path
) -> None:
    words = [name.partition(",")[0] for name in SIX]
    (tmp_path / "classes").write_text(text, encoding="utf-8")
    assert read_class_list(tmp_path / "classes", 6) == tuple(
        ClassName(*each) for each in expected or zip(words, SYNSETS, strict=True)
    )


def test_classes_of_one_name_are_told_apart() -> None:
    """As ImageNet's two cranes."""
    assert unique_names([ClassName("crane", "n1"), ClassName("hen", "n2"), ClassName("crane", "n3")]) == (
        "crane (n1)",
        "hen",
        "crane (n3)",
    )


@pytest.mark.parametrize(
    "text", ["", "a\nb\n", "[1, 2]", '{"0": "a", "2": "b"}', "{}", "[" * 99999, "a\n\nb\nc\nd\ne", "[null]"]
)
def test_other_lists_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "classes").write_text(text)
    with pytest.raises(ArchspecError, match=r"error\[class-list\]: cannot read the classes in"):
        read_class_list(tmp_path / "classes", 6)
    with pytest.raises(ArchspecError, match="no such file"):
        read_class_list(tmp_path / "missing")


def test_a_list_names_the_classes_of_a_model(model: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("\n".join("abcdef"))
    for named, own in zip(
        predict(model, photos, classes=tmp_path / "classes.txt"), predict(model, photos), strict=True
    ):
        assert [name for name, _ in named.classes] == ["abcdef"[NAMES.index(name)] for name, _ in own.classes]


def test_the_classes_of_imagenet_are_known_without_a_download(photos: Path, tmp_path: Path) -> None:
    import keras

    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Dense(1000, activation="softmax")(keras.layers.GlobalAveragePooling2D()(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "net.keras")
    said: list[str] = []
    (first, *_), *_ = (each.classes for each in predict(tmp_path / "net.keras", photos, report=said.append))
    assert first[0] in unique_names(imagenet_class_list())
    assert "its 1,000 outputs get the names of ImageNet" in said[-1]


def test_the_list_of_imagenet_is_that_of_its_publishers() -> None:
    """Indices of keras.applications' and torchvision's documentation; the synsets are sorted."""
    names = imagenet_class_list()
    assert [each.synset for each in names] == sorted({each.synset for each in names if each.synset})
    known = {
        0: "tench",
        1: "goldfish",
        207: "golden retriever",
        281: "tabby",
        386: "African elephant",
        817: "sports car",
    }
    assert {index: names[index].name for index in known} == known
    assert names[999] == ClassName("toilet tissue", "n15075141")
    assert [index for index, each in enumerate(names) if each.name == "crane"] == [134, 517]
