"""The classifier of 2011: dense RootSIFT, a visual vocabulary, a spatial pyramid and a support vector machine.

Csurka et al. 2004 (bags of keypoints), Lazebnik et al. 2006 (pyramid), Arandjelovic & Zisserman 2012 (RootSIFT),
Vedaldi & Zisserman 2012 (explicit feature maps of additive kernels). Beside it a CNN on the same images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.system.atomic_write import atomic

if TYPE_CHECKING:
    from archspec.runtime.labs.context import LabContext
    from archspec.runtime.labs.lab import Lab
    from archspec.runtime.labs.result import LabResult

Array = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Descriptors = npt.NDArray[np.float16]
"""(N, descriptors, 128): half precision saves memory."""
DESCRIPTORS = 100_000
"""Of the training images, drawn at random for the vocabulary."""
WATCHED = 100
"""Test images, about, for which the learning curves are computed after each epoch."""


def grid(side: int, step: int) -> list[tuple[float, float]]:
    """Centres (x, y) of the descriptors, as far from the left border as from the right one."""
    first = (side - 1) % step / 2
    places = np.arange(first, side, step)
    return [(float(x), float(y)) for y in places for x in places]


def dense_rootsift(image: Pixels, step: int, diameters: Sequence[int]) -> Array:
    """Upright SIFT descriptors on a grid in several sizes, (H, W, 3) or (H, W) -> (descriptors, 128).

    RootSIFT: divided by their sum, then the square root, so that the Euclidean distance of two descriptors is the
    Hellinger distance. The sizes of a place follow each other.
    """
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    points = [cv2.KeyPoint(x, y, float(diameter), 0.0) for x, y in grid(grey.shape[0], step) for diameter in diameters]
    _, found = cv2.SIFT.create().compute(grey, points)
    shares: Array = np.asarray(found, np.float32) / np.maximum(found.sum(axis=1, keepdims=True), np.float32(1e-7))
    return np.sqrt(shares)


def all_descriptors(images: Pixels, step: int, diameters: Sequence[int]) -> Descriptors:
    """Of each image: (N, descriptors, 128)."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as pool:  # OpenCV computes without Python's lock
        found = pool.map(lambda image: dense_rootsift(image, step, diameters).astype(np.float16), images)
        return np.stack(list(found))


def pyramid_histograms(
    words: npt.NDArray[Any], side: int, step: int, sizes: int, count: int, cells: Sequence[int]
) -> Array:
    """How often each word occurs in each cell of the pyramid: (N, descriptors) -> (N, cells * count).

    Each level has the weight 1, and each histogram the sum 1.
    """
    places = np.repeat(np.array(grid(side, step)), sizes, axis=0)
    parts = []
    for level in cells:
        cell = np.minimum((places / side * level).astype(int), level - 1)
        number = cell[:, 1] * level + cell[:, 0]
        index = number * count + words  # (N, descriptors)
        size = level * level * count
        rows = np.arange(len(words))[:, None] * size
        parts.append(np.bincount((rows + index).ravel(), minlength=len(words) * size).reshape(len(words), size))
    histograms: Array = np.concatenate(parts, axis=1).astype(np.float32)
    histograms /= histograms.sum(axis=1, keepdims=True)
    return histograms


def kernel_map(histograms: Array, kernel: str) -> Array:
    """Features whose scalar product is the kernel: exactly for Hellinger's, approximately for chi-square."""
    if kernel == "hellinger":
        return np.sqrt(histograms)
    from sklearn.kernel_approximation import AdditiveChi2Sampler

    mapped: Array = AdditiveChi2Sampler(sample_steps=2).fit_transform(histograms)
    return mapped


def classify(
    train: Descriptors, y: Labels, test: Descriptors, side: int, seed: int, options: Mapping[str, Any]
) -> Labels:
    """The classes of the test images, by a vocabulary and a support vector machine of the training images.

    One thread, which makes the sums and so the words the same in every run.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return _classify(train, y, test, side, seed, options)


def _classify(
    train: Descriptors, y: Labels, test: Descriptors, side: int, seed: int, options: Mapping[str, Any]
) -> Labels:
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.svm import LinearSVC

    flat = train.reshape(-1, train.shape[-1])
    random = np.random.default_rng(seed)
    drawn = flat[np.sort(random.choice(len(flat), min(DESCRIPTORS, len(flat)), replace=False))].astype(np.float32)
    words = min(int(options["words"]), len(drawn))
    vocabulary = MiniBatchKMeans(words, random_state=seed, n_init=1, batch_size=4096, max_iter=20).fit(drawn)
    features = []
    for descriptors in (train, test):
        parts = np.array_split(descriptors, -(-len(descriptors) // 250))
        found = np.concatenate(
            [vocabulary.predict(part.reshape(-1, 128).astype(np.float32)).reshape(len(part), -1) for part in parts]
        )
        histograms = pyramid_histograms(
            found, side, int(options["step"]), len(options["diameters"]), words, list(map(int, options["pyramid"]))
        )
        features.append(kernel_map(histograms, str(options["kernel"])))
    machine = LinearSVC(C=float(options["penalty"]), random_state=seed).fit(features[0], y)
    return np.asarray(machine.predict(features[1]), np.int32)


def drawn_rows(y: Labels, count: int, seed: int) -> npt.NDArray[np.int64]:
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
    step, diameters = int(options["step"]), list(map(int, options["diameters"]))
    network = context.networks["small-cnn"]
    classes = int(y.max()) + 1

    @cache
    def descriptors() -> tuple[Descriptors, Descriptors]:
        """Of the training and test images; too large to keep in a file."""
        context.note(f"dense SIFT of {len(x) + len(test):,} images")
        return all_descriptors(x, step, diameters), all_descriptors(test, step, diameters)

    def classes_of(rows: npt.NDArray[np.int64], seed: int) -> dict[str, Labels]:
        known, new = descriptors()
        return {"classes": classify(known[rows], y[rows], new, x.shape[1], seed, options)}

    correct: dict[str, dict[int, list[Any]]] = {"bag of features": {}, "CNN": {}}
    for size in sizes:
        for seed in context.seeds:
            context.note(f"{size} training images, seed {seed}")
            rows = drawn_rows(y, size, seed)
            words = context.finished(f"bag-{size}-{seed}", partial(classes_of, rows, seed))
            few = slice(None, None, max(1, len(test) // WATCHED))
            data = subset(context.out / "data" / f"train-{size}-{seed}.npz", x[rows], y[rows], test[few], labels[few])
            run = context.train(network, name=f"cnn-{size}", seed=seed, data=data, classes=classes, epochs=epochs[size])
            for name, predicted in (
                ("bag of features", words["classes"]),
                ("CNN", context.predict(run, test).argmax(axis=1)),
            ):
                correct[name].setdefault(size, []).append(predicted == labels)
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


def subset(path: Path, x: Pixels, y: Labels, test: Pixels, labels: Labels) -> str:
    """Write a data set as one .npz, once. Returns its path."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, x_train=x, y_train=y, x_val=test, y_val=labels)
    return str(path)


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
