"""The images that an int8 export is calibrated with: 100 to 500 of a data source, balanced, by the evaluation path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import counted, fail
from archspec.runtime.data.files.decode import decode_bytes
from archspec.runtime.data.images import Report
from archspec.runtime.data.sources.dataset import open_parts
from archspec.runtime.export.check_images import CheckImages, check_images
from archspec.runtime.export.network import ExportedNetwork

LEAST, MOST = 100, 500
"""Images: fewer do not show the range of the activations, and more do not change it."""
LEAST_CORRELATION = 0.1
"""Of neighboring pixels, at the median image. Photos and drawings have 0.5 to 0.99, noise has 0."""


def calibration_images(network: ExportedNetwork, data: str | None, seed: int, report: Report) -> npt.NDArray[Any]:
    """Pixels (N, *input_shape), float32, 0 to 255 after resize and crop: of the training part if the data has one.

    Raises:
        ArchspecError: `calibration` without data, with too few images, or with noise; those of `check_images`.
    """
    if data is None:
        raise fail(
            "calibration",
            "int8 needs images like those that the network will see, but none are given",
            help="give `--calibration DATA`, such as the training images",
        )
    parts = open_parts(data, report)
    split = "train" if parts.train is not None and parts.validation is not None else "validation"
    images = check_images(network, data, split=split, most=MOST, seed=seed, report=report)
    if len(images) < LEAST:
        raise fail(
            "calibration",
            f"`{data}` has {counted(len(images), 'image')} for the calibration, which needs at least {LEAST}",
            help="give `--calibration` more images",
        )
    channels = int(network.input_shape[-1] or 1)
    if network.is_of_images and neighbor_correlation(_stored(images, channels)) < LEAST_CORRELATION:
        raise fail(
            "calibration",
            f"the images of `{data}` are noise: neighboring pixels do not resemble each other",
            help="give `--calibration` images like those that the network will see",
        )
    report(f"calibrating int8 with {counted(len(images), 'image')} of {data}")
    return images.pixels


def neighbor_correlation(images: Iterable[npt.NDArray[Any]]) -> float:
    """The median over images (H, W, C) of the correlation between horizontal neighbors; 0 where no image varies."""
    found = []
    for image in images:
        centered = image - image.mean(axis=(0, 1))
        if variance := (centered**2).mean():
            found.append((centered[:, 1:] * centered[:, :-1]).mean() / variance)
    return float(np.median(found)) if found else 0.0


def _stored(images: CheckImages, channels: int) -> Iterator[npt.NDArray[Any]]:
    """Some of the images before they are resized, which would make noise smooth."""
    import tensorflow as tf

    for each in images.encoded[:: len(images) // LEAST]:
        yield np.asarray(decode_bytes(tf, each, channels), np.float32)


@contextmanager
def calibration_file(images: npt.NDArray[Any]) -> Iterator[Path]:
    """Yields the path of a file with the images, for a program of `converters`; it is removed at the end."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "calibration.npy"
        np.save(path, images)
        yield path
