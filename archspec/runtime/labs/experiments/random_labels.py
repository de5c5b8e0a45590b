"""Fitting labels that cannot be learned (Zhang et al. 2016): random labels, shuffled and random pixels, noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.labs.memory_training import LabelledArrays, MemoryTrainer, SgdSettings, standardized

if TYPE_CHECKING:
    from archspec.runtime.labs.context import LabContext
    from archspec.runtime.labs.lab import Lab
    from archspec.runtime.labs.result import LabResult

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


def changed_images(kind: str, x: Array, fixed: npt.NDArray[np.int64], random: np.random.Generator) -> Array:
    """The images of a task (section 2).

    `shuffled`: one permutation of the pixels, `fixed`, for all images. `permuted`: another one for each image. `noise`:
    Gaussian, with the mean and deviation of the images.
    """
    pixels = x.reshape(len(x), -1, x.shape[-1])
    if kind == "shuffled":
        return pixels[:, fixed].reshape(x.shape)
    if kind == "permuted":
        orders = random.permuted(np.tile(np.arange(pixels.shape[1]), (len(x), 1)), axis=1)
        return np.take_along_axis(pixels, orders[..., None], axis=1).reshape(x.shape)
    if kind == "noise":
        return random.normal(x.mean(), x.std(), x.shape).astype(np.float32)
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


def fit(
    trainer: MemoryTrainer,
    task: FittingTask,
    train: LabelledArrays,
    test: LabelledArrays,
    seed: int,
    options: Mapping[str, Any],
) -> dict[str, Array]:
    """Train until the labels are fitted, or for `epochs`.

    `loss` and `accuracy` on the training set, without augmentation: after each epoch (epochs,). `epochs` to fit, nan if
    not. `test`: correct answers (N,). `bits`: memorized ones.
    """
    random = np.random.default_rng([seed, 1])
    classes = int(trainer.model.outputs[0].shape[-1])
    fixed = random.permutation(train.x.shape[1] * train.x.shape[2])
    x = changed_images(task.images, train.x, fixed, random)
    y = corrupted_labels(train.y, task.corrupted, classes, random)
    settings = SgdSettings(float(options["learning_rate"]))
    if task.weight_decay:
        settings = replace(settings, weight_decay=float(options["weight_decay"]))
    if task.augmentation:
        settings = replace(settings, flip=True, shift=int(options["shift"]))
    trainer.start(seed)
    curves = []
    for _ in range(int(options["epochs"])):
        trainer.epoch(x, y, settings, random)
        probabilities = trainer.predict(x)
        loss = -np.mean(np.log(np.maximum(probabilities[np.arange(len(y)), y], 1e-30)))
        curves.append((loss, np.mean(probabilities.argmax(1) == y)))
        if curves[-1][1] >= float(options["fitted"]):
            break
    fitted = len(curves) if curves[-1][1] >= float(options["fitted"]) else np.nan
    seen = changed_images(task.images, test.x, fixed, random)
    return {
        "loss": np.array([each[0] for each in curves], np.float32),
        "accuracy": np.array([each[1] for each in curves], np.float32),
        "epochs": np.array(fitted, np.float32),
        "test": trainer.predict(seen).argmax(1) == test.y,
        "bits": np.array(memorized_bits(probabilities, y), np.float32),
    }


def run(lab: Lab, context: LabContext) -> LabResult:
    """Fit every task with every seed."""
    from archspec.runtime.labs.result import LabResult

    train, test = (standardized(*context.arrays(split)) for split in ("train", "validation"))
    classes = int(train.y.max()) + 1
    digits = enlarged_digits("train", len(train.x)), enlarged_digits("validation", len(test.x))
    network = context.networks["random-labels"]
    graph = context.load(network, classes=classes, units=context.options["units"]).graph()
    trainer = MemoryTrainer(graph, int(context.options["batch_size"]))
    shares = [float(share) for share in context.options["corrupted"]]
    between = [FittingTask(f"{100 * share:g} % random labels", corrupted=share) for share in shares if 0 < share < 1]
    found: dict[str, list[dict[str, Array]]] = {}
    for task in (*FIGURE_1, *between, *FURTHER):
        parts = digits if task.images == "digits" else (train, test)
        for seed in context.seeds:
            context.note(f"{task.name}, seed {seed}")
            part = f"{task.name.replace(' %', '').replace(', ', '-').replace(' ', '-')}-{seed}"
            each = context.finished(part, lambda: fit(trainer, task, *parts, seed, context.options))  # noqa: B023
            found.setdefault(task.name, []).append(each)
    results = {name: summary(each) for name, each in found.items()}
    bits = float(len(train.x) * np.log2(classes))
    chance = 100 / classes
    limit = 3 * 100 * float(np.sqrt(chance / 100 * (1 - chance / 100) / len(test.x)))
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
    """The means over the seeds of what `fit` returns."""
    return FittingResult(
        accuracy=100 * float(np.mean([each["accuracy"][-1] for each in seeds])),
        epochs=float(np.mean([each["epochs"] for each in seeds])),
        test=100 * float(np.mean([each["test"].mean() for each in seeds])),
        bits=float(np.mean([each["bits"] for each in seeds])),
    )


def enlarged_digits(split: str, count: int) -> LabelledArrays:
    """The first `count` of the embedded digits, if there are so many, as 32 x 32 RGB images."""
    from archspec.runtime.labs.lab_data import arrays

    digits, labels = arrays("digits", split, lambda text: None)
    x = standardized(np.repeat(np.repeat(digits[:count], 4, axis=1), 4, axis=2), labels[:count]).x
    return LabelledArrays(np.ascontiguousarray(np.broadcast_to(x[..., :1], (*x.shape[:3], 3))), labels[:count])


def draw(path: Path, title: str, curves: Mapping[str, Sequence[Mapping[str, Array]]], chance: float) -> Path:
    """Figure 1 a of the paper, and the test accuracy of the same runs."""
    from archspec.runtime.labs.figure_style import COLORS, figure

    with figure(path, title, columns=2) as panels:
        left, right = panels.flat
        for number, (seeds, color) in enumerate(zip(curves.values(), COLORS, strict=False)):
            for each in seeds:
                left.plot(np.arange(1, len(each["loss"]) + 1), each["loss"], color=color, lw=2)
            test = [100 * each["test"].mean() for each in seeds]
            right.barh(number, np.mean(test), color=color, height=0.6)
            right.plot(test, [number] * len(test), "k.", ms=5)
            right.text(max(test) + 1.5, number, f"{np.mean(test):.0f} %", va="center", color=color)
        right.set(xlabel="test accuracy (%)", xlim=(0, None))
        right.set_yticks(range(len(curves)), list(curves), fontweight="bold", fontsize=14)
        for label, color in zip(right.get_yticklabels(), COLORS, strict=False):
            label.set_color(color)
        left.set(xlabel="epoch", ylabel="training loss (nats)", ylim=(0, None))
        left.set_title("All is fitted, in these colors", loc="left", fontsize=16)
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
