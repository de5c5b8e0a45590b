"""Explain a trained network: load it, read the images, run a method."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archspec.declare import arguments, thaw
from archspec.diagnostics import did_you_mean, fail, listed, short
from archspec.lang.schema.validator import mistakes
from archspec.runtime.data.class_list import read_class_list
from archspec.runtime.data.files.conversions import Conversions
from archspec.runtime.data.files.encoded_image import EncodedImage
from archspec.runtime.data.images import Report, to_channels
from archspec.runtime.data.pipeline.preprocess import check_preprocess
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.data.sources.source import find_source
from archspec.runtime.explain.explain_method import EXPLAIN_METHODS, ExplainMethod
from archspec.runtime.explain.explanation import Explanation
from archspec.runtime.explain.image_batches import ImageBatches
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.explain.outputs import no_images_left
from archspec.runtime.explain.target_classes import target_classes
from archspec.runtime.image_inputs import (
    GivenImage,
    check_images_enter,
    decoded,
    image_files,
    images_of,
    names_of_classes,
)
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, read_metadata
from archspec.runtime.system.tensorflow_import import import_tensorflow, need_tensorflow_backend

if TYPE_CHECKING:
    import keras

BATCH_SIZE = 32


def explain(
    model: str | Path | keras.Model,
    images: Sequence[str | Path] | npt.NDArray[Any] = (),
    *,
    method: ExplainMethod,
    data: str | None = None,
    split: str = "validation",
    per_class: int | None = None,
    classes: str | Path | None = None,
    batch_size: int = BATCH_SIZE,
    report: Report = lambda line: None,
) -> Explanation:
    """Explain images. See `archspec.explain`.

    Args:
        method: as `find_method` makes it.
        classes: a file with the names of the classes.
    """
    if per_class is not None and data is None:
        raise fail("bad-option", "`--per-class` chooses images of a data set, but none is given", help="give `--data`")
    files = images if isinstance(images, np.ndarray) else image_files(images, report)
    if not len(files) and data is None and method.takes != "nothing":
        what = "data set" if method.takes == "data" else "images to explain"
        help = "give `--data`" if method.takes == "data" else "give files, a folder, or `--data`"
        raise fail(
            "data-not-found", f"there is no {what}" if method.takes == "data" else f"there are no {what}", help=help
        )
    if isinstance(model, (str, Path)):
        names = read_metadata(model).class_names  # a missing file is reported before TensorFlow is imported
        _check_files(files, data, classes)
        if names is not None and classes is None:
            target_classes(getattr(method, "classes", None) or (), names)
    need_tensorflow_backend()
    tf = import_tensorflow()
    network = open_network(model, classes, report)
    network.batch_size = batch_size
    method.check(network)
    seen = Conversions(network.input_shape[-1] or 3)
    given = list(_given(tf, files, seen))
    own = len(given)
    if data is not None:
        given += _of_data(tf, data, seen, split, per_class, report)
    batches = ImageBatches(network, given, batch_size, own)
    findings = method.explain(network, batches, report)
    for line in seen.lines():
        report(line)
    if given and len(batches.bad) == len(given):
        raise no_images_left(batches.bad)
    notes = (*findings.notes, *method.notes(network), *filter(None, [network.output_note, method.caveat]))
    place = method.explained_layer(network)
    settings = {argument.name: thaw(getattr(method, argument.name)) for argument in arguments(type(method))}
    shown = str(model) if isinstance(model, (str, Path)) else model.name
    return Explanation(method.name, shown, place, settings, findings.images, notes, batches.bad, findings)


def _check_files(files: Sequence[str] | npt.NDArray[Any], data: str | None, classes: str | Path | None) -> None:
    """Raises ArchspecError for images, data and a list of classes that do not exist."""
    if classes is not None:
        read_class_list(classes)
    if data is not None:
        find_source(data)
    elif not isinstance(files, np.ndarray) and files and not any(map(os.path.exists, files)):
        raise no_images_left({file: "a broken link" if os.path.islink(file) else "no such file" for file in files})


def open_network(model: str | Path | keras.Model, classes: str | Path | None, report: Report) -> OpenNetwork:
    """Load a network for images, or take a model as it is: then pixel values enter it unchanged.

    Raises:
        ArchspecError: those of `load_model` and of `OpenNetwork`; `data-shape` for other inputs than images.
    """
    loaded, metadata = load_model(model) if isinstance(model, (str, Path)) else (model, Metadata())
    network = OpenNetwork(loaded, metadata)
    help = "explanations are pictures: give a network whose input is images"
    check_images_enter(network.input_shape, help)
    check_preprocess(network.input_shape, metadata.preprocess)
    network.class_names = names_of_classes(metadata, network.classes, classes, report)
    return network


def _given(tf: Any, files: Sequence[str] | npt.NDArray[Any], seen: Conversions) -> Iterator[GivenImage]:
    if not isinstance(files, np.ndarray):
        yield from (GivenImage(file, partial(decoded, tf, EncodedImage(file), seen)) for file in files)
        return
    if files.ndim != 4 or files.dtype != np.uint8:
        fact = f"the array of images has the shape {files.shape} and the type {files.dtype}"
        raise fail("data-shape", fact, help="give pixel values of 0 to 255, uint8 (N, H, W, C)")
    for row, pixels in enumerate(to_channels(files, seen.channels, "images")):
        yield GivenImage(f"image-{row}", partial(np.asarray, pixels))


def _of_data(
    tf: Any, data: str, seen: Conversions, split: str, per_class: int | None, report: Report
) -> list[GivenImage]:
    """The images of a part of a data source; with `per_class`, the first ones of each class."""
    images = open_data(data, split, channels=seen.channels, report=report)
    if per_class is not None:
        of_class = [np.flatnonzero(images.labels == label)[:per_class] for label in range(len(images.class_names))]
        rows = np.concatenate(of_class)
        images = images.only(rows)
        if images.pixels is not None and images.names is None:
            images = replace(images, names=tuple(f"{data}[{row}]" for row in rows))
    return list(images_of(tf, images, data, Conversions(seen.channels)))


def find_method(name: str, settings: Mapping[str, Any]) -> ExplainMethod:
    """The method of that name with its arguments.

    Raises:
        ArchspecError: `unknown-method`, `unknown-option`, `bad-option`; `missing-package` where its extra is missing.
    """
    found = EXPLAIN_METHODS.get(name)
    if not found:
        near = did_you_mean(name, EXPLAIN_METHODS)
        notes = [] if near else [f"the methods are: {listed(EXPLAIN_METHODS)}"]
        raise fail("unknown-method", f"there is no explanation method `{name}`", notes=notes, help=near)
    declared = {argument.name: argument for argument in arguments(found)}
    for key, value in settings.items():
        if key not in declared:
            help = did_you_mean(key, declared) or f"its options are: {listed(declared) or 'none'}"
            raise fail("unknown-option", f"the method `{name}` has no option `{key}`", help=help)
        endless = isinstance(value, float) and not math.isfinite(value)
        if endless or mistakes(thaw(value), declared[key].schema):
            raise fail("bad-option", f"`{key}` of the method `{name}` cannot be {short(value)}", help=declared[key].doc)
    for package in found.packages:
        if find_spec(package) is None:
            raise fail(
                "missing-package",
                f"the explanation method `{name}` needs {package}, which is not installed",
                help=f"`pip install 'archspec-keras[{found.extra}]'`",
            )
    return found.make(settings)
