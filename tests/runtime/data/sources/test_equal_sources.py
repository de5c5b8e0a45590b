"""Every kind of source: the same images come out of folders, tables, TFRecords and tfds; and what each refuses."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from archspec.runtime.data.files import file_checks
from archspec.runtime.data.images import Images, class_counts
from archspec.runtime.data.pipeline.batches import evaluation_batches
from archspec.runtime.data.sources import keras_datasets
from archspec.runtime.data.sources.dataset import open_data, open_parts
from tests.cli.conftest import Run, run
from tests.refusal import refused

__all__ = ["run"]
RNG = np.random.default_rng(31)
COUNTS = {("train", "cat"): 3, ("train", "dog"): 2, ("val", "cat"): 1, ("val", "dog"): 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Class folders of PNG and JPEG files of many sizes."""
    root = tmp_path / "pictures"
    for (part, name), count in COUNTS.items():
        (root / part / name).mkdir(parents=True)
        for i in range(count):
            pixels = RNG.integers(0, 256, (40 + 3 * i, 33 - i, 3), np.uint8)
            Image.fromarray(pixels).save(root / part / name / f"{i}.{'png' if i % 2 else 'jpg'}")
    return root


def listed(folder: Path) -> list[dict[str, str]]:
    return [
        {"path": str(file.relative_to(folder.parent)), "label": name, "split": part}
        for part, name in COUNTS
        for file in sorted((folder / part / name).iterdir())
    ]


def as_csv(folder: Path) -> str:
    path = folder.parent / "images.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["label", "path", "split"])
        writer.writeheader()
        writer.writerows(listed(folder))
    return str(path)


def as_parquet(folder: Path) -> str:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = folder.parent / "images.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(listed(folder)), path)
    return str(path)


def example(**values: Any) -> bytes:
    def feature(value: Any) -> tf.train.Feature:
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    features = {key.replace("__", "/"): feature(value) for key, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()  # type: ignore[no-any-return]


def as_records(folder: Path, root: Path, names: Mapping[str, str], **keys: Callable[[str], Any]) -> None:
    """Two shards of each part; `names` are those of the shards, `keys` what a record holds besides its image."""
    root.mkdir(parents=True)
    for part, name in names.items():
        rows = [row for row in listed(folder) if row["split"] == part]
        for shard, own in enumerate((rows[:1], rows[1:])):
            with tf.io.TFRecordWriter(str(root / f"{name}-{shard:05}-of-00002")) as writer:
                for row in own:
                    contents = (folder.parent / row["path"]).read_bytes()
                    values = {key: value(row["label"]) for key, value in keys.items()}
                    image = {"image": contents} if "label" in keys else {"image__encoded": contents}
                    writer.write(example(**image, **values))


def as_imagenet(folder: Path) -> str:
    root = folder.parent / "records"
    labels: dict[str, Any] = {
        "image__class__label": lambda name: 1 + ["cat", "dog"].index(name),
        "image__class__synset": lambda name: name.encode(),
    }
    as_records(folder, root, {"train": "train", "val": "validation"}, **labels)
    return str(root)


def as_tfds(folder: Path) -> str:
    root = folder.parent / "tfds"
    names = {"train": "pets-train.tfrecord", "val": "pets-test.tfrecord"}
    as_records(folder, root / "pets" / "1.0.0", names, label=["cat", "dog"].index)
    (root / "pets" / "1.0.0" / "label.labels.txt").write_text("cat\ndog\n")
    (root / "pets" / "0.9.0").mkdir()
    return "tfds:pets"


SOURCES = {"csv": as_csv, "parquet": as_parquet, "imagenet": as_imagenet, "tfds": as_tfds}


def seen(images: Images) -> np.ndarray:
    batches = evaluation_batches(images, input_shape=(20, 18, 3), batch_size=4)
    return np.concatenate([x for x, _ in batches])


@pytest.mark.parametrize("kind", SOURCES)
def test_the_same_images_come_out_of_every_source(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder.parent / "tfds"))
    source = SOURCES[kind](folder)
    for split in ("train", "validation"):
        expected, here = open_data(str(folder), split), open_data(source, split)  # type: ignore[arg-type]
        assert here.class_names == ("cat", "dog")
        np.testing.assert_array_equal(here.labels, expected.labels)
        np.testing.assert_array_equal(here.sides, expected.sides)
    np.testing.assert_array_equal(seen(here), seen(expected))
    assert refused(lambda: open_data(source, "train", validation_split=0.5)).code == "validation-split"
    result = run("data", "check", source, "--format", "json")
    assert result.status == 0
    facts = json.loads(result.out)
    assert list(facts["parts"].values()) == [{"cat": 3, "dog": 2}, {"cat": 1, "dog": 2}]
    of_folder = json.loads(run("data", "check", folder, "--format", "json").out)
    assert {key: facts[key] for key in ("height", "mean", "std", "formats")} == {
        key: of_folder[key] for key in ("height", "mean", "std", "formats")
    }


def test_one_size_that_fits_is_kept_decoded_from_records_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i, file in enumerate(sorted(folder.rglob("*.*g"))):
        Image.fromarray(np.full((9, 7, 3), 20 * i, np.uint8)).save(file)
    source = as_imagenet(folder)
    kept, expected = open_data(source, "train"), open_data(str(folder), "train")
    assert kept.pixels is not None
    assert expected.pixels is not None
    np.testing.assert_array_equal(kept.pixels, expected.pixels)
    monkeypatch.setattr(file_checks, "PIXELS_IN_MEMORY", 0)
    assert open_data(source, "train").spans is not None


def test_a_second_start_decodes_nothing_and_a_change_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = as_imagenet(folder)
    open_data(source, "train"), open_data(str(folder), "train")

    def never(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("decoded again")

    with monkeypatch.context() as patch:
        patch.setattr("archspec.runtime.data.files.image_facts.decode_bytes", never)
        patch.setattr("archspec.runtime.data.sources.tfrecord._example", never)
        again = open_data(source, "train")
        assert class_counts(again) == class_counts(open_data(str(folder), "train")) == (3, 2)
        with tf.io.TFRecordWriter(str(Path(source) / "train-00001-of-00002")) as writer:
            writer.write(b"\xff\xff")
        with pytest.raises(AssertionError, match="decoded again"):
            open_data(source, "train")
    assert refused(lambda: open_data(source, "train")).message.endswith("is not a tf.train.Example")


# ------------------------------------------------------------------------------------------------ tables


def table(root: Path, text: str) -> str:
    (root / "t.csv").write_text(text, encoding="utf-8")
    return str(root / "t.csv")


@pytest.mark.parametrize(
    ("text", "code", "fact"),
    [
        ("", "data-format", "has no column `path`"),
        ("path,klass\na.png,x\n", "data-format", "has no column `label`"),
        ("path,label\n", "data-empty", "has no rows"),
        ("path,label\na.png,x,y\n", "data-format", "has 3 cells, but the header has 2"),
        ("path,label\na.png,\n", "data-format", "row 1 of"),
        ("path,label\n,x\n", "data-format", "has no path"),
        ("path,label\na.png,x\nb.png,x\n", "data-one-class", "has only one class, `x`"),
        (
            "path,label,split\na.png,x,train\nb.png,y,train\nc.png,z,val\n",
            "data-classes",
            "has the label `z`, which no training image has",
        ),
        ("path,label,split\na.png,x,train\nb.png,y,vall\n", "data-format", "row 2 of"),
        ("path,label,split\na.png,x,train\nb.png,y,\n", "data-format", "has no split, but other rows have one"),
        ("path,label\n../a.png,x\nb.png,y\n", "data-format", "has a path outside"),
        ("path,label\n/etc/passwd,x\nb.png,y\n", "data-format", "has a path outside"),
        ('path,label\n"a.png,x\n', "data-format", "as CSV"),
        ("path,label\na.png\nb.png,y\n", "data-format", "has 1 cell, but the header has 2"),
        ("path,label\na\0.png,x\nb.png,y\n", "data-format", "row 1 of"),
        (
            "path,label\na.png,x\nb.png,y\n./a.png,y\n",
            "data-format",
            "labels `./a.png` as `y`, but row 1 labels it as `x`",
        ),
    ],
)
def test_a_table_that_cannot_be_is_refused_with_the_fact(tmp_path: Path, text: str, code: str, fact: str) -> None:
    source = table(tmp_path, text)
    wrong = refused(lambda: open_data(source, "train", validation_split=None))
    assert (wrong.code, fact in wrong.message) == (code, True), wrong.message


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_than_the_comma_is_named_as_the_mistake(tmp_path: Path, separator: str) -> None:
    wrong = refused(lambda: open_data(table(tmp_path, f"path{separator}label\na.png{separator}x\n"), "validation"))
    assert (wrong.code, wrong.help) == ("data-format", "separate the columns by commas")


def test_a_table_in_one_piece_is_split_by_share_and_its_numbers_sort_as_numbers(tmp_path: Path) -> None:
    rows = []
    for label in ("10", "9"):
        for i in range(5):
            Image.fromarray(RNG.integers(0, 256, (5 + i, 7, 3), np.uint8)).save(tmp_path / f"{label}-{i}.png")
            rows.append(f"{label}-{i}.png, {label}\n")
    source = table(tmp_path, "\ufeffpath,label\n" + "".join(rows))
    assert open_data(source, "validation").class_names == ("9", "10")
    sides = [open_data(source, side, validation_split=0.4, seed=3) for side in ("train", "validation")]  # type: ignore[arg-type]
    assert [class_counts(side) for side in sides] == [(3, 3), (2, 2)]
    assert not set(sides[0].files or ()) & set(sides[1].files or ())
    (tmp_path / "9-0.png").unlink()
    wrong = refused(lambda: open_data(source, "validation"))
    assert wrong.notes == (f"{tmp_path / '9-0.png'}: no such file",)


def test_bytes_that_are_no_text_and_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_bytes(b"path,label\n\xff,x\n")
    assert "not UTF-8" in refused(lambda: open_parts(str(tmp_path / "t.csv"), print)).message
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow", None)
        wrong = refused(lambda: open_parts(str(tmp_path / "t.parquet"), print))
        assert (wrong.code, "archspec-keras[parquet]" in (wrong.help or "")) == ("missing-package", True)
    pytest.importorskip("pyarrow")
    assert refused(lambda: open_parts(str(tmp_path / "t.parquet"), print)).code == "data-format"


# --------------------------------------------------------------------------------------------- TFRecords


def records(path: Path, *contents: bytes) -> str:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for each in contents:
            writer.write(each)
    return str(path)


def png(level: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((4, 5, 3), level, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_records_that_cannot_be_are_refused_with_the_fact(tmp_path: Path) -> None:
    good = [example(image=png(i), label=i % 2) for i in range(4)]
    source = records(tmp_path / "a.tfrecord", *good)
    assert class_counts(open_data(source, "validation")) == (2, 2)
    whole = Path(source).read_bytes()
    for contents, fact in (
        (whole[:-30], "is truncated in the record at byte"),
        (b"no record at all", "it does not begin with a record"),
        (whole + b"x" * 20, f"the record at byte {len(whole):,} is damaged"),
    ):
        (tmp_path / "b.tfrecord").write_bytes(contents)
        wrong = refused(lambda: open_data(str(tmp_path / "b.tfrecord"), "validation"))
        assert (wrong.code, fact in wrong.message) == ("data-format", True), wrong.message
    for bad, fact in (
        (example(picture=png(0), label=1), "has no feature `image/encoded` or `image`"),
        (example(image=png(0), label=b"x"), "has no feature `image/class/label` or `label`"),
    ):
        wrong = refused(lambda bad=bad: open_data(records(tmp_path / "c.tfrecord", good[0], bad), "validation"))
        assert wrong.message.startswith("record 2 of")
        assert fact in wrong.message
    damaged = records(tmp_path / "d.tfrecord", *good, example(image=png(3)[:-20], label=0))
    wrong = refused(lambda: open_data(damaged, "validation"))
    assert (wrong.code, wrong.message) == ("bad-images", "1 of 5 records cannot be read as images")
    assert wrong.notes[0].endswith(": a damaged PNG")
    kept = open_data(damaged, "validation", skip_bad_images=True)
    assert (kept.class_names, kept.labels.tolist()) == (("0", "1"), [0, 1, 0, 1])
    records(tmp_path / "shards-00001-of-00003.tfrecord", *good)
    folder = tmp_path / "shards"
    folder.mkdir()
    records(folder / "train-00001-of-00003", *good)
    wrong = refused(lambda: open_data(str(folder), "train"))
    assert "2 of the 3 files `train-...-of-00003` are missing" in wrong.message


def test_a_label_with_two_names_is_refused(tmp_path: Path) -> None:
    """The files of two parts may have been numbered apart: 0 is a cat in one and a dog in the other."""

    def named(part: str, *names: bytes, folder: str = "a") -> None:
        (tmp_path / folder).mkdir(exist_ok=True)
        all = [
            {"image/encoded": png(i), "image/class/label": i, "image/class/text": name} for i, name in enumerate(names)
        ]
        records(tmp_path / folder / f"{part}.tfrecord", *(example(**each) for each in all))

    named("train", b"cat", b"dog")
    named("val", b"dog", b"cat")
    wrong = refused(lambda: open_parts(str(tmp_path / "a"), print))
    assert wrong.message == f"`{tmp_path / 'a'}` has two names for the label 0: `cat` and `dog`"
    named("val", b"cat", b"dog")
    assert open_parts(str(tmp_path / "a"), print).class_names == {"train": ("cat", "dog"), "val": ("cat", "dog")}
    (tmp_path / "a" / "label.labels.txt").write_text("dog\ncat\n")
    assert "label 0: `cat` and `dog`" in refused(lambda: open_parts(str(tmp_path / "a"), print)).message
    (tmp_path / "a" / "label.labels.txt").write_text("Katze\nHund\n")
    assert open_parts(str(tmp_path / "a"), print).class_names["val"] == ("Katze", "Hund")


# ------------------------------------------------------------------------------------ keras, tensorflow datasets


def test_a_keras_data_set_has_its_names_and_its_test_images(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_data() -> Any:
        x = np.arange(6 * 4 * 4, dtype=np.uint8).reshape(6, 4, 4)
        return (x, np.arange(6) % 3), (x[:2], np.array([2, 1]))

    monkeypatch.setattr("keras.datasets.mnist.load_data", load_data)
    train = open_data("keras:mnist", "train", channels=1)
    assert train.class_names == tuple("0123456789")
    assert train.pixels is not None
    assert (train.pixels.shape, train.labels.tolist()) == ((6, 4, 4, 1), [0, 1, 2, 0, 1, 2])
    validation = open_data("keras:mnist", "validation")
    assert validation.pixels is not None
    assert (validation.pixels.shape, validation.labels.tolist()) == ((2, 4, 4, 3), [2, 1])
    wrong = refused(lambda: open_data("keras:minst", "train"))
    assert (wrong.code, wrong.help) == ("data-not-found", "did you mean `mnist`?")


def test_a_download_that_fails_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    def load_data() -> Any:
        raise Exception("URL fetch failure on https://...: None -- no network")

    for name in keras_datasets.DATASETS:
        monkeypatch.setattr(f"keras.datasets.{name}.load_data", load_data)
        result = run("data", "check", f"keras:{name}")
        assert result.status == 1
        assert f"error[download]: cannot download `keras:{name}`" in result.err
        assert "URL fetch failure" in result.err


def test_tfds_that_is_not_prepared_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    wrong = refused(lambda: open_data("tfds:pets", "train"))
    assert (wrong.code, "TFDS_DATA_DIR" in (wrong.help or "")) == ("missing-package", True)
    assert refused(lambda: open_data("tfds:../pets", "train")).code == "data-not-found"
    (tmp_path / "pets" / "1.0.0").mkdir(parents=True)
    assert refused(lambda: open_data("tfds:pets", "train")).code == "data-format"
