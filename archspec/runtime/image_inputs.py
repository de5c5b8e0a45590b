"""The images that a command is given: files, folders, patterns and data sources, and the names of a model's classes."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import counted, fail, listed, printable
from archspec.ops.base import show
from archspec.runtime.data.class_list import IMAGENET, imagenet_class_list, read_class_list, unique_names
from archspec.runtime.data.class_match import in_network_order
from archspec.runtime.data.files.conversions import Conversions
from archspec.runtime.data.files.decode import decode_bytes
from archspec.runtime.data.files.encoded_image import EncodedImage, encoded_images, header_of
from archspec.runtime.data.images import Images, Report, to_channels
from archspec.runtime.data.sources.dataset import open_parts
from archspec.runtime.models.metadata import Metadata

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp"),
    *(".tif", ".tiff", ".avif", ".heic", ".heif"),
)
"""Of the files in a folder that are taken for images, in any case."""


@dataclass(frozen=True)
class GivenImage:
    """An image that a command is given."""

    name: str
    pixels: Callable[[], npt.NDArray[np.uint8]]
    """Its pixels, uint8 (H, W, channels). Raises BadImageError."""
    label: str | None = None
    """The name of its class in the data source; None for a file."""


def image_files(images: Sequence[str | Path], report: Report) -> list[str]:
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
        what = "1 file is" if len(others) == 1 else f"{counted(len(others), 'file')} are"
        report(f"{what} skipped, because the name is not that of an image: {listed(map(printable, others), 3)}")
    return files


def decoded(tf: Any, image: EncodedImage, seen: Conversions) -> npt.NDArray[np.uint8]:
    """Pixels for the channels of `seen`, which takes note of what is lost. Raises BadImageError."""
    contents = image.read()
    seen.add(str(image), header_of(contents), contents)
    return decode_bytes(tf, contents, seen.channels)


def images_of_data(
    tf: Any, data: str, seen: Conversions, report: Report, split: str | None = None
) -> Iterator[GivenImage]:
    """The images of a part of a data source, or of all parts. Raises data-not-found."""
    parts = open_parts(data, report)
    chosen = list(parts)
    if split is not None:
        known = parts.named(split)
        if known is None:
            known = {"train": parts.train, "validation": parts.validation}.get(split)
        if known is None:
            raise parts.not_found(split, data)
        chosen = [known]
    for part in chosen:
        images = parts[part]
        yield from images_of(tf, images, f"{data}/{part}" if part else data, seen)


def images_of(tf: Any, images: Images, place: str, seen: Conversions) -> Iterator[GivenImage]:
    """Each image of a set, with the name of its class. Raises `data-shape` for series and volumes."""
    labels = [None] * len(images) if images.columns else [images.class_names[label] for label in images.labels]
    if images.pixels is None:
        for each, label in zip(encoded_images(images), labels, strict=True):
            yield GivenImage(str(each), partial(decoded, tf, each, seen), label)
        return
    if images.pixels.ndim != 4:
        raise fail("data-shape", f"`{place}` contains no images", help="`archspec evaluate` accepts such data")
    pixels = to_channels(images.pixels.astype(np.uint8), seen.channels, place)
    names = images.names or tuple(f"{place}[{row}]" for row in range(len(pixels)))
    seen.add_array(names, images.pixels.shape[-1])
    for name, image, label in zip(names, pixels, labels, strict=True):
        yield GivenImage(name, partial(np.asarray, image), label)


def names_of_classes(metadata: Metadata, outputs: int, classes: str | Path | None, report: Report) -> tuple[str, ...]:
    """The names of the classes: of a list, of the model, of ImageNet for 1,000 outputs, or numbers.

    Raises those of `read_class_list` and `in_network_order`.
    """
    if classes is not None:
        return unique_names(in_network_order(read_class_list(classes, outputs), metadata.class_names, report))
    if metadata.class_names is not None:
        return metadata.class_names
    if outputs == IMAGENET:
        report("the model names no classes: its 1,000 outputs get the names of ImageNet; `--classes FILE` gives others")
        return unique_names(imagenet_class_list())
    report("the model names no classes, so they are shown by their numbers; `--classes FILE` names them")
    return tuple(map(str, range(outputs)))


EVALUATE = "`archspec evaluate` accepts such data from an .npz file"


def check_images_enter(input_shape: tuple[int | None, ...], help: str = EVALUATE) -> None:
    """Raises `data-shape` with this remedy unless the network's input is grey or RGB images (height, width, 1 or 3)."""
    if len(input_shape) != 3 or input_shape[-1] not in (1, 3):
        raise fail(
            "data-shape",
            f"the network takes {show(input_shape)}, not images of (height, width, 1 or 3)",
            help=help,
        )
