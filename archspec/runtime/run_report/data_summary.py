"""The data of a run: parts, classes, fingerprints, and training images with their augmentations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archspec.diagnostics import ArchspecError, counted, fail, listed, printable
from archspec.lang.recipes.recipe import EvaluationRecipe
from archspec.ops.base import Shape, show
from archspec.runtime.data.files.fingerprint import fingerprint
from archspec.runtime.data.images import Images, Report, class_counts
from archspec.runtime.data.report.preview import views_of
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.run_report.content import DataPart, DataSummary, SampleRow
from archspec.runtime.run_report.photos import photo
from archspec.runtime.run_report.recipe_words import described
from archspec.runtime.runs.train_config import TrainConfig
from archspec.targets import OutputTarget, OutputTargets
from archspec.transforms import Transform

SAMPLES, VIEWS = 5, 6
"""Training images that are shown, and the views of each: one as in evaluation, the others augmented."""


@dataclass(frozen=True)
class RunData:
    """The images of a run, as far as they are still there."""

    place: str
    """Where the data is now."""
    training: Images | None
    validation: Images | None
    notes: tuple[str, ...]
    """What is missing or has changed."""
    same_validation: bool
    """Whether the validation images are those of the run."""


def trained_targets(record: Mapping[str, Any]) -> OutputTargets | None:
    """What the outputs of the run were trained on, of run.json; None for one class for each image.

    Raises:
        ArchspecError: `bad-run`.
    """
    if "targets" not in record:
        return None
    try:
        return OutputTargets(tuple(map(OutputTarget.from_json, record["targets"])))
    except (KeyError, TypeError, ValueError) as error:
        fact = f"cannot read `targets` of run.json: {error}"
        raise fail("bad-run", fact, help="restore run.json, or train again") from None


def open_run_data(
    config: TrainConfig, record: Mapping[str, Any], channels: int, moved_to: str | None, report: Report
) -> RunData:
    """Open the training and the validation images of a run.

    Args:
        moved_to: where the data is now; None if it has not moved.
    """
    place = config.data if moved_to is None else moved_to
    found: dict[str, Images | None] = {}
    notes, same = [], set()
    for part, name in (("training", "train"), ("validation", "validation")):
        try:
            images = found[part] = open_data(
                place,
                name,
                validation_split=config.validation_split,
                seed=config.seed,
                skip_bad_images=config.skip_bad_images,
                channels=channels,
                targets=trained_targets(record),
                trained=True,
                report=report,
            )
        except ArchspecError as error:
            found[part] = None
            notes.append(f"The {part} images are not shown: {error.diagnostics[0].message}.")
            continue
        if fingerprint(images)["sha256"] == record["fingerprints"][part]["sha256"]:
            same.add(part)
        else:
            notes.append(f"The {part} images of `{printable(place)}` are not those that the run was trained with.")
    if len(notes) == 2 and not any(found.values()):
        fact = notes[0].partition(": ")[2]
        notes = [
            f"The data of the run cannot be read, so the report has no images: {fact} "
            "If it has moved, give its new place with `--data`."
        ]
    return RunData(place, found["training"], found["validation"], tuple(notes), "validation" in same)


def data_summary(
    config: TrainConfig,
    record: Mapping[str, Any],
    data: RunData,
    input_shape: Shape,
    protocol: EvaluationRecipe,
    preprocess: tuple[Transform, ...],
) -> tuple[DataSummary, list[str]]:
    """The summary, and notes on what is missing."""
    parts = []
    for name, images in (("training", data.training), ("validation", data.validation)):
        then = record["fingerprints"][name]
        counts = None if images is None else _counts(images, record)
        parts.append(DataPart(name, then["images"], then["sha256"], then.get("of", "files"), counts))
    samples: tuple[SampleRow, ...] = ()
    notes = []
    if data.training is not None:
        try:
            samples = _samples(data.training, input_shape, config, protocol)
        except ArchspecError as error:
            notes.append(f"There are no sample images: {error.diagnostics[0].message}.")
    summary = DataSummary(
        config.data,
        tuple(record["class_names"]),
        _labels(record),
        tuple(parts),
        (_resized(input_shape, protocol), *map(described, preprocess)),
        tuple(map(described, config.recipe.augment)),
        samples,
    )
    return summary, notes


def _labels(record: Mapping[str, Any]) -> str:
    targets = trained_targets(record)
    if targets is None:
        return counted(len(record["class_names"]), "class")
    texts = [(each.name, each.kind.described(each.class_names, each.units)) for each in targets]
    return listed(text if len(targets) == 1 else f"{name}: {text}" for name, text in texts)


def _counts(images: Images, record: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Images of each class of the run; None for other classes."""
    return class_counts(images) if tuple(images.class_names) == tuple(record["class_names"]) else None


def _resized(input_shape: Shape, protocol: EvaluationRecipe) -> str:
    if len(input_shape) != 3:
        return f"The network reads {show(input_shape)}."
    size = "their own size" if protocol.resize is None and None in input_shape else f"{show(input_shape)}"
    if protocol.resize is None:
        return f"Images enter as {size}."
    return f"The shortest side is resized to {protocol.resize} pixels, and the center cropped to {size}."


def _samples(
    images: Images, input_shape: Shape, config: TrainConfig, protocol: EvaluationRecipe
) -> tuple[SampleRow, ...]:
    if len(input_shape) != 3 or input_shape[-1] not in (1, 3) or None in input_shape:
        return ()
    if images.pixels is not None and images.pixels.dtype != np.uint8:
        return ()
    views, names = views_of(images, input_shape, config.recipe, protocol, rows=SAMPLES, columns=VIEWS, seed=config.seed)
    levels = np.clip(np.rint(views), 0, 255).astype(np.uint8)
    return tuple(SampleRow(name, tuple(map(photo, row))) for name, row in zip(names, levels, strict=True))
