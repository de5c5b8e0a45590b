"""Predict the classes of image files with a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import fail
from archspec.ops.base import show
from archspec.runtime.data.files.decode import read_image
from archspec.runtime.data.files.header import BadImageError
from archspec.runtime.data.files.parallel_checks import quietly
from archspec.runtime.data.pipeline.preprocess import check_preprocess, preprocess_image
from archspec.runtime.models.classifier import probabilities_of
from archspec.runtime.models.model_file import load_model
from archspec.runtime.system.tensorflow_import import import_tensorflow, need_tensorflow_backend

BATCH_SIZE = 32


@dataclass(frozen=True)
class Prediction:
    """The predicted classes of an image file, or the reason why it cannot be read."""

    file: str
    """The path as it was given."""
    classes: tuple[tuple[str, float], ...] = ()
    """Class names and probabilities, 0 to 1, the most probable first."""
    error: str | None = None
    """`a damaged JPEG`; the command line exits with 1 when a file has one."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `--format json` prints them."""
        classes = [{"class": name, "probability": probability} for name, probability in self.classes]
        return {"file": self.file, "classes": classes, "error": self.error}


def predict(model: str | Path, images: Sequence[str | Path], *, top: int = 5) -> list[Prediction]:
    """The `top` likeliest classes of each image file, in the order of the files.

    Images go the way of evaluation: resized, centre-cropped and preprocessed as the model file says. A file that
    cannot be read gets an error of its own, and the others are predicted.

    Args:
        model: a `.keras` file, or a run directory, whose best model is taken.

    Raises:
        ArchspecError: those of `load_model`; `data-shape` when the network does not take images, `no-classifier`.
    """
    need_tensorflow_backend()
    tf = import_tensorflow()
    loaded, metadata = load_model(model)
    network = probabilities_of(loaded)
    input_shape = tuple(network.input_shape[1:])
    check_images_enter(input_shape)
    check_preprocess(input_shape, metadata.preprocess)
    names = metadata.class_names or tuple(map(str, range(network.output_shape[-1])))

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, None, input_shape[-1]), tf.uint8)])  # type: ignore[untyped-decorator]
    def prepare(pixels: Any) -> Any:
        return preprocess_image(tf, pixels, input_shape, metadata.preprocess, metadata.resize)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, *input_shape), tf.float32)])  # type: ignore[untyped-decorator]
    def probabilities(x: Any) -> Any:
        return network(x, training=False)

    predictions = []
    batch_size = 1 if None in input_shape else BATCH_SIZE  # images of a free size do not stack
    for start in range(0, len(images), batch_size):
        files = [str(file) for file in images[start : start + batch_size]]
        prepared: dict[int, Any] = {}
        errors: dict[int, str] = {}
        for index, file in enumerate(files):
            try:
                with quietly():
                    pixels = read_image(tf, file, input_shape[-1])
                prepared[index] = prepare(pixels)
            except BadImageError as error:
                errors[index] = str(error)
        rows = probabilities(tf.stack(list(prepared.values()))).numpy() if prepared else ()
        row_of = dict(zip(prepared, rows, strict=True))
        for index, file in enumerate(files):
            if index in errors:
                predictions.append(Prediction(file, error=errors[index]))
            else:
                order = np.argsort(-row_of[index], kind="stable")[:top]
                predictions.append(Prediction(file, tuple((names[i], float(row_of[index][i])) for i in order)))
    return predictions


def check_images_enter(input_shape: tuple[int | None, ...]) -> None:
    """Raises `data-shape` unless the network's input is grey or RGB images (height, width, 1 or 3)."""
    if len(input_shape) != 3 or input_shape[-1] not in (1, 3):
        fact = f"the network takes {show(input_shape)}, not images of (height, width, 1 or 3)"
        raise fail("data-shape", fact, help="`archspec evaluate` takes such data from an .npz file")
