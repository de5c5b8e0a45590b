"""Predict the classes of images with a trained network."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from archspec.diagnostics import counted, fail, printable, visible
from archspec.format import csv_text
from archspec.runtime.data.files.conversions import Conversions
from archspec.runtime.data.files.encoded_image import BadImageError, EncodedImage
from archspec.runtime.data.files.image_facts import quietly
from archspec.runtime.data.images import Report
from archspec.runtime.data.pipeline.preprocess import check_preprocess, preprocess_image
from archspec.runtime.image_inputs import (
    GivenImage,
    check_images_enter,
    decoded,
    image_files,
    images_of_data,
    names_of_classes,
)
from archspec.runtime.models.classifier import probabilities_of
from archspec.runtime.models.finite_weights import not_finite
from archspec.runtime.models.fold_batch_norm import fold_batch_norm
from archspec.runtime.models.model_file import load_model, read_metadata
from archspec.runtime.system.tensorflow_import import import_tensorflow, need_tensorflow_backend

BATCH_SIZE = 32
INTERVAL = 10.0
"""Seconds between two lines of progress."""
PredictionFormat = Literal["text", "json", "csv"]


@dataclass(frozen=True)
class Prediction:
    """The predicted classes of an image, or the reason why it cannot be read."""

    file: str
    """The path as it was given, or the place of the image in its data set."""
    classes: tuple[tuple[str, float], ...] = ()
    """Class names and probabilities, 0 to 1, the most probable first."""
    error: str | None = None
    """`a damaged JPEG`; the command line exits with 1 when a file has one."""

    def __str__(self) -> str:
        """`cat.png: tabby 93.1 %, tiger cat 4.0 %`."""
        shown = ", ".join(f"{visible(name)} {100 * probability:.1f} %" for name, probability in self.classes)
        return f"{printable(self.file)}: {shown if self.error is None else self.error}"

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `--format json` prints them."""
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
        report: receives progress and warnings.

    Raises:
        ArchspecError: those of `load_model` and `read_class_list`; `data-not-found`, `data-empty`; `data-shape` when
            the network does not take images, `no-classifier`.
    """
    files = image_files(images, report)
    if not files and data is None:
        raise fail("data-not-found", "there are no images to predict", help="give files, a folder, or `--data`")
    read_metadata(model)  # a missing file is reported before TensorFlow is imported
    if data is None and not any(map(os.path.exists, files)):  # nothing that needs TensorFlow
        return [Prediction(file, error="a broken link" if os.path.islink(file) else "no such file") for file in files]
    need_tensorflow_backend()
    tf = import_tensorflow()
    loaded, metadata = load_model(model)
    if warning := not_finite(loaded, model):
        report(warning)
    network = fold_batch_norm(probabilities_of(loaded))
    input_shape = tuple(network.input_shape[1:])
    check_images_enter(input_shape)
    check_preprocess(input_shape, metadata.preprocess)
    names = names_of_classes(metadata, int(network.output_shape[-1]), classes, report)
    seen = Conversions(input_shape[-1])
    found = [GivenImage(file, partial(decoded, tf, EncodedImage(file), seen)) for file in files]
    if data is not None:
        found += images_of_data(tf, data, seen, report, split)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, None, input_shape[-1]), tf.uint8)])  # type: ignore[untyped-decorator]
    def prepare(pixels: Any) -> Any:
        return preprocess_image(tf, pixels, input_shape, metadata.preprocess, metadata.resize)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, *input_shape), tf.float32)])  # type: ignore[untyped-decorator]
    def probabilities(x: Any) -> Any:
        return network(x, training=False)

    predictions: list[Prediction] = []
    batch_size = 1 if None in input_shape else BATCH_SIZE  # images of different sizes do not stack
    told = time.monotonic()
    for start in range(0, len(found), batch_size):
        batch = found[start : start + batch_size]
        inputs, errors = {}, {}
        with quietly():
            for row, image in enumerate(batch):
                try:
                    inputs[row] = prepare(image.pixels())
                except BadImageError as error:
                    errors[row] = str(error)
        outputs = probabilities(tf.stack(list(inputs.values()))).numpy() if inputs else ()
        output_of = dict(zip(inputs, outputs, strict=True))
        for row, image in enumerate(batch):
            if row in errors:
                predictions.append(Prediction(image.name, error=errors[row]))
            else:
                order = np.argsort(-output_of[row], kind="stable")[:top]
                best = tuple((names[i], float(output_of[row][i])) for i in order)
                predictions.append(Prediction(image.name, best))
        if time.monotonic() - told > INTERVAL and len(predictions) < len(found):
            told = time.monotonic()
            report(f"{len(predictions):,} of {counted(len(found), 'image')}")
    for line in seen.lines():
        report(line)
    return predictions


def predictions_text(predictions: Sequence[Prediction], format: PredictionFormat = "text") -> str:
    """Predictions as text with a line for each image, as JSON, or as CSV. Text leaves out files that cannot be read."""
    if format == "json":
        return json.dumps([each.to_json() for each in predictions])
    if format == "text":
        return "\n".join(str(each) for each in predictions if each.error is None)
    top = max((len(each.classes) for each in predictions), default=0)
    columns = [f"{what}_{rank}" for rank in range(1, top + 1) for what in ("class", "probability")]
    rows = []
    for each in predictions:
        cells = [cell for name, probability in each.classes for cell in (visible(name), f"{probability:.6g}")]
        rows.append([printable(each.file), *cells, *[""] * (2 * top - len(cells)), each.error or ""])
    return csv_text(["path", *columns, "error"], rows)
