"""The classifier of 2011: dense RootSIFT, a visual vocabulary, a spatial pyramid and a support vector machine.

Csurka et al. 2004 (bags of keypoints), Lazebnik et al. 2006 (pyramid), Arandjelovic & Zisserman 2012 (RootSIFT),
Vedaldi & Zisserman 2012 (explicit feature maps of additive kernels). Beside it a CNN on the same images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.labs.lab_data import some_of
from archspec.runtime.system.atomic_write import atomic, discard

if TYPE_CHECKING:
    from archspec.runtime.labs.context import LabContext
    from archspec.runtime.labs.lab import Lab
    from archspec.runtime.labs.result import LabResult

Array = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int64]
Descriptors = npt.NDArray[np.uint8]
"""Of SIFT: (N, descriptors, 128)."""
SAMPLE = 100_000
"""Descriptors of the training images, drawn at random for the vocabulary."""
IN_PART = 250
"""Images whose descriptors are in memory at once."""


def grid(side: int, step: int) -> list[tuple[float, float]]:
    """Centres (x, y) of the descriptors, as far from the left border as from the right one."""
    first = (side - 1) % step / 2
    places = np.arange(first, side, step)
    return [(float(x), float(y)) for y in places for x in places]


def dense_sift(image: Pixels, step: int, diameters: Sequence[int]) -> Descriptors:
    """Upright SIFT descriptors on a grid in several sizes, (H, W, 3) or (H, W) -> (descriptors, 128).

    The sizes of a place follow each other.
    """
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    points = [cv2.KeyPoint(x, y, float(diameter), 0.0) for x, y in grid(grey.shape[0], step) for diameter in diameters]
    _, found = cv2.SIFT.create().compute(grey, points)
    return np.asarray(found).astype(np.uint8)  # whole numbers from 0 to 255


def root(descriptors: Descriptors) -> Array:
    """RootSIFT, (N, 128) each: divided by their sum, then the square root. The Euclidean distance of two is then the
    Hellinger distance.
    """
    flat = descriptors.reshape(-1, descriptors.shape[-1]).astype(np.float32)
    flat /= np.maximum(flat.sum(axis=1, keepdims=True), np.float32(1))
    return np.sqrt(flat, out=flat)


def write_descriptors(path: Path, images: Pixels, step: int, diameters: Sequence[int]) -> None:
    """Write the descriptors of all images as .npy, a part of them at a time."""
    from concurrent.futures import ThreadPoolExecutor

    count = len(grid(images.shape[1], step)) * len(diameters)
    with atomic(path) as temporary, ThreadPoolExecutor() as pool:  # OpenCV computes without Python's lock
        shape = (len(images), count, 128)
        file = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
        for start in range(0, len(images), IN_PART):
            part = images[start : start + IN_PART]
            file[start : start + IN_PART] = list(pool.map(lambda image: dense_sift(image, step, diameters), part))
        file.flush()


def pyramid_histograms(
    words: npt.NDArray[Any], side: int, step: int, sizes: int, count: int, cells: Sequence[int]
) -> Any:
    """How often each word occurs in each cell of the pyramid: (N, descriptors) -> sparse (N, cells * count).

    Each level has the same weight, and all levels together the sum 1.
    """
    from scipy.sparse import csr_array

    places = np.repeat(np.array(grid(side, step)), sizes, axis=0)
    parts, first = [], 0
    for level in cells:
        cell = np.minimum((places / side * level).astype(int), level - 1)
        parts.append(first + (cell[:, 1] * level + cell[:, 0]) * count + words)  # (N, descriptors)
        first += level * level * count
    columns = np.concatenate(parts, axis=1).astype(np.int32)  # as scikit-learn takes them
    share = np.full(columns.size, 1 / columns.shape[1], np.float32)
    starts = np.arange(len(words) + 1, dtype=np.int32) * columns.shape[1]
    histograms = csr_array((share, columns.ravel(), starts), shape=(len(words), first))
    histograms.sum_duplicates()
    return histograms


def kernel_map(histograms: Any, kernel: str) -> Any:
    """Features whose scalar product is the kernel: exactly for Hellinger's, approximately for chi-square."""
    if kernel == "hellinger":
        return histograms.sqrt()
    from sklearn.kernel_approximation import AdditiveChi2Sampler

    return AdditiveChi2Sampler(sample_steps=2).fit_transform(histograms)


@dataclass(frozen=True)
class BagOfFeatures:
    """A classifier: its settings are the options of the lab."""

    side: int
    """Of the images, pixels."""
    seed: int
    options: Mapping[str, Any]

    def classes(self, train: Descriptors, rows: Rows, y: Labels, test: Descriptors) -> Labels:
        """The classes of the test images, by a vocabulary and a support vector machine of the training images `rows`.

        One thread, which makes the sums and so the words the same in every run.
        """
        from sklearn.svm import LinearSVC
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            vocabulary = self._vocabulary(train, rows)
            features = [
                self._features(vocabulary, train, rows),
                self._features(vocabulary, test, np.arange(len(test))),
            ]
            machine = LinearSVC(C=float(self.options["penalty"]), random_state=self.seed).fit(features[0], y[rows])
            return np.asarray(machine.predict(features[1]), np.int32)

    def _vocabulary(self, train: Descriptors, rows: Rows) -> Any:
        from sklearn.cluster import MiniBatchKMeans

        each = train.shape[1]
        random = np.random.default_rng(self.seed)
        drawn = np.sort(random.choice(len(rows) * each, min(SAMPLE, len(rows) * each), replace=False, shuffle=False))
        sample = root(train[rows[drawn // each], drawn % each])
        words = min(int(self.options["words"]), len(sample))
        return MiniBatchKMeans(words, random_state=self.seed, n_init=1, batch_size=4096, max_iter=20).fit(sample)

    def _features(self, vocabulary: Any, descriptors: Descriptors, rows: Rows) -> Any:
        from scipy.sparse import vstack

        step, sizes = int(self.options["step"]), len(self.options["diameters"])
        pyramid, histograms = list(map(int, self.options["pyramid"])), []
        for part in np.array_split(rows, -(-len(rows) // IN_PART)):
            words = vocabulary.predict(root(descriptors[part])).reshape(len(part), -1)
            histograms.append(pyramid_histograms(words, self.side, step, sizes, vocabulary.n_clusters, pyramid))
        return kernel_map(vstack(histograms, format="csr"), str(self.options["kernel"]))


def drawn_rows(y: Labels, count: int, seed: int) -> Rows:
    """Row numbers of `count` images, about the same number of each class; more images include those of fewer."""
    random = np.random.default_rng(seed)
    classes = np.unique(y)
    shuffled = [random.permutation(np.flatnonzero(y == each)) for each in classes]
    turn = [rows[place] for place in range(max(map(len, shuffled))) for rows in shuffled if place < len(rows)]
    return np.sort(np.array(turn[:count]))


def run(lab: Lab, context: LabContext) -> LabResult:
    """Train both classifiers on more and more of the images, the same ones for both."""
    from archspec.runtime.labs.bootstrap import paired_difference
    from archspec.runtime.labs.result import LabResult, judged

    options = context.options
    (x, y), (test, labels) = (context.arrays(split) for split in ("train", "validation"))
    sizes = [min(int(size), len(x)) for size in options["sizes"]]
    epochs = dict(zip(sizes, map(int, options["epochs"]), strict=True))
    network = context.networks["small-cnn"]
    classes = int(y.max()) + 1
    files = {name: context.parts / f"{name}-descriptors.npy" for name in ("training", "test")}

    def classes_of(rows: Rows, seed: int) -> dict[str, Labels]:
        for (name, path), images in zip(files.items(), (x, test), strict=True):
            if not path.is_file():
                context.note(f"dense SIFT of {len(images):,} {name} images")
                write_descriptors(path, images, int(options["step"]), list(map(int, options["diameters"])))
        known, new = (np.load(path, mmap_mode="r") for path in files.values())
        return {"classes": BagOfFeatures(x.shape[1], seed, options).classes(known, rows, y, new)}

    correct: dict[str, dict[int, list[Any]]] = {"bag of features": {}, "CNN": {}}
    for size in sizes:
        for seed in context.seeds:
            context.note(f"{size:,} training images, seed {seed}: bag of features")
            rows = drawn_rows(y, size, seed)
            words = context.finished(f"bag-{size}-{seed}", partial(classes_of, rows, seed))
            context.note(f"{size:,} training images, seed {seed}: CNN")
            data = context.dataset(f"train-{size}-{seed}", lambda: ((x[rows], y[rows]), some_of((test, labels))))  # noqa: B023
            run = context.train(network, name=f"cnn-{size}", seed=seed, data=data, classes=classes, epochs=epochs[size])
            for name, answers in (("bag of features", words["classes"]), ("CNN", context.classes(run, test))):
                correct[name].setdefault(size, []).append(answers == labels)
    for path in files.values():
        discard(path)
    differences = {
        size: judged(
            f"CNN - bag of features, test accuracy with {size:,} training images",
            "points",
            paired_difference(correct["CNN"][size], correct["bag of features"][size]),
            "higher",
            0.0,
            100.0,
        )
        for size in sizes
    }
    accuracy = {
        name: {size: 100 * float(np.mean(each)) for size, each in of_size.items()} for name, of_size in correct.items()
    }
    first, last = differences[sizes[0]], differences[sizes[-1]]
    verdict = last.verdict
    if verdict == "reproduced" and last.value <= first.value:
        verdict = "not seen at this scale"
    return LabResult(
        columns=("classifier", *(f"test accuracy with {size:,} (%)" for size in sizes)),
        rows=tuple((name, *each.values()) for name, each in accuracy.items()),
        verdict=verdict,
        reason=(
            f"{accuracy['CNN'][sizes[-1]]:.1f} % against {accuracy['bag of features'][sizes[-1]]:.1f} % with "
            f"{sizes[-1]:,} training images, {accuracy['CNN'][sizes[0]]:.1f} % against "
            f"{accuracy['bag of features'][sizes[0]]:.1f} % with {sizes[0]:,}, {len(context.seeds)} seeds"
        ),
        differences=tuple(differences.values()),
        figures=(draw(context.out / "bag-of-features.png", lab.claim, correct, 100 / classes),),
    )


def draw(path: Path, title: str, correct: Mapping[str, Mapping[int, Sequence[Any]]], chance: float) -> Path:
    """The accuracy of both by the number of training images; a point for each seed."""
    from archspec.runtime.labs.figure_style import COLORS, figure, label_ends

    with figure(path, title, xlabel="training images", ylabel="test accuracy (%)") as axes:
        ends = {}
        for (name, by_size), color in zip(correct.items(), (COLORS[1], COLORS[0]), strict=True):
            sizes = list(by_size)
            means = [100 * float(np.mean(each)) for each in by_size.values()]
            axes.plot(sizes, means, color=color)
            for size, seeds in by_size.items():
                axes.plot([size] * len(seeds), [100 * np.mean(each) for each in seeds], "o", ms=6, color=color)
            ends[name] = (sizes[-1], means[-1], color)
        axes.axhline(chance, color="black", lw=1.5, ls=":")
        axes.text(sizes[0], chance + 0.8, "chance", fontsize=13)
        axes.set(xscale="log", ylim=(0, None))
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        label_ends(axes, ends)
    return path
