"""Predict the classes of images with a trained network."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import counted, fail, printable, visible
from archspec.format import csv_text
from archspec.runtime.data.class_list import read_class_list
from archspec.runtime.data.files.conversions import Conversions
from archspec.runtime.data.files.encoded_image import BadImageError, EncodedImage
from archspec.runtime.data.files.image_facts import quietly
from archspec.runtime.data.images import Report
from archspec.runtime.data.pipeline.preprocess import check_preprocess, preprocess_values, resized
from archspec.runtime.data.sources.source import find_source
from archspec.runtime.image_inputs import (
    GivenImage,
    check_images_enter,
    decoded,
    image_files,
    images_of_data,
    names_of_classes,
)
from archspec.runtime.models.classifier import scores_of, targets_of_model
from archspec.runtime.models.finite_weights import not_finite
from archspec.runtime.models.fold_batch_norm import fold_batch_norm
from archspec.runtime.models.model_file import load_model, read_metadata
from archspec.runtime.system.tensorflow_import import import_tensorflow, need_tensorflow_backend
from archspec.targets import OutputTarget, OutputTargets, check_threshold

BATCH_SIZE = 32
SMALL = 3 * 256 * 256
"""Values of the largest image that is prepared together with others of its size."""
INTERVAL = 10.0
"""Seconds between two lines of progress."""
PredictionFormat = Literal["text", "json", "csv"]


@dataclass(frozen=True)
class OutputPrediction:
    """The prediction of one output of a network."""

    name: str
    """Of the output; "" for the only one."""
    classes: tuple[tuple[str, float], ...]
    """Names and probabilities, 0 to 1, the most probable first; of numbers their names and values."""
    decided: tuple[str, ...] | None = None
    """Of sigmoid outputs, the labels with at least the probability of the threshold."""
    is_numbers: bool = False
    """Whether `classes` are numbers."""

    def __str__(self) -> str:
        """`dog 93.1 %, cat 6.9 %`; of several labels those that are decided for; of numbers `x 3.2, y 5`."""
        if self.is_numbers:
            return ", ".join(f"{visible(name)} {value:.6g}".strip() for name, value in self.classes)
        shown = [f"{visible(name)} {100 * probability:.1f} %" for name, probability in self._shown()]
        if self.decided is None or self.decided:
            return ", ".join(shown)
        return f"no label; the most probable is {shown[0]}"

    def _shown(self) -> Sequence[tuple[str, float]]:
        if not self.decided:
            return self.classes
        return [each for each in self.classes if each[0] in self.decided]

    def to_json(self) -> dict[str, Any]:
        """Plain values: names and probabilities, or values, and the decision of a sigmoid output."""
        if self.is_numbers:
            return {"values": [{"name": name, "value": value} for name, value in self.classes]}
        classes = [{"class": name, "probability": probability} for name, probability in self.classes]
        return {"classes": classes, **({} if self.decided is None else {"decided": list(self.decided)})}


@dataclass(frozen=True)
class Prediction:
    """The predicted classes of an image, or the reason why it cannot be read."""

    file: str
    """The path as it was given, or the place of the image in its data set."""
    classes: tuple[tuple[str, float], ...] = ()
    """Class names and probabilities, 0 to 1, the most probable first; of the first output."""
    error: str | None = None
    """`a damaged JPEG`; the command line exits with 1 when a file has one."""
    outputs: tuple[OutputPrediction, ...] = ()
    """Of each output, where the network has another one than a single softmax."""

    def __str__(self) -> str:
        """`cat.png: tabby 93.1 %, tiger cat 4.0 %`; of several outputs `a.png: color red 99.0 %; shape disk 80.1 %`."""
        shown = ", ".join(f"{visible(name)} {100 * probability:.1f} %" for name, probability in self.classes)
        if self.outputs:
            shown = "; ".join(f"{visible(each.name)} {each}".strip() for each in self.outputs)
        return f"{printable(self.file)}: {shown if self.error is None else self.error}"

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `--format json` prints them."""
        if len(self.outputs) == 1:
            return {"file": self.file, **self.outputs[0].to_json(), "error": self.error}
        if self.outputs:
            outputs = {each.name: each.to_json() for each in self.outputs}
            return {"file": self.file, "outputs": outputs, "error": self.error}
        classes = [{"class": name, "probability": probability} for name, probability in self.classes]
        return {"file": self.file, "classes": classes, "error": self.error}


def predict(
    model: str | Path,
    images: Sequence[str | Path] = (),
    *,
    data: str | None = None,
    split: str | None = None,
    classes: str | Path | None = None,
    top: int = 5,
    threshold: float | None = None,
    report: Report = lambda line: None,
) -> list[Prediction]:
    """The `top` most likely classes of each image, in the order of the files.

    As in evaluation, images are resized, cropped at the centre and preprocessed as the model file says. A file that
    cannot be read gets an error, and the others are predicted.

    Args:
        model: a `.keras` file, or a run directory for its best model.
        images: files, folders and patterns such as `photos/*.png`. Of a folder, all images in it at any depth.
        data: a data source.
        split: the part of `data` to predict; by default all of them.
        classes: a file with the names of the classes (`read_class_list`), instead of those of the model.
        threshold: the least probability that a sigmoid output decides for; by default that of the model.
        report: receives progress and warnings.

    Raises:
        ArchspecError: those of `load_model` and `read_class_list`; `data-not-found`, `data-empty`; `data-shape` when
            the network does not take images, `no-classifier`.
    """
    files = image_files(images, report)
    if not files and data is None:
        raise fail("data-not-found", "there are no images to predict", help="give files, a folder, or `--data`")
    read_metadata(model)  # a missing file is reported before TensorFlow is imported
    if classes is not None:
        read_class_list(classes)
    if data is not None:
        find_source(data)
    if data is None and not any(map(os.path.exists, files)):  # nothing that needs TensorFlow
        return [Prediction(file, error="a broken link" if os.path.islink(file) else "no such file") for file in files]
    need_tensorflow_backend()
    tf = import_tensorflow()
    loaded, metadata = load_model(model)
    if warning := not_finite(loaded, model):
        report(warning)
    targets = targets_of_model(loaded, metadata)
    scores = fold_batch_norm(scores_of(loaded, targets))
    input_shape = tuple(scores.input_shape[1:])
    check_images_enter(input_shape)
    check_preprocess(input_shape, metadata.preprocess)
    if targets.is_plain:
        names = names_of_classes(metadata, targets[0].units, classes, report)
        targets = OutputTargets((replace(targets[0], class_names=names),))
    elif classes is not None:
        fact = "`--classes` names the classes of a softmax output, but the network has other outputs"
        raise fail("class-list", fact, help="omit `--classes`")
    check_threshold(threshold, targets)
    least = threshold or metadata.threshold
    seen = Conversions(input_shape[-1])
    found = [GivenImage(file, partial(decoded, tf, EncodedImage(file), seen)) for file in files]
    if data is not None:
        found += images_of_data(tf, data, seen, report, split)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, None, None, input_shape[-1]), tf.uint8)])  # type: ignore[untyped-decorator]
    def prepare(images: Any) -> Any:
        images = resized(tf, images, input_shape, metadata.resize)
        return preprocess_values(tf, images, input_shape, metadata.preprocess)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, *input_shape), tf.float32)])  # type: ignore[untyped-decorator]
    def probabilities(x: Any) -> Any:
        return targets.activate(tf, tf.cast(scores(x, training=False), tf.float32))

    predictions: list[Prediction] = []
    batch_size = 1 if None in input_shape else BATCH_SIZE  # images of different sizes do not stack
    told = time.monotonic()
    for start in range(0, len(found), batch_size):
        batch = found[start : start + batch_size]
        groups: list[tuple[list[int], Any]] = []  # rows of the batch, and their inputs
        small, errors = {}, {}
        with quietly():
            for row, image in enumerate(batch):
                try:
                    pixels = image.pixels()
                except BadImageError as error:
                    errors[row] = str(error)
                    continue
                if pixels.size <= SMALL:
                    small[row] = pixels
                else:  # at once: a batch of photos would fill gigabytes
                    groups.append(([row], prepare(pixels[None])))
        groups += [(rows, prepare(images)) for rows, images in _of_one_size(small)]
        output_of = {}
        if groups:
            rows, inputs = zip(*groups, strict=True)
            output_of = dict(zip(itertools.chain(*rows), probabilities(tf.concat(inputs, 0)).numpy(), strict=True))
        for row, image in enumerate(batch):
            if row in errors:
                predictions.append(Prediction(image.name, error=errors[row]))
            else:
                predictions.append(_prediction(image.name, targets, output_of[row], top, least))
        if time.monotonic() - told > INTERVAL and len(predictions) < len(found):
            told = time.monotonic()
            report(f"{len(predictions):,} of {counted(len(found), 'image')}")
    for line in seen.lines():
        report(line)
    return predictions


def _of_one_size(
    pixels: Mapping[int, npt.NDArray[np.uint8]],
) -> Iterator[tuple[list[int], npt.NDArray[np.uint8]]]:
    """The rows of the images of each size, and the images, uint8 (b, H, W, channels)."""
    rows_of: dict[tuple[int, ...], list[int]] = {}
    for row, image in pixels.items():
        rows_of.setdefault(image.shape, []).append(row)
    for rows in rows_of.values():
        yield rows, np.stack([pixels[row] for row in rows])


def _prediction(
    file: str, targets: OutputTargets, values: npt.NDArray[np.float32], top: int, threshold: float
) -> Prediction:
    """The prediction of one image, from the outputs of all targets side by side."""
    found, start = [], 0
    for target in targets:
        own = values[start : start + target.units]
        name = target.name if len(targets) > 1 else ""
        found.append(_of_output(target, name, own, top, np.float32(threshold)))
        start += target.units
    first = () if found[0].is_numbers else found[0].classes
    return Prediction(file, first, outputs=() if targets.is_plain else tuple(found))


def _of_output(
    target: OutputTarget, name: str, values: npt.NDArray[np.float32], top: int, threshold: np.float32
) -> OutputPrediction:
    names = target.class_names or tuple(map(str, range(max(target.units, 2 * target.kind.shares))))
    if not target.kind.shares:
        numbers = target.class_names or ("",) * target.units
        return OutputPrediction(
            name, tuple((each, float(value)) for each, value in zip(numbers, values, strict=True)), is_numbers=True
        )
    decided: tuple[str, ...] | None = None
    if target.kind.name == "binary":
        decided = (names[int(values[0] >= threshold)],)
        values = np.array([1 - values[0], values[0]])
    elif target.kind.name == "multi-label":
        decided = tuple(each for each, value in zip(names, values, strict=True) if value >= threshold)
    order = np.argsort(-values, kind="stable")[: max(top, len(decided or ()))]
    return OutputPrediction(name, tuple((names[i], float(values[i])) for i in order), decided)


def predictions_text(predictions: Sequence[Prediction], format: PredictionFormat = "text") -> str:
    """Predictions as text with a line for each image, as JSON, or as CSV. Text leaves out files that cannot be read."""
    if format == "json":
        return json.dumps([each.to_json() for each in predictions])
    if format == "text":
        return "\n".join(str(each) for each in predictions if each.error is None)
    if any(each.outputs for each in predictions):
        return csv_text(*_output_table(predictions))
    top = max((len(each.classes) for each in predictions), default=0)
    columns = [f"{what}_{rank}" for rank in range(1, top + 1) for what in ("class", "probability")]
    rows = []
    for each in predictions:
        cells = [cell for name, probability in each.classes for cell in (visible(name), f"{probability:.6g}")]
        rows.append([printable(each.file), *cells, *[""] * (2 * top - len(cells)), each.error or ""])
    return csv_text(["path", *columns, "error"], rows)


def _output_table(predictions: Sequence[Prediction]) -> tuple[list[str], list[list[str]]]:
    """The columns and rows of CSV: for each output its decision, and the probability of each class or label."""
    columns: dict[str, None] = {}
    found: list[tuple[Prediction, dict[str, str]]] = []
    for each in predictions:
        cells: dict[str, str] = {}
        for output in each.outputs:
            name = visible(output.name)
            if not output.is_numbers:
                decided = output.decided if output.decided is not None else (output.classes[0][0],)
                cells[name or "prediction"] = visible(";".join(decided))
            for label, value in sorted(output.classes):
                words = filter(None, [name, "" if output.is_numbers else "probability of", visible(label)])
                cells[" ".join(words) or "prediction"] = f"{value:.6g}"
        columns |= dict.fromkeys(cells)
        found.append((each, cells))
    rows = [
        [printable(each.file), *(cells.get(name, "") for name in columns), each.error or ""] for each, cells in found
    ]
    return ["path", *columns, "error"], rows
