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
from archspec.runtime.data.files.encoded_image import BadImageError
from archspec.runtime.data.files.image_facts import quietly
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
    """The `top` most likely classes of each image file, in the order of the files.

    As in evaluation, images are resized, cropped at the centre and preprocessed as the model file says. A file that
    cannot be read gets an error, and the others are predicted.

    Args:
        model: a `.keras` file, or a run directory for its best model.

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

    predictions: list[Prediction] = []
    batch_size = 1 if None in input_shape else BATCH_SIZE  # images of different sizes do not stack
    for start in range(0, len(images), batch_size):
        batch: dict[str, Any] = {}
        for file in map(str, images[start : start + batch_size]):
            try:
                with quietly():
                    batch[file] = prepare(read_image(tf, file, input_shape[-1]))
            except BadImageError as error:
                batch[file] = str(error)
        inputs = {file: x for file, x in batch.items() if not isinstance(x, str)}
        outputs = probabilities(tf.stack(list(inputs.values()))).numpy() if inputs else ()
        output_of = dict(zip(inputs, outputs, strict=True))
        for file in map(str, images[start : start + batch_size]):
            if file in output_of:
                order = np.argsort(-output_of[file], kind="stable")[:top]
                classes = tuple((names[i], float(output_of[file][i])) for i in order)
                predictions.append(Prediction(file, classes))
            else:
                predictions.append(Prediction(file, error=batch[file]))
    return predictions


def check_images_enter(input_shape: tuple[int | None, ...]) -> None:
    """Raises `data-shape` unless the network's input is grey or RGB images (height, width, 1 or 3)."""
    if len(input_shape) != 3 or input_shape[-1] not in (1, 3):
        fact = f"the network takes {show(input_shape)}, not images of (height, width, 1 or 3)"
        raise fail("data-shape", fact, help="`archspec evaluate` accepts such data from an .npz file")
