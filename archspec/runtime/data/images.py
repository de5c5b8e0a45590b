"""A set of labelled images, in memory or in files (Images), and its classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import counted, fail

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from archspec.targets import LabelColumn, OutputTargets

DIGEST = 16
"""Bytes of a digest of the contents of an image file."""
Report = Callable[[str], None]
"""Receives lines for the user: progress ("2,000 of 4,000 images read") and warnings."""


@dataclass(frozen=True)
class Images:
    """Labelled images in a fixed order, either as `pixels` or as `files`.

    Attributes:
        class_names: in the order of their labels.
        labels: int32 (N,), class numbers.
        pixels: uint8 (N, H, W, C), grey levels 0 to 255. Series (N, length, C) and volumes (N, depth, H, W, C) are
            float32, in their own units.
        files: paths of N image files, or of the files that contain them; each has been decoded once without an error.
        spans: int64 (N, 2), offset and length in bytes of each image in its file; None if it is the whole file.
        sides: int32 (N, 2), height and width in pixels of each image in a file, upright; None before it is read.
        in_part: bool (N,), whether a window of the image can be decoded alone: True for an upright JPEG.
        noisy: bool (N,), whether libjpeg prints a message about the file; Pillow decodes it then.
        digests: uint8 (N, 16), of the encoded bytes (`digest_of`); None if no file was read.
        stamps: int64 (N, 3), of the files when they were read (`Stamp`).
        names: N file names, if `pixels` were decoded from files.
        columns: the label columns as the data source has them, where they are not only one class for each image.
        targets: what the outputs of a network are trained on; None for one class for each image, as in `labels`.
        y: float32 (N, columns), the labels of `targets`. `labels` are then the strata of a split.
    """

    class_names: tuple[str, ...]
    labels: npt.NDArray[np.int32]
    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32] | None = None
    files: tuple[str, ...] | None = None
    spans: npt.NDArray[np.int64] | None = None
    sides: npt.NDArray[np.int32] | None = None
    in_part: npt.NDArray[np.bool_] | None = None
    noisy: npt.NDArray[np.bool_] | None = None
    digests: npt.NDArray[np.uint8] | None = None
    stamps: npt.NDArray[np.int64] | None = None
    names: tuple[str, ...] | None = None
    columns: tuple[LabelColumn, ...] = ()
    targets: OutputTargets | None = None
    y: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if (self.pixels is None) == (self.files is None):
            raise ValueError("Images has either pixels or files")

    def __len__(self) -> int:
        return len(self.labels)

    def only(self, rows: npt.NDArray[np.integer[Any]]) -> Images:
        """The images of these rows, in that order."""
        names = ("pixels", "spans", "sides", "in_part", "noisy", "digests", "stamps", "y")
        arrays = {name: getattr(self, name) for name in names}
        texts = {"files": self.files, "names": self.names}
        some: dict[str, Any] = {name: None if array is None else array[rows] for name, array in arrays.items()}
        some |= {name: None if each is None else tuple(each[row] for row in rows) for name, each in texts.items()}
        columns = tuple(column.only(rows) for column in self.columns)
        return dataclasses.replace(self, labels=self.labels[rows], columns=columns, **some)


def class_counts(images: Images) -> tuple[int, ...]:
    """Number of images of each class, in the order of `class_names`."""
    import numpy as np

    if images.targets is not None and images.y is not None:
        return images.targets.class_counts(images.y)
    if images.columns:
        return ()
    return tuple(np.bincount(images.labels, minlength=len(images.class_names)).tolist())


def label_texts(images: Images) -> list[str]:
    """The class of each image, its labels, or its cells in the label columns."""
    if images.targets is not None and images.y is not None:
        return images.targets.texts(images.y)
    if not images.columns:
        return [images.class_names[label] for label in images.labels.tolist()]
    columns = [column.texts() for column in images.columns]
    return [", ".join(cells) for cells in zip(*columns, strict=True)]


def luminance(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """RGB (..., 3) -> grey (..., 1), uint8, with the weights of ITU-R BT.601 in thousandths, rounded."""
    import numpy as np

    weighted = pixels.astype(np.int32) @ np.array([[299], [587], [114]], np.int32)
    return ((weighted + 500) // 1000).astype(np.uint8)


def to_channels(pixels: npt.NDArray[np.uint8], channels: int, data: str) -> npt.NDArray[np.uint8]:
    """(N, H, W, C) -> (N, H, W, channels): grey to RGB, RGB to grey, or unchanged. Raises data-shape otherwise."""
    here = pixels.shape[-1]
    if here == channels:
        return pixels
    if here == 1 and channels == 3:
        return pixels.repeat(3, axis=-1)
    if here == 3 and channels == 1:
        return luminance(pixels)
    fact = f"the images of `{data}` have {counted(here, 'channel')}, but the network's input has {channels}"
    first = pixels.shape[1] in (1, 3) and here > 4
    raise fail(
        "data-shape",
        fact,
        help="channels come last: `np.moveaxis(x, 1, -1)` turns (N, C, H, W) into (N, H, W, C)" if first else None,
    )


def check_classes(network: int, classes: int, data: str, help: str | None = None) -> None:
    """Raises classes-mismatch unless the network has one output for each class of the data."""
    if network != classes:
        raise fail(
            "classes-mismatch",
            f"the network has {counted(network, 'class')}, but `{data}` has {classes}",
            help=help
            or f"give the last layer {counted(classes, 'unit')}; `--set classes={classes}` does so in specs with a "
            "parameter `classes`",
        )


def shared_line(training: Images, validation: Images) -> str | None:
    """The line for validation images that are training images too; None without any, or if the digests are unknown."""
    if training.digests is None or validation.digests is None:
        return None
    known = set(map(bytes, training.digests))
    copies = sum(bytes(each) in known for each in validation.digests)
    if not copies:
        return None
    are = "is a copy of a training image" if copies == 1 else "are copies of training images"
    fact = f"{copies:,} of {counted(len(validation), 'validation image')} {are}"
    return f"{fact}, so validation looks better than on new images"


def with_classes(images: Images, class_names: tuple[str, ...]) -> Images:
    """The images with the labels of `class_names`, which has the name of every class with images."""
    import numpy as np

    if images.targets is not None:  # encoded with the classes of training already
        return images
    place = np.array([class_names.index(name) if name in class_names else -1 for name in images.class_names], np.int32)
    return dataclasses.replace(images, class_names=class_names, labels=place[images.labels])
