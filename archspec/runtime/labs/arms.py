"""Train and test the arms of a lab: each arm with each seed, and what was measured."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError
from archspec.lang.spec.overrides import parse_protocols
from archspec.protocols import Protocol
from archspec.protocols.center import Center
from archspec.runtime.evaluation.batch_evaluate import evaluate_all
from archspec.runtime.evaluation.options import EvaluationOptions
from archspec.runtime.labs.context import LabContext, has_diverged
from archspec.runtime.labs.lab import Lab, LabArm, LabTest
from archspec.runtime.labs.lab_data import SplitBatches, class_names, lab_data
from archspec.runtime.labs.network_outputs import NetworkOutputs
from archspec.runtime.labs.read_lab import protocol_text

GRID_SEED = 1000
"""Of the runs that choose a value of a grid, so that the choice favors no seed of the comparison."""
SHIFTS = np.array([(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)])

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ArmRun:
    """One arm with one seed."""

    directory: Path
    posteriors: Mapping[str, npt.NDArray[np.float32]] = field(repr=False)
    """Of the test images in each test condition, (N, classes)."""
    labels: npt.NDArray[np.int32] = field(repr=False)
    """Of the test images."""
    train_correct: Bools = field(repr=False)
    """Of the training images, without augmentation, by the last network."""
    history: Mapping[str, Sequence[float]] = field(repr=False)
    """Columns of history.csv and times.csv."""
    updates_per_epoch: int

    def correct(self, test: str) -> Bools:
        """Whether each test image is classified correctly in a test condition."""
        found: Bools = self.posteriors[test].argmax(axis=1) == self.labels
        return found


@dataclass(frozen=True)
class ArmOutcome:
    """An arm with all its seeds."""

    name: str
    runs: tuple[ArmRun, ...]
    parameters: int
    macs: int | None
    chosen: str
    """The value that was chosen from the grid; empty without a grid."""


def run_arm(name: str, lab: Lab, context: LabContext, source: LabSource) -> ArmOutcome:
    """Choose from the grid of an arm, train it with every seed, and test it."""
    arm = lab.arms[name]
    data = context.data if arm.images is None else lab_data(source.data, arm.images, context.out / "data", context.note)
    params = getattr(context.load(context.networks[arm.network]), "params", {})
    classes = {"classes": len(class_names(data, context.note))} if "classes" in params else {}
    settings = {**classes, **lab.set, **arm.set, **lab.scaled(context.scale).set}
    job = _Job(slug(name), arm, context.networks[arm.network], data, source.recipe, lab, context)
    chosen, best = "", {}
    for word, values in arm.grid.items():
        rated = [(job.grid_loss(settings | {word: value}, f"{value}"), value) for value in values]
        best = {word: min(rated, key=lambda pair: pair[0])[1]}
        chosen = f"{best[word]:g}" if isinstance(best[word], (int, float)) else str(best[word])
    runs = averaged([job.run(settings | best, seed, name) for seed in context.seeds], lab.tests)
    graph = context.load(job.reference, recipe=source.recipe, **settings, **best).graph()
    return ArmOutcome(name, runs, graph.params, graph.macs, chosen)


def averaged(runs: Sequence[ArmRun], tests: Mapping[str, LabTest]) -> tuple[ArmRun, ...]:
    """The runs, each with the mean outputs of itself and the next seeds where a test condition has several members."""
    several = {name: each.members for name, each in tests.items() if each.members > 1}
    found = []
    for number, run in enumerate(runs):
        means = {
            name: np.mean([runs[(number + next_) % len(runs)].posteriors[name] for next_ in range(members)], axis=0)
            for name, members in several.items()
        }
        found.append(replace(run, posteriors={**run.posteriors, **means}))
    return tuple(found)


@dataclass(frozen=True)
class LabSource:
    """Where the data and the recipe of a lab come from."""

    data: str | Mapping[str, Any]
    recipe: str | None
    """The path of the recipe of all arms."""


@dataclass(frozen=True)
class _Job:
    """One arm: what is trained on what."""

    name: str
    arm: LabArm
    reference: str
    data: str
    recipe: str | None
    lab: Lab
    context: LabContext

    def run(self, settings: Mapping[str, Any], seed: int, title: str) -> ArmRun:
        """Train and test with one seed."""
        self.context.note(f"{title}, seed {seed}")
        directory, diverged = self.train(settings, seed)
        found = self.context.finished(f"{self.name}-seed{seed}", lambda: self.measure(directory, diverged))
        tests = {name: found[f"test {name}"] for name in self.lab.tests}
        first = next(iter(self.lab.tests))
        accuracy = np.mean(tests[first].argmax(axis=1) == found["labels"])
        self.context.note(f"{title}, seed {seed}: {100 * accuracy:.1f} % of the test images")
        updates = -(-len(found["train_correct"]) // int(found["batch_size"]))
        history = read_history(directory)
        return ArmRun(directory, tests, found["labels"], found["train_correct"], history, updates)

    def train(self, settings: Mapping[str, Any], seed: int, name: str = "") -> tuple[Path, bool]:
        """The run directory, and whether its loss became NaN or infinite."""
        init_from = None
        if self.arm.init_from is not None:
            run = self.context.run_directory(slug(self.arm.init_from), seed)
            init_from = str((run / "last.keras").absolute())  # the same when called from another folder
        name = name or self.name
        directory = self.context.run_directory(name, seed)
        mark = self.context.parts / f"{name}-seed{seed}-diverged.npz"
        if mark.is_file():
            return directory, True
        try:
            self.context.train(
                self.reference,
                name=name,
                seed=seed,
                data=self.data,
                recipe=self.recipe,
                init_from=init_from,
                init_map=self.arm.init_map,
                **settings,
            )
        except ArchspecError as error:
            if not has_diverged(error):
                raise
            self.context.finished(mark.stem, lambda: {"diverged": True})
            return directory, True
        return directory, False

    @property
    def normalized(self) -> bool:
        """Whether the network of the arm has batch normalization."""
        graph = self.context.load(self.reference, recipe=self.recipe, **self.arm.set).graph()
        return any(node.op.name == "bn" for node in graph.nodes)

    def grid_loss(self, settings: Mapping[str, Any], value: str) -> float:
        """What a grid is chosen by: epochs to the threshold if the lab waits for it, then the last training loss."""
        self.context.note(f"{self.name}: trying {next(iter(self.arm.grid))} = {value}")
        directory, diverged = self.train(settings, GRID_SEED, f"{self.name}-{slug(value)}")
        history = read_history(directory)
        if diverged or not history["loss"]:
            return float("inf")
        epochs = 0.0
        if any(each.measure == "epochs_to" for each in self.lab.compare):
            epochs = epochs_to(history, self.lab.threshold)
        return 1e6 * epochs + min(history["loss"][-1], 1e5)

    def measure(self, directory: Path, diverged: bool) -> dict[str, Any]:
        """Posteriors in every test condition, and the answers for the training images."""
        network = self.context.load(str(directory))
        graph, batch_size = network.graph(), network.recipe.batch_size
        training, test = (
            SplitBatches(self.data, split, graph.input_shape, network.protocol.resize, self.context.note)
            for split in ("train", "validation")
        )
        if diverged:  # a network of NaN gives no answer: it counts as one that gives every class the same score
            flat = np.ones((len(test.labels), int(test.labels.max()) + 1), np.float32)
            tests = {f"test {name}": flat for name in self.lab.tests}
            right = training.labels == 0
            return {**tests, "labels": test.labels, "train_correct": right, "batch_size": batch_size}
        outputs = NetworkOutputs(directory / "last.keras")
        tests = {}
        for name, each in self.lab.tests.items():
            given = shifted(test, each.shift, len(test.labels)) if each.shift else test
            if each.protocol is not None or each.population_statistics:
                tests[f"test {name}"] = self.under_protocol(directory / "last.keras", each)
            elif each.thinned:
                tests[f"test {name}"] = outputs.thinned(given, each.thinned)
            elif each.identity_layers:
                tests[f"test {name}"] = outputs.deepened(given, each.identity_layers, graph)
            else:
                tests[f"test {name}"] = outputs.posteriors(given)
        right = outputs.classes(training) == training.labels
        return {**tests, "labels": test.labels, "train_correct": right, "batch_size": batch_size}

    def under_protocol(self, model: Path, condition: LabTest) -> npt.NDArray[np.float32]:
        """The posteriors of the test images under an evaluation protocol, or with other statistics."""
        protocol = Center() if condition.protocol is None else parsed(condition.protocol)
        population = self.data if condition.population_statistics and self.normalized else None
        options = EvaluationOptions(self.data, lambda line: None, recompute_bn=population)
        (found,) = evaluate_all([model], options, protocols=[protocol])
        return found.predictions.posteriors


def shifted(batches: Iterable[npt.NDArray[Any]], distance: int, count: int) -> Iterator[npt.NDArray[Any]]:
    """Each image `distance` pixels off in one of 8 directions, the same ones in every call. The border is repeated.

    count: of all images.
    """
    directions = SHIFTS[np.random.default_rng(0).integers(len(SHIFTS), size=count)]
    first = 0
    for x in batches:
        high, wide = x.shape[1:3]
        padded = np.pad(x, ((0, 0), (distance, distance), (distance, distance), (0, 0)), mode="edge")
        corners = distance * (1 - directions[first : first + len(x)])
        yield np.stack(
            [image[top : top + high, left : left + wide] for image, (top, left) in zip(padded, corners, strict=True)]
        )
        first += len(x)


def read_history(directory: Path) -> dict[str, list[float]]:
    """The columns of history.csv and times.csv of a run; empty columns if no epoch is finished."""
    columns: dict[str, list[float]] = {"loss": [], "top1": [], "val_top1": [], "seconds": []}
    for name in ("history.csv", "times.csv"):
        path = directory / name
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    for word, text in row.items():
                        if text and (word not in columns or name == "history.csv" or word == "seconds"):
                            columns.setdefault(word, []).append(float(text))
    return columns


def epochs_to(history: Mapping[str, Sequence[float]], threshold: float) -> float:
    """The first epoch with at most this training error in percent; one more than all if there is none."""
    errors = [100 * (1 - top1) for top1 in history["top1"]]
    return next((epoch + 1.0 for epoch, error in enumerate(errors) if error <= threshold), len(errors) + 1.0)


def parsed(protocol: Any) -> Protocol:
    """The protocol of a test condition."""
    (found,) = parse_protocols([protocol_text(protocol)]) or ()
    return found


def slug(name: str) -> str:
    """The name as part of a file name."""
    import re

    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-") or "arm"
