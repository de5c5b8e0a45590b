"""What a report shows, as plain values: gathered once, then written as HTML or Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archspec.drawings.drawing import Drawing
from archspec.runtime.evaluation.result import Evaluation


@dataclass(frozen=True)
class Photo:
    """A JPEG."""

    data: bytes = field(repr=False)
    width: int
    """In pixels."""
    height: int


@dataclass(frozen=True)
class HeatMap:
    """The Grad-CAM of a class over an image."""

    class_name: str
    photo: Photo | None
    """None where the map is zero everywhere."""


@dataclass(frozen=True)
class HardImage:
    """A confident mistake, or an image that the network is not sure of."""

    name: str
    """The path of the file in the data source, or the number of its row."""
    truth: str
    """The true class."""
    predicted: str
    """The most probable class."""
    confidence: float
    """Probability of the predicted class."""
    other: str
    """The class that the prediction is compared with: the true class, or the second most probable one."""
    other_probability: float
    photo: Photo | None = None
    """As the network sees it; None where the data is not there."""
    heat_maps: tuple[HeatMap, ...] = ()
    """Of the predicted and the other class."""


@dataclass(frozen=True)
class HardPair:
    """Two classes that are taken for each other, with the images of both that the network is least sure of."""

    first: str
    second: str
    first_as_second: int
    """Images of the first class that were predicted as the second."""
    second_as_first: int
    images: tuple[HardImage, ...]


@dataclass(frozen=True)
class SampleRow:
    """A training image: as in evaluation, then augmented."""

    class_name: str
    views: tuple[Photo, ...]


@dataclass(frozen=True)
class DataPart:
    """A part of the data: training or validation."""

    name: str
    images: int
    sha256: str
    """Of classes, labels and contents."""
    of: str
    """What the fingerprint covers: `files` or `pixels`."""
    class_counts: tuple[int, ...] | None = None
    """Images of each class; None where the data is not there."""


@dataclass(frozen=True)
class DataSummary:
    """The data of a run."""

    source: str
    """As it was given to `train`."""
    class_names: tuple[str, ...]
    labels: str
    """What the images are labelled with: `10 classes`, or `color: 3 classes, tags: 4 labels` of several outputs."""
    parts: tuple[DataPart, ...]
    preprocessing: tuple[str, ...]
    """A line for each step from the image to the input of the network."""
    augmentation: tuple[str, ...]
    """A line for each transform."""
    samples: tuple[SampleRow, ...] = ()


@dataclass(frozen=True)
class ShellCommands:
    """How to reproduce a run, as shell commands."""

    train: str
    evaluate: str
    report: str
    caveats: tuple[str, ...] = ()
    """What else must be equal."""


@dataclass(frozen=True)
class ReportContent:
    """Everything that a report shows."""

    directory: Path
    """The run directory."""
    network: str
    """The name of the network."""
    record: Mapping[str, Any]
    """The contents of run.json."""
    facts: Mapping[str, str]
    """The figures at the top, by their names."""
    recipe: tuple[str, ...]
    """The recipe in words, a sentence each."""
    settings: Mapping[str, str]
    """Every setting of the recipe, by dotted name."""
    history: tuple[Mapping[str, float], ...]
    """The rows of history.csv."""
    loss: Mapping[str, str]
    """Name and unit of the loss, and what only the training loss has: `loss_labels`."""
    data: DataSummary
    environment: Mapping[str, str]
    commands: ShellCommands
    spec: str
    """The text of spec.yaml."""
    drawing: Drawing | None = None
    """None for a network that cannot be drawn."""
    summary: str = ""
    """The table of `archspec summarize`, of the outermost layers."""
    evaluations: tuple[Evaluation, ...] = ()
    """One for each protocol; the first one gives the confusion matrix, the classes and the images."""
    evaluated: str = ""
    """What was evaluated, in a sentence."""
    mistakes: tuple[HardImage, ...] = ()
    pairs: tuple[HardPair, ...] = ()
    notes: tuple[str, ...] = ()
    """What is missing from the report, and why."""

    @property
    def title(self) -> str:
        """`resnet-cifar-20 on photos`."""
        return f"{self.network} on {self.data.source.rstrip('/').rpartition('/')[2] or self.data.source}"
