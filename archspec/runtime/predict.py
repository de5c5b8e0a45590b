"""Predict the classes of images with a trained network."""

from __future__ import annotations

import glob
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed, printable, visible
from archspec.format import csv_text
from archspec.ops.base import show
from archspec.runtime.data.class_list import IMAGENET, imagenet_class_list, read_class_list, unique_names
from archspec.runtime.data.files.decode import decode_bytes
from archspec.runtime.data.files.encoded_image import BadImageError, EncodedImage, encoded_images, header_of
from archspec.runtime.data.files.image_facts import quietly
from archspec.runtime.data.images import Images, Report, to_channels
from archspec.runtime.data.pipeline.preprocess import check_preprocess, preprocess_image
from archspec.runtime.data.sources.dataset import open_parts
from archspec.runtime.models.classifier import probabilities_of
from archspec.runtime.models.fold_batch_norm import fold_batch_norm
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, read_metadata
from archspec.runtime.system.tensorflow_import import import_tensorflow, need_tensorflow_backend

BATCH_SIZE = 32
INTERVAL = 10.0
"""Seconds between two lines of progress."""
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp"),
    *(".tif", ".tiff", ".avif", ".heic", ".heif"),
)
"""Of the files in a folder that are taken for images, in any case."""
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


@dataclass(frozen=True)
class _Image:
    """An image to predict."""

    name: str
    pixels: Callable[[], npt.NDArray[np.uint8]]
    """Its pixels, uint8 (H, W, channels). Raises BadImageError."""


def predict(
    model: str | Path,
    images: Sequence[str | Path] = (),
    *,
    data: str | None = None,
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
        data: a data source, of which all images are predicted.
        classes: a file with the names of the classes (`read_class_list`), instead of those of the model.
        report: receives progress and warnings.

    Raises:
        ArchspecError: those of `load_model` and `read_class_list`; `data-not-found`, `data-empty`; `data-shape` when
            the network does not take images, `no-classifier`.
    """
    files = _files(images, report)
    if not files and data is None:
        raise fail("data-not-found", "there are no images to predict", help="give files, a folder, or `--data`")
    read_metadata(model)  # a missing file is reported before TensorFlow is imported
    need_tensorflow_backend()
    tf = import_tensorflow()
    loaded, metadata = load_model(model)
    network = fold_batch_norm(probabilities_of(loaded))
    input_shape = tuple(network.input_shape[1:])
    check_images_enter(input_shape)
    check_preprocess(input_shape, metadata.preprocess)
    names = _names(metadata, int(network.output_shape[-1]), classes, report)
    found = [_Image(file, partial(_decode, tf, EncodedImage(file), input_shape[-1])) for file in files]
    if data is not None:
        found += _of_data(tf, data, input_shape[-1], report)

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
            report(f"{len(predictions):,} of {len(found):,} images")
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


def _files(images: Sequence[str | Path], report: Report) -> list[str]:
    """The files of paths, folders and patterns.

    Raises:
        ArchspecError: `data-not-found` for a pattern, `data-empty` for a folder, without images.
    """
    found: list[str] = []
    for given in map(str, images):
        if os.path.isdir(given):
            found += _in_folder(given, report)
        elif glob.has_magic(given) and not os.path.lexists(given):
            files = sorted(file for file in glob.glob(given, recursive=True) if os.path.isfile(file))
            if not files:
                raise fail("data-not-found", f"no file matches `{printable(given)}`")
            found += files
        else:
            found.append(given)
    return found


def _in_folder(folder: str, report: Report) -> list[str]:
    files: list[str] = []
    others: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            (files if name.lower().endswith(SUFFIXES) else others).append(os.path.join(parent, name))
    if not files:
        raise fail("data-empty", f"there are no images in `{printable(folder)}`", help="give image files, or `--data`")
    if others:
        what = "1 file is" if len(others) == 1 else f"{len(others):,} files are"
        report(f"{what} skipped, because the name is not that of an image: {listed(map(printable, others), 3)}")
    return files


def _decode(tf: Any, image: EncodedImage, channels: int) -> npt.NDArray[np.uint8]:
    contents = image.read()
    header_of(contents)
    return decode_bytes(tf, contents, channels)


def _of_data(tf: Any, data: str, channels: int, report: Report) -> Iterator[_Image]:
    """The images of all parts of a data source."""
    for part, images in open_parts(data, report).items():
        yield from _of_images(tf, images, f"{data}/{part}" if part else data, channels)


def _of_images(tf: Any, images: Images, place: str, channels: int) -> Iterator[_Image]:
    if images.pixels is None:
        for each in encoded_images(images):
            yield _Image(str(each), partial(_decode, tf, each, channels))
        return
    if images.pixels.ndim != 4:
        raise fail("data-shape", f"`{place}` contains no images", help="`archspec evaluate` accepts such data")
    pixels = to_channels(images.pixels.astype(np.uint8), channels, place)
    for row, image in enumerate(pixels):
        yield _Image(images.names[row] if images.names else f"{place}[{row}]", partial(np.asarray, image))


def _names(metadata: Metadata, outputs: int, classes: str | Path | None, report: Report) -> tuple[str, ...]:
    """The names of the classes: of a list, of the model, of ImageNet where Keras has downloaded them, or numbers."""
    if classes is not None:
        return unique_names(read_class_list(classes, outputs))
    if metadata.class_names is not None:
        return metadata.class_names
    if outputs == IMAGENET and (found := imagenet_class_list()):
        report("the model names no classes; its 1,000 outputs are shown by the names of ImageNet")
        return unique_names(found)
    hint = ", such as Keras's imagenet_class_index.json" if outputs == IMAGENET else ""
    report(f"the model names no classes, so they are shown by their numbers; `--classes FILE` names them{hint}")
    return tuple(map(str, range(outputs)))


def check_images_enter(input_shape: tuple[int | None, ...]) -> None:
    """Raises `data-shape` unless the network's input is grey or RGB images (height, width, 1 or 3)."""
    if len(input_shape) != 3 or input_shape[-1] not in (1, 3):
        raise fail(
            "data-shape",
            f"the network takes {show(input_shape)}, not images of (height, width, 1 or 3)",
            help="`archspec evaluate` accepts such data from an .npz file",
        )
