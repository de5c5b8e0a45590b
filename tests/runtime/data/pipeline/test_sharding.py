"""Several hosts read what their replicas take: put together, the batches of one host, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from archspec.runtime.data.files import encoded_image
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.batches import evaluation_batches, steps_per_epoch, training_batches
from archspec.runtime.data.pipeline.epoch_plan import Cut, Share
from archspec.transforms import TRANSFORMS

INPUT = (6, 5, 3)
COUNT = 13


def t(name: str, **args: Any) -> Any:
    return TRANSFORMS[name].make(args)


AUGMENT = (t("random_crop"), t("random_flip"))
MIXED = (*AUGMENT, t("mixup", alpha=1.0))
SHARED = st.tuples(st.integers(1, 4), st.integers(1, 3))  # hosts, replicas of each


@pytest.fixture(scope="module")
def in_files(tmp_path_factory: pytest.TempPathFactory) -> Images:
    folder, generator = tmp_path_factory.mktemp("files"), np.random.default_rng(3)
    files = [str(folder / f"{i}.png") for i in range(COUNT)]
    for i, file in enumerate(files):
        Image.fromarray(generator.integers(0, 256, (7 + i % 3, 8, 3), np.uint8)).save(file)
    return Images(tuple(f"c{i}" for i in range(COUNT)), np.arange(COUNT, dtype=np.int32), files=tuple(files))


def in_memory(count: int) -> Images:
    pixels = np.random.default_rng(4).integers(0, 256, (count, 7, 8, 3), np.uint8)
    return Images(tuple(f"c{i}" for i in range(count)), np.arange(count, dtype=np.int32), pixels)


def shares(hosts: int, here: int) -> list[Share]:
    return [Share(host * here, here, hosts * here) for host in range(hosts)]


def together(datasets: list[Any], replicas: int) -> list[tuple[Any, Any]]:
    """The whole batches of what each host reads; of a batch with fewer images than replicas each has all."""
    found = []
    for parts in zip(*datasets, strict=True):
        (examples,) = {int(each[2]) for each in parts}
        if examples < replicas:
            parts = parts[:1]
        x, y = (np.concatenate([each[i].numpy() for each in parts]) for i in (0, 1))
        assert len(x) == len(y) == examples
        found.append((x, y))
    return found


def assert_same(whole: Any, found: list[tuple[Any, Any]]) -> None:
    for (x, y), (its_x, its_y) in zip(whole, found, strict=True):
        np.testing.assert_array_equal(y.numpy(), its_y)
        np.testing.assert_array_equal(x.numpy(), its_x)


@settings(max_examples=200)
@given(st.integers(1, 60), st.integers(1, 17), SHARED)
def test_every_image_is_of_one_share(count: int, batch_size: int, shared: tuple[int, int]) -> None:
    cuts = [Cut(count, batch_size, share) for share in shares(*shared)]
    replicas = shared[0] * shared[1]
    read = np.concatenate([cut.places for cut in cuts])
    # a last batch with fewer images than replicas is everybody's, and so is every batch that is smaller
    few = count if batch_size < replicas else count % batch_size if count % batch_size < replicas else 0
    several = np.zeros(count, int)
    np.add.at(several, read, 1)
    assert several[: count - few].tolist() == [1] * (count - few)
    assert several[count - few :].tolist() == [shared[0]] * few
    for cut in cuts:
        assert cut.sizes.sum() == len(cut.places)
        assert cut.sizes.min() >= 1
        assert cut.sizes.max() <= max(-(-batch_size // shared[0]) + shared[1], replicas)


@settings(max_examples=2, phases=[Phase.explicit, Phase.generate])  # shrinking would take minutes
@given(st.integers(2, 15), st.integers(1, 6), SHARED, st.floats(0, 0.99), st.booleans())
def test_what_hosts_read_is_the_batch_of_one_in_memory(
    count: int, batch_size: int, shared: tuple[int, int], done: float, mixes: bool
) -> None:
    seen: dict[str, Any] = {"input_shape": INPUT, "batch_size": batch_size, "preprocess": (t("scale"),)}
    start = int(done * 2 * steps_per_epoch(count, batch_size))
    training = {**seen, "augment": MIXED if mixes else AUGMENT, "seed": 5, "epochs": 2, "start_step": start}
    images, parts = in_memory(count), shares(*shared)
    for make, given_ in ((training_batches, training), (evaluation_batches, seen)):
        whole = make(images, **given_)
        read = [make(images, share=share, **given_) for share in parts]
        assert_same(whole, together(read, shared[0] * shared[1]))


@pytest.mark.parametrize(
    ("batch_size", "shared", "start", "augment"),
    [
        # 6, 6, 1: the last image is everybody's; the first of two epochs begins with it
        pytest.param(6, (2, 1), 2, MIXED, marks=pytest.mark.slow),
        # 10, 3: fewer than the replicas, and more than half of 5
        pytest.param(10, (2, 2), 0, AUGMENT, marks=pytest.mark.slow),
    ],
)
def test_what_hosts_read_is_the_batch_of_one_from_files(
    in_files: Images, batch_size: int, shared: tuple[int, int], start: int, augment: Any
) -> None:
    seen: dict[str, Any] = {"input_shape": INPUT, "batch_size": batch_size, "preprocess": (t("scale"),)}
    training = {**seen, "augment": augment, "seed": 5, "epochs": 2, "start_step": start}
    for make, given_ in ((training_batches, training), (evaluation_batches, seen)):
        read = [make(in_files, share=share, **given_) for share in shares(*shared)]
        assert_same(make(in_files, **given_), together(read, shared[0] * shared[1]))


@pytest.mark.parametrize(("augment", "expected"), [(AUGMENT, 6), (MIXED, 12)])
def test_a_host_reads_no_file_of_the_others(
    in_files: Images, augment: Any, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 12 images in batches of 4 two hosts read 6 each; mixed with each other, all."""
    import tensorflow as tf

    images, read = in_files.only(np.arange(12)), []

    def reader(tf_: Any, images: Images) -> Any:
        def read_file(row: Any) -> Any:
            read.append(int(row))
            return np.array(Path(images.files[row]).read_bytes())  # type: ignore[index]

        return lambda row: tf.ensure_shape(tf.numpy_function(read_file, [row], tf.string), ())

    monkeypatch.setattr("archspec.runtime.data.pipeline.batches.reader", reader)
    assert encoded_image.reader is not reader
    seen: dict[str, Any] = {"input_shape": INPUT, "batch_size": 4, "augment": augment, "seed": 5, "epochs": 1}
    by_host = []
    for share in shares(2, 1):
        read.clear()
        list(training_batches(images, share=share, **seen))
        by_host.append(sorted(read))
    assert [len(rows) for rows in by_host] == [expected] * 2
    assert set(by_host[0] + by_host[1]) == set(range(12))
