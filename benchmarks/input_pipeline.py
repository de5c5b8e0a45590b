"""Images per second and CPU time per image of the input pipeline, compared with its peers in the same run.

    python benchmarks/input_pipeline.py [--images 300] [--rounds 3]

Generated photos, 500 x 375, JPEG quality 90, in the operating system's file cache. Each pipeline makes full batches of
32 for a network of 224 x 224 (227 x 227 for AlexNet). `decode` is the upper bound: two threads that only decode whole
photos, with simplejpeg if it is installed, else Pillow; both use libjpeg-turbo. CPU time is the sum over all threads
and processes, and varies less than images per second. The start of a pipeline, which traces graphs, is subtracted.

With torch, in this interpreter or in the one that TORCH_PYTHON names: VGG's scale jitter and the random resized crop,
with the same flip, colors and mean, with Pillow and with torchvision in a DataLoader of two workers.

Targets: VGG's scale jitter with `fast`: at least 0.7 times the images per second of `decode`; with `exact`: at most
0.40 times the CPU time of the naive pipeline. CIFAR: at least 30,000 images per second.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.batches import training_batches
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.transforms import TRANSFORMS

BATCH = 32
CLASSES = 4
MEAN = [123.68, 116.779, 103.939]
PREPROCESS = [TRANSFORMS["subtract_mean"].make({"mean": MEAN})]
CROP_FLIP = ("random_crop", "random_flip")


class Taken(NamedTuple):
    """Wall-clock and CPU seconds of some passes, summed over all threads and processes."""

    images: int
    seconds: float
    cpu: float


Passes = Callable[[int], Taken]
"""Numbers of passes over the photos."""
NAIVE = "VGG jitter, naive tf.data"
FEW, MANY = 1, 4
"""A pass costs (MANY passes - FEW passes) / (MANY - FEW), which excludes the start, where graphs are traced."""


def photos(folder: Path, count: int) -> Images:
    """Smooth shapes, edges and noise, 500 x 375 and 375 x 500, with the file size of photographs (50 to 70 KB)."""
    rng = np.random.default_rng(0)
    files, labels = [], []
    for i in range(count):
        height, width = ((375, 500), (500, 375))[i % 4 == 3]
        coarse = rng.integers(0, 256, (height // 25, width // 25, 3), np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.int16)
        fine = rng.normal(0, 5, (height, width, 1)).astype(np.int16)
        edges = 40 * (np.indices((height, width)).sum(0) // int(rng.integers(9, 60)) % 2)[..., None]
        path = folder / f"class{i % CLASSES}" / f"{i}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.clip(smooth + fine + edges - 20, 0, 255).astype(np.uint8)).save(path, quality=90)
        files.append(str(path))
        labels.append(i % CLASSES)
    return Images(tuple(f"class{i}" for i in range(CLASSES)), np.array(labels, np.int32), files=tuple(files))


def decode_bound(images: Images) -> tuple[str, Passes]:
    try:
        from simplejpeg import decode_jpeg  # type: ignore[import-not-found, unused-ignore]

        name = "simplejpeg"

        def one(file: str) -> int:
            return int(decode_jpeg(Path(file).read_bytes()).shape[0] > 0)
    except ImportError:
        name = "Pillow"

        def one(file: str) -> int:
            with Image.open(file) as image:
                image.load()
                return 1

    def run(epochs: int) -> int:
        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(one, (images.files or ()) * epochs))

    return f"decode ({name}, two threads)", measured(run)


def measured(run: Callable[[int], int]) -> Passes:
    """The cost in this process of a function that makes some passes and returns the number of images."""

    def taken(epochs: int) -> Taken:
        started, cpu_started = time.perf_counter(), cpu_seconds()
        count = run(epochs)
        return Taken(count, time.perf_counter() - started, cpu_seconds() - cpu_started)

    return taken


def consume(batches: Iterable[Any]) -> int:
    return sum(int(y.shape[0]) for _, y in batches)


def of_epochs(batches: Callable[[int], Any]) -> Passes:
    """The cost of a function that returns a tf.data.Dataset of some epochs; building the dataset is not measured."""
    datasets = {epochs: batches(epochs) for epochs in (FEW, MANY)}
    return measured(lambda epochs: consume(datasets[epochs]))


def ours(images: Images, size: int, augment: Sequence[tuple[str, dict[str, Any]]], resample: str) -> Passes:
    common: dict[str, Any] = {"resample": resample, "batch_size": BATCH, "preprocess": PREPROCESS}
    chain = [TRANSFORMS[name].make(args) for name, args in augment]
    shape = (size, size, 3)
    return of_epochs(lambda n: training_batches(images, input_shape=shape, augment=chain, epochs=n, **common))


def naive(tf: Any, images: Images) -> Passes:
    """VGG's scale jitter in plain tf.data: decode, resize with antialiasing, crop, flip, subtract the mean."""

    def one(file: Any, label: Any) -> tuple[Any, Any]:
        image = tf.io.decode_jpeg(tf.io.read_file(file), channels=3)
        sides = tf.cast(tf.shape(image)[:2], tf.float32)
        side = tf.random.uniform((), 256, 513, tf.int32)
        sides = tf.cast(tf.round(sides * tf.cast(side, tf.float32) / tf.reduce_min(sides)), tf.int32)
        image = tf.image.resize(image, sides, antialias=True)
        image = tf.image.random_flip_left_right(tf.image.random_crop(image, (224, 224, 3)))
        return image - tf.constant(MEAN), label

    files = tf.data.Dataset.from_tensor_slices((list(images.files or ()), images.labels))
    dataset = files.map(one, tf.data.AUTOTUNE).batch(BATCH)
    return of_epochs(lambda epochs: dataset.repeat(epochs).prefetch(tf.data.AUTOTUNE))


def keras_layers(tf: Any, folder: Path) -> Passes:
    """`image_dataset_from_directory`, then Keras's RandomCrop, RandomFlip and Rescaling. (One crop per batch.)"""
    import keras

    layers = [keras.layers.RandomCrop(224, 224), keras.layers.RandomFlip("horizontal"), keras.layers.Rescaling(1 / 255)]

    def augment(x: Any, y: Any) -> tuple[Any, Any]:
        for layer in layers:
            x = layer(x, training=True)
        return x, y

    batches = keras.utils.image_dataset_from_directory(folder, image_size=(256, 256), batch_size=BATCH, verbose=False)
    dataset = batches.map(augment, tf.data.AUTOTUNE)
    return of_epochs(lambda epochs: dataset.repeat(epochs).prefetch(tf.data.AUTOTUNE))


@contextmanager
def torch_peers(images: Images) -> Iterator[dict[str, Passes]]:
    """The pipelines of benchmarks/torch_pipeline.py, in the interpreter TORCH_PYTHON; none without torch."""
    python = os.environ.get("TORCH_PYTHON", sys.executable)
    try:
        found = subprocess.run([python, "-c", "import torch, PIL, numpy"], capture_output=True, text=True)
    except OSError as error:
        raise SystemExit(f"TORCH_PYTHON={python}: {error.strerror}") from error
    if found.returncode:
        reason = (found.stderr.strip().splitlines() or ["it failed"])[-1]
        if "TORCH_PYTHON" in os.environ:
            raise SystemExit(f"TORCH_PYTHON={python}: {reason}")
        print(f"without torch ({reason}); TORCH_PYTHON can name an interpreter that has it")
        yield {}
        return
    script = Path(__file__).with_name("torch_pipeline.py")
    with subprocess.Popen([python, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def ask(question: Any) -> Any:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        def passes(name: str) -> Passes:
            def run(epochs: int) -> Taken:
                found = ask({"name": name, "epochs": epochs})
                return Taken(found["images"], found["seconds"], found["cpu"])

            return run

        labels = images.labels.tolist()
        started = ask({"files": images.files, "labels": labels, "batch": BATCH, "mean": MEAN, "workers": 2})
        print(started["versions"])
        yield {name: passes(name) for name in started["names"]}
        assert process.stdin is not None
        process.stdin.close()


def cifar(count: int = 20_000) -> Passes:
    """Pad 4, crop, flip of 32 x 32 images in memory (He et al. 2015, section 4.2)."""
    x = np.random.default_rng(1).integers(0, 256, (count, 32, 32, 3), np.uint8)
    images = Images(tuple("0123456789"), (np.arange(count) % 10).astype(np.int32), x)
    augment = [TRANSFORMS["pad"].make({"pixels": 4}), *(TRANSFORMS[name].make({}) for name in CROP_FLIP)]

    common: dict[str, Any] = {"input_shape": (32, 32, 3), "batch_size": 128, "preprocess": PREPROCESS}
    return of_epochs(lambda epochs: training_batches(images, augment=augment, epochs=epochs, **common))


def recipes(images: Images) -> dict[str, Passes]:
    """The augmentation of four papers, exact and fast."""
    end: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in CROP_FLIP]
    color: list[tuple[str, dict[str, Any]]] = [("pca_color", {})]
    chains = {
        "AlexNet": (227, [("resize_smallest_side", {"size": 256}), ("center_crop", {"size": 256}), *end, *color]),
        "VGG jitter": (224, [("resize_smallest_side", {"size": [256, 512]}), *end, *color]),
        "ResNet": (224, [("resize_smallest_side", {"size": [256, 480]}), *end, *color]),
        "random resized crop": (224, [("random_resized_crop", {}), end[1], *color]),
    }
    return {
        f"{name}, {resample}": ours(images, size, chain, resample)
        for name, (size, chain) in chains.items()
        for resample in ("exact", "fast")
    }


def cpu_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    tf = import_tensorflow()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = photos(folder, options.images)
        kilobytes = statistics.mean(os.path.getsize(file) for file in images.files or ()) / 1000
        print(f"{len(images)} photos of {kilobytes:.0f} KB; median of {options.rounds} interleaved rounds")
        with torch_peers(images) as peers:
            bound, decode = decode_bound(images)
            passes = {
                bound: decode,
                **recipes(images),
                NAIVE: naive(tf, images),
                "Keras directory and layers": keras_layers(tf, folder),
                **peers,
                "CIFAR": cifar(),
            }
            show(passes, options.rounds, bound)


def show(passes: Mapping[str, Passes], rounds: int, bound: str) -> None:
    """The table of the medians."""
    speeds: dict[str, list[float]] = {name: [] for name in passes}
    costs: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(rounds):
        for name, run in passes.items():
            few, many = run(FEW), run(MANY)
            count = many.images - few.images
            speeds[name].append(count / (many.seconds - few.seconds))
            costs[name].append(1000 * (many.cpu - few.cpu) / count)
    speed = {name: statistics.median(taken) for name, taken in speeds.items()}
    cost = {name: statistics.median(taken) for name, taken in costs.items()}
    print(f"{'':48}{'images/s':>10}{'of decode':>11}{'CPU ms':>9}{'of naive':>10}")
    for name in passes:
        ratio, share = speed[name] / speed[bound], cost[name] / cost[NAIVE]
        print(f"{name:48}{speed[name]:10,.0f}{ratio:11.2f}{cost[name]:9.2f}{share:10.2f}")


if __name__ == "__main__":
    main()
