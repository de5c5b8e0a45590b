"""Saved predictions come back, members of an ensemble are matched by name, and what does not fit is refused."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.diagnostics import ArchspecError
from archspec.runtime.evaluation.ensemble import average, averages
from archspec.runtime.evaluation.outputs import MOST_LISTED, EvaluationOutputs, evaluation_text
from archspec.runtime.evaluation.predictions import (
    Predictions,
    load_predictions,
    write_predictions,
)
from archspec.runtime.evaluation.result import Evaluation

CLASSES = ("ant", "bee", "élan")


def predictions(seed: int = 0, count: int = 4, model: str = "a.keras", **changes: Any) -> Predictions:
    generator = np.random.default_rng(seed)
    posteriors = generator.dirichlet(np.ones(3), count).astype(np.float32)
    labels = (np.arange(count) % 3).astype(np.int32)
    images = tuple(f"{CLASSES[label]}/{number}.png" for number, label in enumerate(labels))
    made = Predictions(posteriors, labels, CLASSES, images, (model,), ("center",), ("13",), "animals", 1, 10.0)
    return replace(made, **changes)


def shuffled(given: Predictions, rows: list[int], columns: list[int]) -> Predictions:
    """The same predictions of a network whose classes and of a folder whose images come in another order."""
    place = {column: number for number, column in enumerate(columns)}
    return replace(
        given,
        posteriors=given.posteriors[rows][:, columns],
        labels=np.array([place[label] for label in given.labels[rows].tolist()], np.int32),
        class_names=tuple(given.class_names[column] for column in columns),
        images=tuple(given.images[row] for row in rows),
    )


def same(one: Predictions, other: Predictions) -> bool:
    arrays = ("posteriors", "labels")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays) and all(
        getattr(one, name) == getattr(other, name) for name in one.__dataclass_fields__ if name not in arrays
    )


@pytest.mark.parametrize("speed", [12.5, None])
def test_what_is_saved_comes_back(tmp_path: Path, speed: float | None) -> None:
    given = predictions(images_per_second=speed)
    write_predictions(tmp_path / "a.npz", given)
    assert same(load_predictions(tmp_path / "a.npz"), given)
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


@settings(max_examples=30)
@given(
    rows=st.permutations(range(5)),
    columns=st.permutations(range(3)),
    weights=st.tuples(st.floats(0.1, 9), st.floats(0.1, 9)),
)
def test_the_order_of_classes_and_images_does_not_matter(
    rows: list[int], columns: list[int], weights: tuple[float, float]
) -> None:
    """And the average is the weighted mean, worked out by hand."""
    one, other = predictions(1, 5), predictions(2, 5, "b.keras", passes=10)
    found = average([one, shuffled(other, rows, columns)], weights)
    first, second = weights
    expected = (first * one.posteriors + second * other.posteriors) / (first + second)
    np.testing.assert_allclose(found.posteriors, expected, atol=1e-6)
    assert np.array_equal(found.labels, one.labels)
    assert (found.models, found.passes) == (("a.keras", "b.keras"), 11)


def test_weights_are_relative_and_alike_by_default() -> None:
    members = [predictions(seed) for seed in range(3)]
    plain = average(members).posteriors
    np.testing.assert_allclose(plain, np.mean([each.posteriors for each in members], axis=0), atol=1e-6)
    np.testing.assert_allclose(average(members, [4, 4, 4]).posteriors, plain, atol=1e-6)


def test_the_pace_of_an_ensemble_is_that_of_one_after_the_other() -> None:
    """1 / (1 / 10 + 1 / 40) = 8."""
    members = [predictions(), predictions(images_per_second=40.0)]
    assert average(members).images_per_second == pytest.approx(8)
    assert average([*members, predictions(images_per_second=None)]).images_per_second is None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (predictions(count=5), "were not evaluated on the same images"),
        (predictions(class_names=("ant", "bee", "elk")), "were not evaluated on the same classes"),
        (predictions(labels=np.zeros(4, np.int32)), "were evaluated with different classes of 2 images"),
    ],
)
def test_members_that_do_not_fit_are_refused(other: Predictions, message: str) -> None:
    with pytest.raises(ArchspecError, match=message) as caught:
        average([predictions(), replace(other, models=("b.keras",))])
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "ensemble"
    assert diagnostic.notes


def test_models_with_other_numbers_of_protocols_are_no_ensemble() -> None:
    rows = [[predictions(seed, model=model) for seed in range(number)] for model, number in (("a", 2), ("b", 3))]
    with pytest.raises(ArchspecError, match="different numbers of protocols: a 2, b 3"):
        averages(rows, None)
    assert [each.models for each in averages([rows[1], rows[1][:1]], None)] == [("b", "b")] * 3


def _text(path: Path) -> None:
    path.write_text("not an npz")


def _other(path: Path) -> None:
    np.savez(path, x=np.zeros(3))


def _pickle(path: Path) -> None:
    np.savez(path, archspec_predictions=np.array(1), posteriors=np.array([{}], object))


def _cut(path: Path) -> None:
    write_predictions(path, predictions())
    path.write_bytes(path.read_bytes()[:-200])


def _newer(path: Path) -> None:
    np.savez(path, archspec_predictions=np.array(9))


def _short(path: Path) -> None:
    write_predictions(path, predictions(images=("one",)))


def _labels(path: Path) -> None:
    write_predictions(path, predictions(labels=np.array([0, 1, 2, 3], np.int32)))


@pytest.mark.parametrize(
    ("write", "fact"),
    [
        (_text, "it is damaged, or not a file of predictions"),
        (_other, "it does not contain predictions"),
        (_pickle, "it is damaged, or not a file of predictions"),
        (_cut, "it is damaged, or not a file of predictions"),
        (_newer, "its format has version 9"),
        (_short, r"it has posteriors \(4, 3\) for 1 image and 3 classes"),
        (_labels, "it has labels from 0 to 3 for 3 classes"),
        (lambda path: None, "no such file or directory"),
    ],
)
def test_a_file_that_holds_no_predictions_says_why(write: Callable[[Path], None], fact: str, tmp_path: Path) -> None:
    write(tmp_path / "a.npz")
    with pytest.raises(ArchspecError, match=rf"error\[bad-predictions\]: cannot read `.*a.npz`: {fact}"):
        load_predictions(tmp_path / "a.npz")


def loaded(path: Path) -> Predictions | None:
    """None where the file is refused."""
    try:
        return load_predictions(path)
    except ArchspecError:
        return None


def test_every_byte_that_is_lost_is_an_error_or_harmless(tmp_path: Path) -> None:
    """A zip file is checked as a whole: predictions never come back as others than were saved."""
    path, given = tmp_path / "a.npz", predictions()
    write_predictions(path, given)
    data = path.read_bytes()
    assert zipfile.is_zipfile(path)
    for at in range(0, len(data), 7):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        found = loaded(path)
        assert found is None or same(found, given)


def written(outputs: EvaluationOutputs, rows: list[Predictions]) -> None:
    outputs.check()
    outputs.write([Evaluation(row) for row in rows], rows, lambda line: None)


def test_a_file_needs_its_suffix(tmp_path: Path) -> None:
    with pytest.raises(ArchspecError, match="bad-output") as caught:
        written(EvaluationOutputs(predictions=tmp_path / "w" / "a"), [predictions()])
    assert caught.value.diagnostics[0].help == f"write `{tmp_path}/w/a.npz`"


def test_several_are_numbered_and_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    rows = [predictions(seed) for seed in range(2)]
    outputs = EvaluationOutputs(predictions=tmp_path / "a.npz")
    written(outputs, rows)
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["a-1.npz", "a-2.npz"]
    files = [tmp_path / "a-1.npz", tmp_path / "a-2.npz"]
    assert all(same(load_predictions(file), row) for file, row in zip(files, rows, strict=True))
    with pytest.raises(ArchspecError, match="output-exists"):
        written(outputs, rows)
    written(replace(outputs, overwrite=True), rows[::-1])
    assert same(load_predictions(files[0]), rows[1])


def test_a_folder_of_reports_is_replaced_on_request_and_no_other(tmp_path: Path) -> None:
    outputs = EvaluationOutputs(tmp_path / "out")
    written(outputs, [predictions(count=6)])
    with pytest.raises(ArchspecError, match="`overwrite=True`"):
        outputs.check()
    written(replace(outputs, overwrite=True), [predictions(seed) for seed in range(2)])
    assert not (tmp_path / "out" / "images.csv").exists()
    assert (tmp_path / "out" / "2-center" / "images.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").touch()
    with pytest.raises(ArchspecError, match="was not written by this command"):
        EvaluationOutputs(tmp_path / "home", overwrite=True).check()


@pytest.mark.parametrize("several", [False, True])
def test_a_process_killed_between_its_outputs_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    """The kill is an exception of `replace`: nothing after it runs but the removal of temporary files."""
    outputs = EvaluationOutputs(tmp_path / "out", tmp_path / "a.npz")
    rows = [predictions(seed) for seed in range(1 + several)]

    def killed(temporary: Path, path: Path) -> None:
        if path.name == "out":
            raise KeyboardInterrupt
        temporary.rename(path)

    with monkeypatch.context() as patch:
        patch.setattr("archspec.runtime.system.output_set.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            written(outputs, rows)
    assert not (tmp_path / "out").exists()
    first = tmp_path / ("a-1.npz" if several else "a.npz")
    assert first.exists()
    written(outputs, rows)
    names = ["a-1.npz", "a-2.npz", "out"] if several else ["a.npz", "out"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    with pytest.raises(ArchspecError, match="output-exists"):
        outputs.check()


def test_the_file_of_a_user_is_not_taken_for_that_of_a_killed_process(tmp_path: Path) -> None:
    outputs = EvaluationOutputs(tmp_path / "out", tmp_path / "a.npz")
    record = {str(tmp_path / "a.npz"): 1}
    (tmp_path / ".a.npz.outputs").write_text(json.dumps(record))
    (tmp_path / "a.npz").write_text("precious")
    with pytest.raises(ArchspecError, match="output-exists"):
        outputs.check()


DIGESTS = ("aa", "bb", "cc", "dd")


def test_images_are_matched_by_their_contents_whatever_their_names() -> None:
    """Row numbers of an array say nothing: here the second array has the images in another order."""
    one = predictions(1, images=("0", "1", "2", "3"), digests=DIGESTS)
    rows = [2, 0, 3, 1]
    other = replace(
        shuffled(predictions(2, model="b.keras"), rows, [0, 1, 2]),
        images=("0", "1", "2", "3"),
        digests=tuple(DIGESTS[row] for row in rows),
    )
    expected = (one.posteriors + predictions(2).posteriors) / 2
    np.testing.assert_allclose(average([one, other]).posteriors, expected, atol=1e-6)


def test_equal_names_of_other_images_are_refused() -> None:
    one = predictions(1, digests=DIGESTS)
    other = predictions(2, digests=("aa", "bb", "cc", "ee"), model="b.keras")
    with pytest.raises(ArchspecError, match="were not evaluated on the same images") as caught:
        average([one, other])
    assert caught.value.diagnostics[0].notes == ("only `a.keras` has: ant/3.png", "only `b.keras` has: ant/3.png")


def test_two_predictions_of_one_model_are_told_apart_by_their_data() -> None:
    one = predictions(1, digests=DIGESTS)
    other = replace(one, digests=("aa", "bb", "cc", "ee"), data="others.csv")
    with pytest.raises(ArchspecError) as caught:
        average([one, other])
    assert caught.value.diagnostics[0].notes[1] == "only `a.keras` on `others.csv` has: ant/3.png"
    with pytest.raises(ArchspecError, match=r"the first `a\.keras` and the second `a\.keras`"):
        average([one, replace(other, data=one.data)])


def test_copies_of_an_image_are_matched_by_class_and_name() -> None:
    one = predictions(1, digests=("aa", "aa", "cc", "aa"))
    rows = [3, 2, 1, 0]
    moved = replace(shuffled(one, rows, [0, 1, 2]), digests=tuple(one.digests[row] for row in rows))  # type: ignore[index]
    np.testing.assert_allclose(average([one, moved]).posteriors, one.posteriors, atol=1e-6)


def test_predictions_of_an_earlier_version_are_matched_by_file_names_and_refused_without_them(tmp_path: Path) -> None:
    given = predictions(1)
    write_predictions(tmp_path / "a.npz", given)
    with np.load(tmp_path / "a.npz") as arrays:
        fields = {name: arrays[name] for name in arrays.files if name != "digests"}
    np.savez(tmp_path / "a.npz", **{**fields, "archspec_predictions": np.array(1)})
    old = load_predictions(tmp_path / "a.npz")
    new = replace(given, images=tuple(f"/data/val/{name}" for name in given.images), digests=DIGESTS)
    np.testing.assert_allclose(average([new, old]).posteriors, given.posteriors, atol=1e-6)
    numbered = replace(old, images=("0", "1", "2", "3"))
    with pytest.raises(ArchspecError, match="do not identify their images"):
        average([numbered, numbered])


def test_the_table_of_images_names_each_with_its_most_probable_classes(tmp_path: Path) -> None:
    posteriors = np.array([[0.5, 0.25, 0.25], [0.125, 0.25, 0.625]], np.float32)
    given = predictions(count=2, posteriors=posteriors, images=("x/1.png", "x/2.png"))
    written(EvaluationOutputs(tmp_path / "out"), [given])
    assert (tmp_path / "out" / "images.csv").read_text(encoding="utf-8") == (
        "path,label,prediction,correct,class_1,probability_1,class_2,probability_2,class_3,probability_3\n"
        "x/1.png,ant,ant,true,ant,0.5,bee,0.25,élan,0.25\n"
        "x/2.png,bee,élan,false,élan,0.625,bee,0.25,ant,0.125\n"
    )


def test_of_many_classes_those_with_the_largest_errors_are_listed() -> None:
    labels = np.repeat(np.arange(150, dtype=np.int32), 2)
    posteriors = np.eye(150, dtype=np.float32)[labels]
    for label in range(50, 150):  # one image of two is wrong
        posteriors[2 * label] = np.eye(150, dtype=np.float32)[0]
    names = tuple(f"class-{number}" for number in range(150))
    images = tuple(map(str, range(300)))
    given = replace(predictions(), posteriors=posteriors, labels=labels, class_names=names, images=images)
    text = evaluation_text(Evaluation(given))
    assert [f"class-{number} " in text for number in (0, 49, 50, 149)] == [False, False, True, True]
    assert text.endswith(f"the {MOST_LISTED} classes with the largest errors, of 150; `-o DIR` writes all")
