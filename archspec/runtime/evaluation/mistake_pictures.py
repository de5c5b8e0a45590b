"""Contact sheets of an evaluation: its most confident mistakes, and the least sure images of confused classes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from archspec.declare import arguments
from archspec.diagnostics import ArchspecError, counted, fail, listed, visible
from archspec.ops.base import show
from archspec.runtime.data.files.conversions import Conversions
from archspec.runtime.data.images import Images, Report
from archspec.runtime.evaluation.hard_images import ConfusedPair, confused_pairs, most_confident_mistakes
from archspec.runtime.evaluation.inference.predictor import Predictor
from archspec.runtime.evaluation.predictions import Predictions
from archspec.runtime.evaluation.result import joined
from archspec.runtime.explain import EXPLAIN_METHODS, ExplainMethod
from archspec.runtime.explain.explanation import ExplainedImage
from archspec.runtime.explain.image_batches import ImageBatches
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.image_inputs import images_of
from archspec.runtime.system.tensorflow_import import import_tensorflow

MISTAKES, PAIRS, OF_PAIR = 24, 8, 4  # most images on one sheet; most pairs, and images of each, on the other
BATCH_SIZE = 32
INTERVAL = 10.0  # seconds between two lines of progress

Pixels = npt.NDArray[np.uint8]
Sheets = Mapping[str, Pixels]
"""File name -> picture, RGB (H, W, 3)."""
Shown = tuple[int, tuple[str, ...]]
"""An image, by its row in the predictions, and the classes whose maps are drawn beside it."""


def draws_classes(method: type[ExplainMethod]) -> bool:
    """Whether a method draws maps of chosen classes for each image."""
    return method.takes == "images" and any(each.name == "classes" for each in arguments(method))


def map_method(name: str) -> ExplainMethod:
    """The method of that name.

    Raises:
        ArchspecError: `unknown-method`; `method-not-applicable` for one without a map of a class for each image;
            `missing-package`.
    """
    from archspec.runtime.explain.explainer import find_method

    method = find_method(name, {})
    if not draws_classes(type(method)):
        known = [each for each, found in EXPLAIN_METHODS.with_plugins().items() if draws_classes(found)]
        fact = f"the method `{name}` does not draw a map of a class for each image"
        raise fail("method-not-applicable", fact, help=f"use one of: {listed(known)}")
    return method


@dataclass
class MistakePictures:
    """Draws the sheets of each evaluation.

    Attributes:
        method: draws a map of the predicted and of the true class beside each image; None for the images alone.
    """

    method: ExplainMethod | None
    report: Report
    _told: float = 0.0

    def open(self, network: Predictor, class_names: tuple[str, ...]) -> OpenNetwork | None:
        """The network as the method reads it; without a method, None for one that cannot read images.

        Raises:
            ArchspecError: why the method does not apply to the network.
        """
        shape = network.input_shape
        if len(shape) != 3 or shape[-1] not in (1, 3):
            if self.method is None:
                return None
            fact = (
                f"`{self.method.name}` explains images of (height, width, 1 or 3), but the network takes {show(shape)}"
            )
            raise fail("method-not-applicable", fact, help="leave `--explain` out")
        try:
            opened = OpenNetwork(network.model, network.metadata, class_names)
            if self.method is not None:
                self.method.check(opened)
        except ArchspecError:
            if self.method is None:
                return None
            raise
        if self.method is not None and opened.output_note:
            self.report(f"{network.path}: {opened.output_note}")
        return opened

    def sheets(self, found: Predictions, network: OpenNetwork, images: Images, method: ExplainMethod | None) -> Sheets:
        """`mistakes.png` and `confused-classes.png` of predictions of these images; nothing without mistakes."""
        from archspec.runtime.explain.picture import contact_sheet

        predicted = found.posteriors.argmax(axis=1)
        mistakes: list[Shown] = [
            (int(row), (found.class_names[predicted[row]], found.class_names[found.labels[row]]))
            for row in most_confident_mistakes(found, MISTAKES)
        ]
        pairs: list[tuple[ConfusedPair, list[Shown]]] = []
        for pair in confused_pairs(found, PAIRS, OF_PAIR):
            names = (found.class_names[pair.first], found.class_names[pair.second])
            pairs.append((pair, [(int(row), names) for row in pair.least_sure]))
        shown = dict.fromkeys([*mistakes, *(each for _, of_pair in pairs for each in of_pair)])
        explained = dict(self._explained(list(shown), network, images, method))
        blocks = [_block(found, each, explained[each]) for each in mistakes if each in explained]
        rows = []
        for pair, of_pair in pairs:
            if parts := [_block(found, each, explained[each]) for each in of_pair if each in explained]:
                rows.append(_pair_block(found, pair, parts))
        of = f"{joined(found.models)} on {found.data}, {joined(found.protocols)}{_with_maps(found, network, method)}"
        total = int((predicted != found.labels).sum())
        which = "all" if total == len(blocks) else f"the {len(blocks)} most confident of"
        sheets = {
            "mistakes.png": (blocks, f"{which} {total:,} mistakes of {of}"),
            "confused-classes.png": (rows, f"the least sure images of the most confused classes of {of}"),
        }
        return {name: contact_sheet(parts, visible(text)) for name, (parts, text) in sheets.items() if parts}

    def _explained(
        self, shown: Sequence[Shown], network: OpenNetwork, images: Images, method: ExplainMethod | None
    ) -> Iterator[tuple[Shown, ExplainedImage]]:
        """Each image with its maps; without a method, with none. Images that cannot be read any more are left out."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for row, classes in shown:
            groups.setdefault(() if method is None else classes, []).append(row)
        if method is not None and shown:
            self.report(f"{method.name}: explaining {counted(len(shown), 'image')}")
        self._told = time.monotonic()
        done = 0
        for classes, rows in groups.items():
            distinct = np.unique(rows)
            part = images.only(distinct)
            labelled = images_of(import_tensorflow(), part, "images", Conversions(network.input_shape[-1] or 3))
            given = [replace(image, name=str(row)) for row, image in zip(distinct, labelled, strict=True)]
            batches = ImageBatches(network, given, BATCH_SIZE)
            if method is None:
                pictures = {
                    int(name): ExplainedImage(name, label, pixels, ())
                    for batch in batches
                    for name, label, pixels in zip(batch.names, batch.labels, batch.pixels, strict=True)
                }
                yield from ((each, pictures[each[0]]) for each in shown if each[0] in pictures)
                continue
            chosen = type(method).make({"classes": list(classes)})
            for image in chosen.explain(network, batches, lambda line: None).images:
                yield (int(image.file), classes), image
            done += len(rows)
            if time.monotonic() - self._told > INTERVAL:
                self._told = time.monotonic()
                self.report(f"{done:,} of {counted(len(shown), 'image')}")


def _with_maps(found: Predictions, network: OpenNetwork, method: ExplainMethod | None) -> str:
    """For a heading: what the maps are of, and that they do not follow the protocol."""
    if method is None:
        return ""
    place = method.explained_layer(network)
    where = f" at {place}" if place else ""
    return f"; {method.name}{where}" + ("" if set(found.protocols) == {"center"} else ", of the central crop")


def _block(found: Predictions, shown: Shown, image: ExplainedImage) -> Pixels:
    """One image under what the network says and what is true, with its maps."""
    from archspec.runtime.explain.picture import cell, font, panel_cell, rgb_of, short_name, side_by_side, with_heading

    row, probabilities = shown[0], found.posteriors[shown[0]]
    predicted, label = int(probabilities.argmax()), int(found.labels[row])
    file = found.images[row]
    cells = [cell(rgb_of(image.pixels), f"image {file}" if file.isdecimal() else short_name(file))]
    cells += [panel_cell(panel, image.pixels) for panel in image.panels]
    body = side_by_side(cells)
    names = found.class_names
    said = f"prediction: {visible(names[predicted])} ({100 * probabilities[predicted]:.1f} %)"
    true = f"true class: {visible(names[label])} ({100 * probabilities[label]:.1f} %)"
    truth = "correct" if predicted == label else true
    if font().getlength(f"{said}, {truth}") <= body.shape[1]:
        return with_heading(body, f"{said}, {truth}")
    return with_heading(with_heading(body, truth), said)


def _pair_block(found: Predictions, pair: ConfusedPair, blocks: Sequence[Pixels]) -> Pixels:
    """The images of two classes under the counts of their confusions, as many in a row as fit."""
    from archspec.runtime.explain.picture import GAP, SHEET_WIDTH, side_by_side, stacked, with_heading

    first, second = visible(found.class_names[pair.first]), visible(found.class_names[pair.second])
    columns = max(1, SHEET_WIDTH // (max(each.shape[1] for each in blocks) + 2 * GAP))
    lines = [side_by_side(blocks[start : start + columns], 2 * GAP) for start in range(0, len(blocks), columns)]
    counts = f"{first} predicted as {second}: {pair.first_as_second:,}; {second} as {first}: {pair.second_as_first:,}"
    return with_heading(stacked(lines), counts)
