"""The image data sets of keras.datasets: `keras:cifar10`. Keras downloads each when it is first used."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import numpy as np

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.parts import Parts
from archspec.runtime.data.sources.source import DataSource, download_failed
from archspec.runtime.system.tensorflow_import import import_tensorflow

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
    "mnist": tuple("0123456789"),
}
"""The class names of each data set, in the order of their labels."""


class KerasDatasets(DataSource):
    """The data sets `cifar10`, `cifar100`, `mnist` and `fashion_mnist` of Keras, which downloads them."""

    name = "keras"
    forms = ("keras:NAME",)
    prefix = "keras:"

    def open(self, data: str, *, channels: int, report: Report) -> Parts:
        name = data.removeprefix(self.prefix)
        if name not in DATASETS:
            known = listed(f"`{self.prefix}{each}`" for each in DATASETS)
            help = did_you_mean(name, DATASETS) or f"the data sets are {known}"
            raise fail("data-not-found", f"keras.datasets has no image data set `{name}`", help=help)
        try:
            parts = _load(name)
        except Exception as error:  # Keras raises a bare Exception when a download fails
            raise download_failed(
                f"cannot download `{data}`",
                "Keras",
                error,
                "download it elsewhere, save x_train, y_train, x_test, y_test with numpy.savez, and use that file",
            ) from error
        return Parts.of(
            {part: _images(DATASETS[name], *arrays) for part, arrays in zip(("train", "test"), parts, strict=True)}
        )


def _load(name: str) -> Any:
    import_tensorflow()  # before Keras, to suppress the log lines of the import
    import keras

    with contextlib.redirect_stdout(sys.stderr):  # Keras prints the progress of downloads to stdout
        return getattr(keras.datasets, name).load_data()


def _images(class_names: tuple[str, ...], x: Any, y: Any) -> Images:
    pixels = np.asarray(x, np.uint8)
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    return Images(class_names, np.asarray(y).reshape(-1).astype(np.int32), pixels)
