"""Fitting labels that cannot be learned (Zhang et al. 2016): random labels, shuffled and random pixels, noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.labs.arms import epochs_to, read_history, slug
from archspec.runtime.labs.lab_data import some_of

if TYPE_CHECKING:
    from archspec.runtime.labs.context import Arrays, LabContext
    from archspec.runtime.labs.lab import Lab
    from archspec.runtime.labs.lab_data import Split
    from archspec.runtime.labs.result import LabResult

Pixels = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
SLOWER = 10
"""Times as many epochs as true labels that random ones may take at most: "a small constant factor" (section 2.2)."""


@dataclass(frozen=True)
class FittingTask:
    """What is to be fitted, and how."""

    name: str
    """Of its part, and in the table."""
    images: str = "photos"
    """`photos`, `shuffled`, `permuted`, `noise` or `digits`."""
    corrupted: float = 0.0
    """The share of the training labels that are replaced by random ones."""
    weight_decay: bool = False
    augmentation: bool = False

    def settings(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Of the recipe."""
        found: dict[str, Any] = {}
        if self.weight_decay:
            found["weight_decay"] = options["weight_decay"]
        if self.augmentation:
            found["augment"] = ["random_flip", {"random_shift": options["shift"]}]
        return found

    def splits(self, train: Split, test: Split, classes: int, seed: int) -> tuple[Split, Split]:
        """The training and test images of a seed, changed, with their labels; the labels of the test are true."""
        random = np.random.default_rng([seed, 1])
        (x, y), (seen, labels) = train, test
        fixed = random.permutation(x.shape[1] * x.shape[2])
        images = changed_images(self.images, x, fixed, random)
        given = corrupted_labels(y, self.corrupted, classes, random)
        return (images, given), (changed_images(self.images, seen, fixed, random), labels)


FIGURE_1 = (
    FittingTask("true labels"),
    FittingTask("random labels", corrupted=1.0),
    FittingTask("shuffled pixels", images="shuffled"),
    FittingTask("random pixels", images="permuted"),
    FittingTask("noise", images="noise"),
)
"""The five curves of Figure 1 a."""
FURTHER = (
    FittingTask("random labels, weight decay", corrupted=1.0, weight_decay=True),
    FittingTask("random labels, augmentation", corrupted=1.0, augmentation=True),
    FittingTask("true labels, both", weight_decay=True, augmentation=True),
    FittingTask("digits, random labels", images="digits", corrupted=1.0),
)
"""With the regularization of Tables 1 and 4, and images that are more alike."""


def changed_images(kind: str, x: Pixels, fixed: npt.NDArray[np.int64], random: np.random.Generator) -> Pixels:
    """The images of a task (section 2).

    `shuffled`: one permutation of the pixels, `fixed`, for all images. `permuted`: another one for each image. `noise`:
    Gaussian, with the mean and deviation of the images, cut to grey levels.
    """
    pixels = x.reshape(len(x), -1, x.shape[-1])
    if kind == "shuffled":
        return pixels[:, fixed].reshape(x.shape)
    if kind == "permuted":
        orders = random.permuted(np.tile(np.arange(pixels.shape[1]), (len(x), 1)), axis=1)
        return np.take_along_axis(pixels, orders[..., None], axis=1).reshape(x.shape)
    if kind == "noise":
        return np.clip(np.rint(random.normal(x.mean(), x.std(), x.shape)), 0, 255).astype(np.uint8)
    return x


def corrupted_labels(y: Labels, share: float, classes: int, random: np.random.Generator) -> Labels:
    """Labels of which this share is replaced by uniformly random ones; some of those are the true ones by chance."""
    return np.where(random.random(len(y)) < share, random.integers(classes, size=len(y)), y).astype(np.int32)


def memorized_bits(probabilities: Array, y: Labels) -> float:
    """Bits about the labels y (N,) in the network that gives them these probabilities (N, k).

    The labels alone need log2 k bits each, and -log2 p with the network: the difference is what it knows, at most
    N log2 k.
    """
    chosen = np.maximum(probabilities[np.arange(len(y)), y], np.finfo(np.float32).tiny)
    return float(len(y) * np.log2(probabilities.shape[1]) + np.log2(chosen, dtype=np.float64).sum())


def measure(context: LabContext, run: Path, train: Split, test: Split) -> dict[str, Any]:
    """Of a finished run: the `accuracy` on its training set, without augmentation, the memorized `bits`, and whether
    each `test` image is classified correctly (N,).
    """
    probabilities = context.predict(run, train[0])
    return {
        "accuracy": np.mean(probabilities.argmax(axis=1) == train[1]),
        "bits": memorized_bits(probabilities, train[1]),
        "test": context.predict(run, test[0]).argmax(axis=1) == test[1],
    }


def run(lab: Lab, context: LabContext) -> LabResult:
    """Train for every task with every seed."""
    from archspec.runtime.labs.result import LabResult

    options = context.options
    train, test = (context.arrays(split) for split in ("train", "validation"))
    classes = int(train[1].max()) + 1
    contrast = float(train[0].mean()), float(train[0].std())
    digits = enlarged_digits("train", len(train[0]), *contrast), enlarged_digits("validation", len(test[0]), *contrast)
    settings = {
        "classes": classes,
        **{name: options[name] for name in ("units", "epochs", "batch_size")},
        "train.optimizer.sgd.learning_rate": options["learning_rate"],
    }
    shares = [float(share) for share in options["corrupted"]]
    between = [FittingTask(f"{100 * share:g} % random labels", corrupted=share) for share in shares if 0 < share < 1]
    found: dict[str, list[Arrays]] = {}
    for task in (*FIGURE_1, *between, *FURTHER):
        given = digits if task.images == "digits" else (train, test)
        for seed in context.seeds[: None if task not in FURTHER else int(options["further_seeds"])]:
            context.note(f"{task.name}, seed {seed}")
            name = slug(task.name)
            splits = task.splits(*given, classes, seed)
            run = context.train(
                context.networks["random-labels"],
                name=name,
                seed=seed,
                data=context.dataset(f"{name}-seed{seed}", lambda: (splits[0], some_of(splits[1]))),  # noqa: B023
                **settings,
                **task.settings(options),
            )
            each = context.finished(f"{name}-{seed}", partial(measure, context, run, *splits))
            found.setdefault(task.name, []).append(each | curves_of(run, float(options["fitted"])))
    results = {name: summary(each) for name, each in found.items()}
    bits = float(len(train[0]) * np.log2(classes))
    chance = 100 / classes
    limit = 3 * 100 * float(np.sqrt(chance / 100 * (1 - chance / 100) / len(test[0])))
    fits = all(not np.isnan(results[task.name].epochs) for task in FIGURE_1)
    useless = all(abs(results[name].test - chance) <= limit for name in ("random labels", "noise"))
    slower = results["random labels"].epochs / results["true labels"].epochs
    random = results["random labels"]
    rows = tuple(
        (name, each.accuracy, each.epochs if each.epochs == each.epochs else "not fitted", each.test, each.bits, bits)
        for name, each in results.items()
    )
    curves = {task.name: found[task.name] for task in FIGURE_1}
    corrupted = {0.0: "true labels", 1.0: "random labels"} | {task.corrupted: task.name for task in between}
    by_share = {share: results[corrupted[share]] for share in sorted(corrupted)}
    return LabResult(
        columns=(
            "fitted to",
            "training accuracy (%)",
            "epochs to fit",
            "test accuracy (%)",
            "memorized (bits)",
            "n log2 k (bits)",
        ),
        rows=rows,
        verdict="reproduced" if fits and useless and slower <= SLOWER else "not seen at this scale",
        reason=(
            f"random labels reach {random.accuracy:.1f} % in {random.epochs:.0f} epochs, true ones in "
            f"{results['true labels'].epochs:.0f}; the test accuracy is {random.test:.1f} % against "
            f"{results['true labels'].test:.1f} %; {random.bits:,.0f} of {bits:,.0f} bits are memorized"
        ),
        figures=(
            draw(context.out / "random-labels.png", lab.claim, curves, chance),
            draw_shares(context.out / "random-labels-corruption.png", by_share, results),
        ),
    )


def curves_of(run: Path, fitted: float) -> Arrays:
    """The training `loss` of each epoch, and the `epochs` until the training accuracy is `fitted`; nan if it is not."""
    history = read_history(run)
    epochs = epochs_to(history, 100 * (1 - fitted))
    return {
        "loss": np.array(history["loss"], np.float32),
        "epochs": np.array(epochs if epochs <= len(history["loss"]) else np.nan),
    }


@dataclass(frozen=True)
class FittingResult:
    """The means over the seeds."""

    accuracy: float
    """On the training set at the end, percent."""
    epochs: float
    """Until the labels are fitted; nan if one seed has not fitted them."""
    test: float
    """Accuracy, percent."""
    bits: float
    """Memorized."""


def summary(seeds: Sequence[Mapping[str, Array]]) -> FittingResult:
    """The means over the seeds of what `measure` and `curves_of` return."""
    return FittingResult(
        accuracy=100 * float(np.mean([each["accuracy"] for each in seeds])),
        epochs=float(np.mean([each["epochs"] for each in seeds])),
        test=100 * float(np.mean([each["test"].mean() for each in seeds])),
        bits=float(np.mean([each["bits"] for each in seeds])),
    )


def enlarged_digits(split: str, count: int, mean: float, deviation: float) -> Split:
    """The first `count` of the embedded digits, if there are so many, as 32 x 32 RGB images of this contrast."""
    from archspec.runtime.labs.lab_data import arrays

    digits, labels = arrays("digits", split, lambda text: None)
    values = (digits[:count] - digits.mean()) / digits.std() * deviation + mean
    grey = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return grey.repeat(4, axis=1).repeat(4, axis=2).repeat(3, axis=3), labels[:count]


def draw(path: Path, title: str, curves: Mapping[str, Sequence[Mapping[str, Array]]], chance: float) -> Path:
    """Figure 1 a of the paper, and the test accuracy of the same runs."""
    from archspec.runtime.labs.figure_style import COLORS, figure

    with figure(path, title, columns=2) as panels:
        left, right = panels.flat
        for number, ((name, seeds), color) in enumerate(zip(curves.items(), COLORS, strict=False)):
            for each in seeds:
                left.plot(np.arange(1, len(each["loss"]) + 1), each["loss"], color=color, lw=2)
            test = [100 * each["test"].mean() for each in seeds]
            right.barh(number, np.mean(test), color=color, height=0.6)
            right.plot(test, [number] * len(test), "k.", ms=5)
            place = {"ha": "right", "va": "top", "transform": left.transAxes, "fontsize": 14, "fontweight": "bold"}
            left.text(0.98, 0.96 - 0.085 * number, name, color=color, **place)
            right.text(max(test) + 1.5, number, f"{np.mean(test):.0f} %", va="center", color=color)
        right.set(xlabel="test accuracy (%)", xlim=(0, None))
        right.set_yticks(range(len(curves)), list(curves), fontweight="bold", fontsize=14)
        for label, color in zip(right.get_yticklabels(), COLORS, strict=False):
            label.set_color(color)
        left.set(xlabel="epoch", ylabel="training loss (nats)", ylim=(0, None))
        left.set_title("Everything is fitted", loc="left", fontsize=16)
        right.axvline(chance, color="black", lw=1.5, ls=":")
        right.text(chance + 0.5, len(curves) - 0.45, "chance", fontsize=13)
        right.invert_yaxis()
        right.grid(False)
        right.set_title("Only structure generalizes", loc="left", fontsize=16)
    return path


def draw_shares(path: Path, by_share: Mapping[float, FittingResult], results: Mapping[str, FittingResult]) -> Path:
    """Figures 1 b and c: epochs to fit, and test error, by the share of random labels; and the regularized runs."""
    from archspec.runtime.labs.figure_style import COLORS, figure

    title = "More random labels are fitted about as fast, and cost test accuracy"
    shares = [100 * share for share in by_share]
    with figure(path, title, xlabel="random labels (%)", columns=3) as panels:
        epochs, error, fitted = panels.flat
        found = np.array([each.epochs for each in by_share.values()])
        epochs.plot(shares, found, "o-", color=COLORS[0])
        known = found[~np.isnan(found)]
        epochs.set(ylim=(0, 1.3 * max(known, default=1.0)), ylabel="epochs to fit")
        error.plot(shares, [100 - each.test for each in by_share.values()], "o-", color=COLORS[1])
        error.set(ylim=(0, 100), ylabel="test error (%)")
        names = ["random labels", *(task.name for task in FURTHER if task.corrupted == 1)]
        for row, name in enumerate(names):
            fitted.barh(row, results[name].accuracy, color=COLORS[2], height=0.5)
            fitted.text(2, row - 0.33, name.replace("random labels, ", "with "), fontsize=13)
            when = (
                f"{results[name].epochs:.0f} epochs" if results[name].epochs == results[name].epochs else "not fitted"
            )
            text = f"{results[name].accuracy:.0f} %, {when}"
            fitted.text(4, row, text, color="white", va="center", fontweight="bold", fontsize=13)
        fitted.set(xlim=(0, 100), ylim=(len(names) - 0.5, -0.65), yticks=[], xlabel="training accuracy (%)")
        fitted.grid(False)
        fitted.set_title("Random labels", loc="left", fontsize=16)
    return path
