"""Where images come from: the name of the embedded data set, an .npz file, a folder of image files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np

from archspec.diagnostics import did_you_mean, fail
from archspec.runtime.data.folder import open_folder
from archspec.runtime.data.images import Images, Report, class_counts
from archspec.runtime.data.npz import open_npz, to_channels
from archspec.runtime.data.split import already_split

__all__ = ["EMBEDDED", "Images", "Report", "class_counts", "open_data"]

EMBEDDED = ("digits",)
HELD_OUT = 450  # the last digits, by writers that the rest does not contain
SOURCES = "a source is `digits`, an .npz file, or a folder with one sub-folder for each class"


def open_data(
    source: str,
    split: Literal["train", "validation"],
    *,
    validation_split: float | None = None,
    seed: int = 0,
    skip_bad_images: bool = False,
    channels: int = 3,
    report: Report | None = None,
) -> Images:
    """The labelled images of a source, checked: image files are all decoded once.

    source: `digits` (a folder of that name is `./digits`), an .npz file, or a folder that holds `train/` and `val/`
        (or `validation/`, `test/`) with one sub-folder a class, or the classes themselves.
    split: which side. Data in one piece is divided by `validation_split`, the share of each class that is held out,
        drawn by `seed`; without a share all of it is "validation", for `evaluate`.
    channels: what the network takes; grey and RGB are converted into each other.
    report: receives lines about progress and about what was left out.

    Opening a folder starts TensorFlow's runtime: configure logical devices before.

    Raises data-not-found, data-empty, data-one-class, data-classes (the two sides differ), data-format (a malformed
    .npz), data-shape (channels), bad-images (files that are no images, named), validation-split.
    """
    tell: Report = report or (lambda line: None)
    if source in EMBEDDED:
        if validation_split is not None:
            raise already_split(source, f"its last {HELD_OUT} images")
        return _digits(split, channels)
    path = Path(source)
    try:
        if source and path.is_dir():
            return open_folder(
                path,
                split,
                validation_split=validation_split,
                seed=seed,
                skip_bad_images=skip_bad_images,
                channels=channels,
                report=tell,
            )
        if source and path.is_file():
            if path.suffix.lower() != ".npz":
                raise fail("data-format", f"`{source}` is neither a folder nor an .npz file", help=SOURCES)
            return open_npz(path, split, validation_split=validation_split, seed=seed, channels=channels, report=tell)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise fail("data-not-found", f"cannot read `{error.filename or source}`: {reason}") from error
    raise fail("data-not-found", f"there is no data at `{source}`", help=did_you_mean(source, EMBEDDED) or SOURCES)


def _digits(split: str, channels: int) -> Images:
    """8 x 8 grey images of the digits; counts of 0 to 16 dark pixels scaled to 0 to 255."""
    with resources.as_file(resources.files("archspec.runtime.data") / "digits.npz") as path, np.load(path) as arrays:
        x, y = arrays["x"], arrays["y"].astype(np.int32)
    pixels = np.rint(x[..., None] * (255 / 16)).astype(np.uint8)
    rows = slice(None, -HELD_OUT) if split == "train" else slice(-HELD_OUT, None)
    return Images(tuple("0123456789"), y[rows], to_channels(pixels[rows], channels, "`digits`"))
