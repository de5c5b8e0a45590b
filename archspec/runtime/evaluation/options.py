"""What to evaluate and how: the models with their protocols, the images, the devices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from archspec.diagnostics import ArchspecError, Diagnostic, Source, fail
from archspec.graph.compile.parameters import parameters
from archspec.lang.declarations import read_section
from archspec.lang.recipes.crop_share import small_crop
from archspec.lang.recipes.recipe import EvaluationRecipe, Recipe
from archspec.lang.spec.overrides import section
from archspec.lang.spec.spec import parse
from archspec.ops.base import Shape
from archspec.protocols import PROTOCOLS, Protocol
from archspec.protocols.center import Center
from archspec.protocols.dense import DenseEvaluation
from archspec.runtime.data.class_list import IMAGENET, imagenet_class_list, read_class_list
from archspec.runtime.data.class_match import match_classes
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.data.sources.source import find_source
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.distributed.strategy import Devices
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.runs.train_config import read_settings
from archspec.targets import OutputTargets


@dataclass(frozen=True)
class EvaluationOptions:
    """The images to evaluate on, and how.

    Attributes:
        data: a data source; needed by all models but saved predictions.
        report: called with lines of progress and warnings.
        split: "train" or "validation" as in training, or a part of the data: "test".
        validation_split, seed: as in training, to select the same held-out images.
        classes: a file with the names of the networks' classes (`read_class_list`), to match those of the data.
        present_classes: restrict the predictions to the classes that have images.
        skip_bad_images: leave out files that cannot be decoded.
        batch_size: views in a step, over all devices; larger views than the network's input count as several.
        devices: as `make_strategy` takes them.
        cluster: the workers that share the images. Each has all images; the chief writes.
        recompute_bn: a data source, whose training images give the statistics of batch normalization.
        threshold: the least probability that sigmoid outputs decide for; by default that of each model.
    """

    data: str | None
    report: Report
    split: str = "validation"
    validation_split: float | None = None
    seed: int = 0
    classes: str | Path | None = None
    present_classes: bool = False
    skip_bad_images: bool = False
    batch_size: int = 128
    devices: Devices = None
    cluster: Cluster | None = None
    recompute_bn: str | None = None
    threshold: float | None = None

    def check_files(self) -> None:
        """Raises ArchspecError for a list of classes or training images that do not exist."""
        if self.classes is not None:
            read_class_list(self.classes)
        if self.recompute_bn is not None:
            find_source(self.recompute_bn)

    def match(self, images: Images, class_names: tuple[str, ...] | None, outputs: int) -> Images:
        """The images with the labels of a network's classes. Raises classes-mismatch, class-list."""
        if images.targets is not None:
            if self.classes is not None:
                fact = "`--classes` names the classes of a softmax output, but the network has other outputs"
                raise fail("class-list", fact, help="omit `--classes`")
            return images
        class_list = None if self.classes is None else read_class_list(self.classes, outputs)
        data = str(self.data)
        if class_list is None and class_names is None and outputs == IMAGENET:
            with suppress(ArchspecError):  # other classes than those of ImageNet
                imagenet = imagenet_class_list()
                return match_classes(images, None, outputs, data, class_list=imagenet, report=self.report)
        return match_classes(images, class_names, outputs, data, class_list=class_list, report=self.report)

    def open_images(self, channels: int, targets: OutputTargets | None = None) -> Images:
        """The images with that many channels, and the labels of these targets. Raises ArchspecError as `open_data`."""
        return open_data(
            str(self.data),
            self.split,
            validation_split=self.validation_split,
            seed=self.seed,
            skip_bad_images=self.skip_bad_images,
            whole=True,
            targets=targets,
            trained=True,
            report=self.report,
            channels=channels,
        )

    def training_images(self, channels: int, targets: OutputTargets) -> Images:
        """The training images of `recompute_bn`. Raises ArchspecError as `open_data`."""
        return open_data(
            str(self.recompute_bn),
            "train",
            validation_split=self.validation_split if self.recompute_bn == self.data else None,
            seed=self.seed,
            skip_bad_images=self.skip_bad_images,
            whole=True,
            targets=targets,
            trained=True,
            report=self.report,
            channels=channels,
        )


@dataclass(frozen=True)
class GivenModel:
    """A model file, a run directory or saved predictions, and its own protocol if it has one."""

    path: Path
    protocol: Protocol | None = None

    @property
    def is_predictions(self) -> bool:
        """Whether the path names saved predictions."""
        return self.path.suffix == ".npz"

    @classmethod
    def parse(cls, text: str | Path) -> GivenModel:
        """`runs/a`, or `runs/a:ten-crop`. A path that exists with the colon has no protocol."""
        path, colon, name = str(text).rpartition(":")
        protocol = PROTOCOLS.get(name) if colon and not Path(text).exists() else None
        return cls(Path(path), protocol.make({})) if protocol else cls(Path(text))


def protocols_of(
    target: GivenModel, metadata: Metadata, input_shape: Shape, protocols: Sequence[Protocol] | None
) -> Sequence[Protocol]:
    """The protocol of the target, or else `protocols`: () is the first of the model's spec, None all of them.

    Without any, the central crop, or the whole image where the network's input is free.
    """
    if target.protocol is not None:
        return (target.protocol,)
    if protocols:
        return protocols
    free = len(input_shape) == 3 and None in input_shape
    of_spec = spec_protocols(metadata) or (DenseEvaluation(flip=False) if free else Center(),)
    return of_spec if protocols is None else of_spec[:1]


def small_views(input_shape: Shape, metadata: Metadata, protocols: Sequence[Protocol]) -> Iterator[Diagnostic]:
    """A warning where a protocol crops a small part of images that are resized as the spec says."""
    central = [each for each in protocols if each.central and getattr(each, "size", None) is None]
    found = small_crop(input_shape, Recipe(), EvaluationRecipe(metadata.resize)) if central else None
    if found:
        yield replace(found, help=f"`--protocol '{central[0].name}: {min(side or 0 for side in input_shape[:2])}'`")


def spec_protocols(metadata: Metadata) -> tuple[Protocol, ...]:
    """The protocols under `evaluate: {protocols: ...}` in the spec of a model file."""
    if metadata.spec is None:
        return ()
    try:
        spec = parse(Source("archspec.json", metadata.spec))
        values = section(spec.document, "evaluate", {}, parameters(spec, None, {}))
        return read_section(EvaluationRecipe, values).protocols
    except ArchspecError:  # of another version of the language
        return ()


def seen_in_training(model: Path, options: EvaluationOptions) -> str | None:
    """A note with the remedy; None where nothing is known to be wrong.

    A run that held out a share of its data knows which: with another share or seed, the evaluation of the same data
    includes training images.

    Args:
        model: a run directory, or a model file in it.
    """
    if options.data is None or options.split != "validation":
        return None
    try:
        _, trained = read_settings(model if model.is_dir() else model.parent)
    except ArchspecError:  # not a run
        return None
    held_out_now = (options.validation_split, options.seed) == (trained.validation_split, trained.seed)
    other_data = Path(options.data).resolve() != Path(trained.data).resolve()
    if trained.validation_split is None or other_data or held_out_now:
        return None
    _, _, *held_out = trained.data_arguments
    return f"note: `{model}` was trained on part of these images; `{' '.join(held_out)}` leaves those out"
