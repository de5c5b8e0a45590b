"""Every kind of source: the same images come out of folders, tables, TFRecords and tfds."""

from __future__ import annotations

import csv
import json
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
from archspec.runtime.data.sources.dataset import open_data
from tests.cli.conftest import Run, run
from tests.refusal import refused
from tests.runtime.data.sources.tfrecord_files import example

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
