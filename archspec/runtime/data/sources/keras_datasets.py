"""The data sets of keras.datasets: `keras:cifar10`, downloaded by Keras when they are first asked for."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import numpy as np

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.select import Parts
from archspec.runtime.system.tensorflow_import import import_tensorflow

PREFIX = "keras:"
DIGITS = tuple("0123456789")
DATASETS: dict[str, tuple[str, ...]] = {
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "cifar100": tuple(map(str, range(100))),
    "fashion_mnist": (
        "T-shirt or top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    "mnist": DIGITS,
}
"""Names of the classes, in the order of their numbers."""


def open_keras(source: str) -> Parts:
    """Training and test images in memory, uint8 (N, H, W, 1 or 3). Raises data-not-found and download."""
    name = source.removeprefix(PREFIX)
    if name not in DATASETS:
        help = did_you_mean(name, DATASETS) or f"there are {listed(f'`{PREFIX}{each}`' for each in DATASETS)}"
        raise fail("data-not-found", f"keras.datasets has no images called `{name}`", help=help)
    try:
        (x, y), (x_test, y_test) = _load(name)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise fail(
            "download",
            f"cannot download `{source}`",
            notes=[f"Keras says: {(str(error).strip().splitlines() or [type(error).__name__])[0][:300]}"],
            help="download it elsewhere, save x_train, y_train, x_test and y_test with numpy.savez, and give that file",
        ) from error
    return {"train": _images(DATASETS[name], x, y), "test": _images(DATASETS[name], x_test, y_test)}


def _load(name: str) -> Any:
    import_tensorflow()  # quietly, before Keras does
    import keras

    with contextlib.redirect_stdout(sys.stderr):  # where Keras reports the download
        return getattr(keras.datasets, name).load_data()


def _images(names: tuple[str, ...], x: Any, y: Any) -> Images:
    pixels = np.asarray(x, np.uint8)
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    return Images(names, np.asarray(y).reshape(-1).astype(np.int32), pixels)
