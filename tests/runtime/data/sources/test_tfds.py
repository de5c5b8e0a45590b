"""`tfds:NAME`: which of the prepared folders is read, and, where the library is installed, that it prepares one."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from archspec.runtime.data.files.encoded_image import image_sides
from archspec.runtime.data.images import class_counts
from archspec.runtime.data.sources.dataset import open_data, open_parts
from tests.refusal import refused

INSTALLED = importlib.util.find_spec("tensorflow_datasets") is not None

PREPARE = """
import json, sys
import numpy as np
import tensorflow_datasets as tfds
from archspec.diagnostics import ArchspecError
from archspec.runtime.data.sources.dataset import open_data

class Shapes(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    SUPPORTED_VERSIONS = [tfds.core.Version("0.9.0")]
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="color"), tfds.core.BuilderConfig(name="grey")]

    def _info(self):
        shape = (None, 30, 1 if self.builder_config.name == "grey" else 3)
        names = tfds.features.ClassLabel(names=["round", "square", "star"])
        image = tfds.features.Image(shape=shape, encoding_format="png")
        features = tfds.features.FeaturesDict({"image": image, "label": names})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0, 12), "test": self._generate_examples(12, 18)}

    def _generate_examples(self, first, end):
        channels = 1 if self.builder_config.name == "grey" else 3
        for i in range(first, end):
            yield i, {"image": np.full((20 + i, 30, channels), 10 * i, np.uint8), "label": i % 3}

found = {}
for source in json.loads(sys.argv[1]):
    try:
        images = open_data(source, "train")
        found[source] = [len(images), list(images.class_names), sorted(images.labels.tolist())]
    except ArchspecError as error:
        found[source] = [error.diagnostics[0].code, error.diagnostics[0].message, error.diagnostics[0].help]
print(json.dumps(found))
"""


def write(folder: Path, parts: dict[str, Sequence[int]], suffix: str = "tfrecord") -> None:
    """A prepared folder as TensorFlow Datasets lays it out: an image of 8 x 9 pixels for each label."""
    folder.mkdir(parents=True)
    image = tf.io.encode_png(np.zeros((8, 9, 3), np.uint8)).numpy()
    for part, labels in parts.items():
        name = f"{folder.parent.name}-{part}.{suffix}-00000-of-00001"
        with tf.io.TFRecordWriter(str(folder / name)) as writer:
            for label in labels:
                bytes_ = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
                number = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
                features = tf.train.Features(feature={"image": bytes_, "label": number})
                writer.write(tf.train.Example(features=features).SerializeToString())
    info = {"fileFormat": suffix, "splits": [{"name": part} for part in parts]}
    (folder / "dataset_info.json").write_text(json.dumps(info))


def test_a_version_and_a_configuration_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    write(tmp_path / "pets" / "small" / "2.0.0", {"train": [0, 1], "test": [0, 1]})
    write(tmp_path / "pets" / "small" / "10.0.0", {"train": [0, 1, 1], "test": [0, 1]})
    write(tmp_path / "pets" / "large" / "2.0.0", {"train": [0, 1, 1, 1], "test": [0, 1]})
    (tmp_path / "pets" / ".config").mkdir()
    (tmp_path / "pets" / ".config" / "metadata.json").write_text('{"default_config_name": "large"}')
    expected = {"pets/small": 3, "pets/small:2.0.0": 2, "pets/small:10.0.0": 3, "pets": 4, "pets:2.0.0": 4}
    assert {name: len(open_data(f"tfds:{name}", "train")) for name in expected} == expected
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    assert refused(lambda: open_data("tfds:pets:10.0.0", "train")).code == "missing-package"
    for name in ("pets:2", "pets:latest", "pets:2.0.0/small", "pets:"):
        wrong = refused(lambda name=name: open_data(f"tfds:{name}", "train"))
        assert (wrong.code, "VERSION" in (wrong.help or "")) == ("data-not-found", True)


def test_splits_that_say_nothing_are_not_thrown_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    write(tmp_path / "odd" / "1.0.0", {"labeled": [0, 1], "unlabeled": [0, 1]})
    wrong = refused(lambda: open_data("tfds:odd", "train"))
    assert (wrong.code, "`labeled`, `unlabeled`" in wrong.message) == ("data-not-found", True)
    write(tmp_path / "whole" / "1.0.0", {"all": [0, 1]})
    assert list(open_parts("tfds:whole", print)) == [""]
    write(tmp_path / "both" / "1.0.0", {"train": [0, 1], "extra": [0, 0, 1]})
    both = open_parts("tfds:both", print)
    assert {name: len(images) for name, images in both.items()} == {"train": 2, "extra": 3}
    assert (both.train, both.validation, both.not_used()) == ("train", None, ["extra"])


def test_another_format_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    write(tmp_path / "pets" / "1.0.0", {"train": [0, 1], "test": [0, 1]}, suffix="array_record")
    for source in ("tfds:pets", str(tmp_path / "pets" / "1.0.0")):
        wrong = refused(lambda source=source: open_data(source, "train"))
        assert (wrong.code, "has the format array_record" in wrong.message) == ("data-format", True)
        assert "file_format=tfrecord" in (wrong.help or "")


@pytest.mark.skipif(not INSTALLED, reason="tensorflow_datasets is not installed")
def test_the_library_prepares_what_is_then_read_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of one grey level each, 10 i, in a data set of two configurations that the library makes."""
    sources = ["tfds:shapes", "tfds:shapes/grey:1.0.0", "tfds:shape", "tfds:shapes/gray", "tfds:shapes:3.0.0"]
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    ran = subprocess.run([sys.executable, "-c", PREPARE, json.dumps(sources)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    for source in sources[:2]:
        assert found[source] == [12, ["round", "square", "star"], sorted(4 * [0, 1, 2])]
    assert [found[source][0] for source in sources[2:]] == 3 * ["data-not-found"]
    helps = [
        "did you mean `shapes`?",
        "did you mean `grey`?",
        "its versions are `tfds:shapes:1.0.0`, `tfds:shapes:0.9.0`",
    ]
    assert [found[source][2] for source in sources[2:]] == helps
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    for source in ("tfds:shapes", "tfds:shapes/color:1.0.0", str(tmp_path / "data" / "shapes" / "color" / "1.0.0")):
        test = open_data(source, "validation")
        assert class_counts(test) == (2, 2, 2)
        assert test.class_names == ("round", "square", "star")
        assert sorted(image_sides(test)[0].tolist()) == [[20 + i, 30] for i in range(12, 18)]


def test_tfds_that_is_not_prepared_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    wrong = refused(lambda: open_data("tfds:pets", "train"))
    assert (wrong.code, "TFDS_DATA_DIR" in (wrong.help or "")) == ("missing-package", True)
    assert refused(lambda: open_data("tfds:../pets", "train")).code == "data-not-found"
    (tmp_path / "pets" / "1.0.0").mkdir(parents=True)
    assert refused(lambda: open_data("tfds:pets", "train")).code == "data-format"
