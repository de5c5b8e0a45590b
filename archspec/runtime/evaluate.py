"""Evaluate a trained network on labelled images: accuracy, loss and confusion matrix, by the centre-crop protocol."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed
from archspec.runtime.classifier import logits_of
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.pipeline import evaluation_batches, steps_per_epoch
from archspec.runtime.data.source import open_data
from archspec.runtime.epoch import count, tensorflow_failures
from archspec.runtime.loop import make_count_step, replica_batches
from archspec.runtime.model_file import load_model, model_path
from archspec.runtime.strategy import Devices, make_strategy


@dataclass(frozen=True)
class ClassAccuracy:
    """One class: how many of its images were taken for it."""

    name: str
    images: int
    correct: int

    @property
    def accuracy(self) -> float | None:
        """A share from 0 to 1; None for a class without images."""
        return self.correct / self.images if self.images else None


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found. Accuracies are shares from 0 to 1."""

    model: Path
    data: str
    images: int
    loss: float
    """Mean cross-entropy, nats an image, without label smoothing."""
    top1: float
    top5: float | None
    """None for five classes or fewer."""
    class_names: tuple[str, ...]
    confusion: npt.NDArray[np.int64]
    """(classes, classes): images of the row's class that were taken for the column's."""
    images_per_second: float
    """Reading, preprocessing and the network, after the first batch."""

    @property
    def classes(self) -> tuple[ClassAccuracy, ...]:
        rows = zip(self.class_names, self.confusion.sum(axis=1), self.confusion.diagonal(), strict=True)
        return tuple(ClassAccuracy(name, int(images), int(correct)) for name, images, correct in rows)

    def to_json(self) -> dict[str, Any]:
        """Plain values, the confusion matrix as a list of rows."""
        return {
            "model": str(self.model),
            "data": self.data,
            "images": self.images,
            "loss": self.loss,
            "top1": self.top1,
            "top5": self.top5,
            "images_per_second": round(self.images_per_second, 1),
            "classes": [{**dataclasses.asdict(each), "accuracy": each.accuracy} for each in self.classes],
            "confusion": self.confusion.tolist(),
        }


def evaluate(
    model: str | Path,
    data: str,
    *,
    split: Literal["train", "validation"] = "validation",
    validation_split: float | None = None,
    seed: int = 0,
    batch_size: int = 128,
    devices: Devices = None,
    skip_bad_images: bool = False,
    report: Report | None = None,
) -> Evaluation:
    """Evaluate a model file, or the best model of a run directory, on a data source.

    Each image is resized and centre-cropped as the page's `evaluate:` says. Classes are matched by their names, in
    whatever order the data has them.

    Args:
        validation_split, seed: as in training, to find the same held-out images again.
        batch_size: images a step, over all devices together.

    Raises:
        ArchspecError: those of `load_model` and `open_data`, `classes-mismatch`, `no-classifier`, `output-exists`.
    """
    path = model_path(model)
    strategy = make_strategy(devices)
    with strategy.scope():
        network, metadata = load_model(path)
        logits_model = logits_of(network)
    input_shape = tuple(network.input_shape[1:])
    images = open_data(
        data,
        split,
        validation_split=validation_split,
        seed=seed,
        skip_bad_images=skip_bad_images,
        channels=input_shape[-1],
        report=report,
    )
    images = in_the_order_of(images, metadata.class_names, logits_model.output_shape[-1], data)
    batches = evaluation_batches(
        images,
        input_shape=input_shape,
        batch_size=batch_size,
        preprocess=metadata.preprocess,
        resize=metadata.resize,
    )
    count_step = make_count_step(strategy, logits_model, confusion=True)
    times: list[float] = []

    def timed(iterator: Any) -> Any:
        result = count_step(iterator)
        times.append(time.perf_counter())
        return result

    started = time.perf_counter()
    with tensorflow_failures(batch_size):
        score, confusion = count(timed, replica_batches(strategy, batches), steps_per_epoch(len(images), batch_size))
    first, measured = (times[0], len(images) - batch_size) if len(times) > 1 else (started, len(images))
    return Evaluation(
        model=path,
        data=data,
        images=len(images),
        loss=score.loss,
        top1=score.top1,
        top5=score.top5 if len(images.class_names) > 5 else None,
        class_names=images.class_names,
        confusion=confusion,
        images_per_second=measured / max(times[-1] - first, 1e-9),
    )


def in_the_order_of(images: Images, class_names: tuple[str, ...] | None, classes: int, source: str) -> Images:
    """The images with the labels of the network's classes, matched by name; a network without names takes them as is.

    Raises:
        ArchspecError: `classes-mismatch` when the two do not have the same classes.
    """
    if class_names is None:
        if len(images.class_names) != classes:
            fact = f"the network has {classes} classes, and `{source}` has {len(images.class_names)}"
            raise fail("classes-mismatch", fact, help="evaluate it on images of the classes that it was trained on")
        return images
    unknown = [name for name in images.class_names if name not in class_names]
    missing = [name for name in class_names if name not in images.class_names]
    if unknown or missing:
        notes = [f"the network does not know: {_some(unknown)}"] if unknown else []
        notes += [f"the data does not have: {_some(missing)}"] if missing else []
        fact = f"the classes of `{source}` are not those that the network was trained on"
        help = "name the folders of the data as in training, and keep an empty class out of both"
        raise fail("classes-mismatch", fact, notes=notes, help=help)
    place = np.array([class_names.index(name) for name in images.class_names], np.int32)
    return dataclasses.replace(images, class_names=class_names, labels=place[images.labels])


def _some(names: list[str], shown: int = 10) -> str:
    return listed(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
