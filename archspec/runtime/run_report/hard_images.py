"""The confident mistakes and the least sure images of an evaluation, with their pictures and Grad-CAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from archspec.diagnostics import ArchspecError, counted
from archspec.runtime.data.files.conversions import Conversions
from archspec.runtime.data.images import Images, Report
from archspec.runtime.evaluation.hard_images import confused_pairs, most_confident_mistakes, top_two
from archspec.runtime.evaluation.predictions import Predictions
from archspec.runtime.explain.chosen_classes import ClassMaps, maps_of_classes
from archspec.runtime.explain.explainer import open_network
from archspec.runtime.explain.methods.gradcam import gradcam_maps
from archspec.runtime.image_inputs import images_of
from archspec.runtime.run_report.content import HardImage, HardPair, HeatMap
from archspec.runtime.run_report.photos import heat_photo, photo
from archspec.runtime.system.tensorflow_import import import_tensorflow

MISTAKES, PAIRS, OF_PAIR = 15, 6, 3
"""The most images and pairs that are shown."""


@dataclass(frozen=True)
class ImageChoice:
    """A row of the predictions, and the two classes whose Grad-CAM is shown."""

    row: int
    predicted: int
    other: int

    def image(self, predictions: Predictions) -> HardImage:
        """The image without its pictures."""
        names, row = predictions.class_names, predictions.posteriors[self.row]
        name = predictions.images[self.row].removeprefix(f"{predictions.data.rstrip('/')}/")
        return HardImage(
            f"image {name}" if name.isdecimal() else name,  # the row of an array
            names[predictions.labels[self.row]],
            names[self.predicted],
            float(row[self.predicted]),
            names[self.other],
            float(row[self.other]),
        )


@dataclass(frozen=True)
class HardImages:
    """What a report shows of the images of an evaluation."""

    mistakes: tuple[HardImage, ...]
    pairs: tuple[HardPair, ...]
    notes: tuple[str, ...] = ()
    """Why pictures are missing."""


def hard_images(predictions: Predictions, images: Images | None, model: Path, data: str, report: Report) -> HardImages:
    """The images, with their pictures where the data is there.

    Args:
        images: those of the predictions, in their order; None where the data is not there.
        model: a model file or a run directory, for Grad-CAM.
        data: the data source, for messages.
    """
    first, second, _ = top_two(predictions)
    mistakes = [
        ImageChoice(row, int(first[row]), int(predictions.labels[row]))
        for row in most_confident_mistakes(predictions, MISTAKES).tolist()
    ]
    pairs = confused_pairs(predictions, PAIRS, OF_PAIR)
    of_pairs = [
        [ImageChoice(row, int(first[row]), int(second[row])) for row in pair.least_sure.tolist()] for pair in pairs
    ]
    chosen = [*mistakes, *(each for choices in of_pairs for each in choices)]
    notes: list[str] = []
    found = {each: each.image(predictions) for each in chosen}
    if images is not None and chosen and (images.pixels is None or images.pixels.ndim == 4):  # else series or volumes
        try:
            found |= _with_pictures(found, images, model, data, report, notes)
        except ArchspecError as error:
            notes.append(f"The images have no pictures: {error.diagnostics[0].message}.")
    names = predictions.class_names
    return HardImages(
        tuple(found[each] for each in mistakes),
        tuple(
            HardPair(
                names[pair.first],
                names[pair.second],
                pair.first_as_second,
                pair.second_as_first,
                tuple(found[each] for each in choices),
            )
            for pair, choices in zip(pairs, of_pairs, strict=True)
        ),
        tuple(notes),
    )


def _with_pictures(
    found: Mapping[ImageChoice, HardImage], images: Images, model: Path, data: str, report: Report, notes: list[str]
) -> dict[ImageChoice, HardImage]:
    network = open_network(model, None, report)
    report(f"drawing {counted(len(found), 'image')}, with Grad-CAM where the network has feature maps")
    subset = images.only(np.array([each.row for each in found]))
    given = list(images_of(import_tensorflow(), subset, data, Conversions(network.input_shape[-1] or 3)))
    classes = [(each.predicted, each.other) for each in found]
    maps, reason = maps_of_classes(network, given, classes, gradcam_maps, report)
    if reason:
        notes.append(f"There is no Grad-CAM: {reason}.")
    unread = sum(each is None for each in maps)
    if unread:
        notes.append(f"{unread} of the images cannot be read any more, so they have no picture.")
    return {
        choice: _pictured(found[choice], each, different=choice.predicted != choice.other)
        for choice, each in zip(found, maps, strict=True)
        if each is not None
    }


def _pictured(image: HardImage, found: ClassMaps, *, different: bool) -> HardImage:
    heat: Sequence[HeatMap] = ()
    if found.maps is not None:
        named = zip((image.predicted, image.other) if different else (image.predicted,), found.maps, strict=False)
        heat = [HeatMap(name, heat_photo(found.pixels, each)) for name, each in named]
    return replace(image, photo=photo(found.pixels), heat_maps=tuple(heat))
