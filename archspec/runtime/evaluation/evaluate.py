"""Evaluate trained networks on labelled images by the test protocols of papers: error rates, loss, confusion matrix."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archspec.protocols import Protocol
from archspec.runtime.data.images import Report
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.distributed.strategy import Devices
from archspec.runtime.evaluation.protocols.metrics import ErrorRate, cross_entropy, ranks
from archspec.runtime.evaluation.protocols.predictions import Predictions

Split = Literal["train", "validation"]


@dataclass(frozen=True)
class ClassAccuracy:
    """One class: how many of its images were taken for it, and had it among their first five."""

    name: str
    images: int
    correct: int
    correct_top5: int | None = None

    @property
    def accuracy(self) -> float | None:
        """A share from 0 to 1; None for a class without images."""
        return self.correct / self.images if self.images else None

    @property
    def error(self) -> ErrorRate:
        return ErrorRate(self.images - self.correct, self.images)


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found. Rates and accuracies are shares from 0 to 1."""

    predictions: Predictions = field(repr=False)

    @property
    def model(self) -> str:
        """The file; of an ensemble, those of its members with ` + ` between them."""
        return " + ".join(dict.fromkeys(self.predictions.models))

    @property
    def protocol(self) -> str:
        """As a page says it; of an ensemble of several protocols, with ` + ` between them."""
        return " + ".join(dict.fromkeys(self.predictions.protocols))

    @property
    def scales(self) -> str:
        """Smallest sides of the rescaled images, pixels."""
        return " + ".join(dict.fromkeys(self.predictions.scales))

    @property
    def members(self) -> int:
        """How many softmax outputs were averaged, each of a model under a protocol."""
        return len(self.predictions.models)

    @property
    def data(self) -> str:
        return self.predictions.data

    @property
    def images(self) -> int:
        return len(self.predictions)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.predictions.class_names

    @property
    def passes(self) -> int:
        """Forward passes an image."""
        return self.predictions.passes

    @property
    def images_per_second(self) -> float | None:
        """Reading, preprocessing and the network, after the first batch; None where nothing was computed."""
        return self.predictions.images_per_second

    @cached_property
    def _ranks(self) -> npt.NDArray[np.int64]:
        return ranks(self.predictions.posteriors, self.predictions.labels)

    @cached_property
    def loss(self) -> float:
        """Mean cross-entropy of the averaged softmax outputs, nats an image, without label smoothing."""
        return cross_entropy(self.predictions.posteriors, self.predictions.labels)

    @property
    def top1_error(self) -> ErrorRate:
        return ErrorRate(int((self._ranks >= 1).sum()), self.images)

    @property
    def top5_error(self) -> ErrorRate | None:
        """None for five classes or fewer."""
        return ErrorRate(int((self._ranks >= 5).sum()), self.images) if len(self.class_names) > 5 else None

    @property
    def top1(self) -> float:
        """Accuracy."""
        return 1 - self.top1_error.wrong / self.images

    @property
    def top5(self) -> float | None:
        """Accuracy; None for five classes or fewer."""
        return None if self.top5_error is None else 1 - self.top5_error.wrong / self.images

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """(classes, classes): images of the row's class that were taken for the column's."""
        matrix = np.zeros((len(self.class_names),) * 2, np.int64)
        np.add.at(matrix, (self.predictions.labels, self.predictions.posteriors.argmax(axis=1)), 1)
        return matrix

    @property
    def classes(self) -> tuple[ClassAccuracy, ...]:
        """Each class by itself."""
        labels, found = self.predictions.labels, []
        five = len(self.class_names) > 5
        for number, name in enumerate(self.class_names):
            of_class = self._ranks[labels == number]
            correct_top5 = int((of_class < 5).sum()) if five else None
            found.append(ClassAccuracy(name, len(of_class), int((of_class < 1).sum()), correct_top5))
        return tuple(found)

    def to_json(self, *, confusion: bool = True) -> dict[str, Any]:
        """Plain values, the confusion matrix as a list of rows."""
        top5 = self.top5_error
        speed = self.images_per_second
        return {
            "model": self.model,
            "data": self.data,
            "protocol": self.protocol,
            "members": [
                {"model": model, "protocol": protocol, "scales": scales}
                for model, protocol, scales in zip(
                    self.predictions.models, self.predictions.protocols, self.predictions.scales, strict=True
                )
            ],
            "images": self.images,
            "passes": self.passes,
            "loss": self.loss,
            "top1": self.top1,
            "top5": self.top5,
            "top1_error": self.top1_error.to_json(),
            "top5_error": None if top5 is None else top5.to_json(),
            "images_per_second": None if speed is None else round(speed, 4),
            "classes": [
                {**dataclasses.asdict(each), "accuracy": each.accuracy, "error": each.error.to_json()}
                for each in self.classes
            ],
            **({"confusion": self.confusion.tolist()} if confusion else {}),
        }


def evaluate(
    model: str | Path,
    data: str | None = None,
    *,
    protocol: str | Protocol | None = None,
    split: Split = "validation",
    validation_split: float | None = None,
    seed: int = 0,
    batch_size: int = 128,
    devices: Devices = None,
    skip_bad_images: bool = False,
    cluster: Cluster | None = None,
    report: Report | None = None,
) -> Evaluation:
    """Evaluate a model file, the best model of a run directory, or saved predictions, by one protocol.

    Classes are matched by their names, in whatever order the data has them. An evaluation that was stopped goes on
    where it was.

    Args:
        data: of `open_data`; needed by all but saved predictions.
        protocol: `ten-crop`, `multi-scale: [256, 384]`, ...; by default the first of the page's `evaluate:`, or
            `center` where it has none.
        validation_split, seed: as in training, to find the same held-out images again.
        batch_size: views a step, over all devices together.
        cluster: of `find_cluster`: the processes that share the images.

    Raises:
        ArchspecError: those of `load_model`, `open_data` and `run_protocol`, `classes-mismatch`, `no-classifier`.
    """
    from archspec.lang.schema.protocol_text import parse_protocols
    from archspec.runtime.evaluation.batch_evaluate import evaluate_all

    protocols: Sequence[Protocol] | None = ()
    if isinstance(protocol, str):
        protocols = parse_protocols([protocol])
    elif protocol is not None:
        protocols = (protocol,)
    found = evaluate_all(
        [model],
        data,
        protocols=protocols,
        split=split,
        validation_split=validation_split,
        seed=seed,
        batch_size=batch_size,
        devices=devices,
        skip_bad_images=skip_bad_images,
        cluster=cluster,
        report=report,
    )
    return found[0]
