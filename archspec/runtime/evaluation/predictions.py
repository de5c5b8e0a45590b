"""Predictions: the softmax outputs of labelled images, and the .npz files that hold them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, counted, fail, printable
from archspec.runtime.data.files.encoded_image import digest_of, encoded_images
from archspec.runtime.data.images import Images, luminance
from archspec.runtime.system.atomic_write import reason
from archspec.runtime.system.npz_file import open_npz

HELP = "give a file that an evaluation wrote with `--save-predictions FILE.npz`"
VERSION = 3
"""Version 1 has no digests, so its images can be matched by their names only; version 2 has classes only."""
TARGET = ("kind", "output", "threshold")
"""Fields that version 3 adds."""
KINDS, MATRICES = ("classes", "binary"), ("multi-label", "numbers")
"""Targets with one label for each image, and with a row of labels."""
TEXTS = ("class_names", "images", "models", "protocols", "scales")
"""Fields that are lists of words."""


@dataclass(frozen=True)
class Predictions:
    """Softmax outputs of labelled images, and how they were computed; or the outputs of another target.

    Attributes:
        posteriors: float32 (N, classes), each row a probability distribution; of several labels, (N, labels), the
            probability of each; of numbers, (N, numbers), the predictions.
        labels: int32 (N,), the indices of the true classes; of several labels and of numbers float32 (N, columns).
        class_names: names of the columns; () for a number without a name.
        images: paths of the image files, as the data source names them, or row numbers of an array.
        models: the model file; those of the members of an ensemble.
        protocols: the protocol as written in a spec; one for each member of an ensemble.
        scales: the smallest sides of the rescaled images, such as `224, 256, 288`; one for each member.
        data: the data source.
        passes: forward passes for an image, of all members together.
        images_per_second: None where nothing was computed.
        digests: of the contents of each image, hexadecimal; None in files of version 1.
    """

    posteriors: npt.NDArray[np.float32] = field(repr=False)
    labels: npt.NDArray[Any] = field(repr=False)
    class_names: tuple[str, ...]
    images: tuple[str, ...] = field(repr=False)
    models: tuple[str, ...]
    protocols: tuple[str, ...]
    scales: tuple[str, ...]
    data: str
    passes: int
    images_per_second: float | None = None
    digests: tuple[str, ...] | None = field(default=None, repr=False)
    kind: str = "classes"
    """The target of the output."""
    output: str = ""
    """The name of the output, of a network with several targets."""
    threshold: float = 0.5
    """The least probability of a class that a sigmoid output decides for."""

    def __len__(self) -> int:
        return len(self.labels)

    def of_present_classes(self) -> Predictions:
        """Restricted to the classes with images: the posteriors given that the class is one of these.

        Raises ArchspecError: classes-mismatch if there are images of a single class.
        """
        if self.kind != "classes":
            fact = "`--present-classes` restricts a softmax output, but the network ends in another activation"
            raise fail("classes-mismatch", fact, help="omit `--present-classes`")
        kept, labels = np.unique(self.labels, return_inverse=True)
        if len(kept) < 2:
            raise fail(
                "classes-mismatch",
                f"`{printable(self.data)}` has images of one class only, `{printable(self.class_names[kept[0]])}`",
                help="omit `--present-classes`",
            )
        posteriors = self.posteriors[:, kept].astype(np.float64)
        total = posteriors.sum(axis=1, keepdims=True)
        posteriors = np.where(total > 0, posteriors / np.where(total > 0, total, 1), 1 / len(kept))
        return dataclasses.replace(
            self,
            posteriors=posteriors.astype(np.float32),
            labels=labels.astype(np.int32),
            class_names=tuple(self.class_names[label] for label in kept),
        )


def image_names(images: Images) -> tuple[str, ...]:
    """Names of the images: the paths of their files, or the row numbers of an array."""
    if images.files is None:
        return images.names or tuple(map(str, range(len(images))))
    places = [""] * len(images) if images.spans is None else [f"@{start}" for start in images.spans[:, 0].tolist()]
    return tuple(printable(file) + place for file, place in zip(images.files, places, strict=True))


def image_digests(images: Images) -> tuple[str, ...]:
    """Digests of the contents of the images: of their files, or of the pixels of an array.

    Those of pixels are taken of the luminance, since networks of grey and of RGB images read the same array.
    """
    if images.digests is not None:
        return tuple(bytes(each).hex() for each in images.digests)
    if images.pixels is None:
        return tuple(digest_of(each.read()).hex() for each in encoded_images(images))
    grey = images.pixels.dtype == np.uint8 and images.pixels.shape[-1] == 3
    return tuple(digest_of((luminance(each) if grey else each).tobytes()).hex() for each in images.pixels)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write an .npz."""
    fields = {each.name: getattr(predictions, each.name) for each in dataclasses.fields(predictions)}
    fields["images_per_second"] = predictions.images_per_second or np.nan
    fields["digests"] = predictions.digests or ()
    with path.open("wb") as file:
        np.savez(file, archspec_predictions=VERSION, **fields)


def numbered(path: Path, count: int) -> list[Path]:
    """The name itself for one file, NAME-1.npz, NAME-2.npz, ... for several."""
    return [path] if count == 1 else [path.with_stem(f"{path.stem}-{number + 1}") for number in range(count)]


def load_predictions(path: str | Path) -> Predictions:
    """Read an .npz of predictions, without unpickling anything. Raises ArchspecError: `bad-predictions`."""
    try:
        with open_npz(Path(path)) as arrays:
            if "archspec_predictions" not in arrays.names:
                raise _bad(path, "it does not contain predictions")
            version = int(arrays.read("archspec_predictions"))
            if version not in (1, 2, VERSION):
                raise _bad(path, f"its format has version {version}, and this archspec reads version {VERSION}")
            target: dict[str, Any] = {}
            if version == VERSION:
                target = {name: str(arrays.read(name)) for name in TARGET[:2]}
                target["threshold"] = float(arrays.read("threshold"))
            speed = float(arrays.read("images_per_second"))
            words: dict[str, Any] = {name: _texts(arrays.read(name)) for name in TEXTS}
            found = Predictions(
                posteriors=np.asarray(arrays.read("posteriors"), np.float32),
                labels=_labels(arrays.read("labels"), target.get("kind", "classes")),
                data=str(arrays.read("data")),
                passes=int(arrays.read("passes")),
                images_per_second=speed if np.isfinite(speed) else None,
                digests=_texts(arrays.read("digests")) or None if version > 1 else None,
                **words,
                **target,
            )
    except OSError as error:
        raise _bad(path, reason(error)) from error
    except (ValueError, TypeError, OverflowError) as error:
        raise _bad(path, "it is damaged, or not a file of predictions") from error
    _check(path, found)
    return found


def _labels(array: npt.NDArray[Any], kind: str) -> npt.NDArray[Any]:
    return np.asarray(array, np.float32 if kind in MATRICES else np.int32)


def _texts(array: Any) -> tuple[str, ...]:
    if array.ndim != 1 or (array.dtype.kind != "U" and array.size):
        raise ValueError("not a list of words")
    return tuple(array.tolist())


def _check(path: str | Path, found: Predictions) -> None:
    if found.kind not in (*KINDS, *MATRICES):
        raise _bad(path, f"it has predictions of the unknown target `{printable(found.kind)}`")
    if found.kind in MATRICES:
        if found.posteriors.ndim != 2 or found.posteriors.shape != found.labels.shape or not len(found.labels):
            raise _bad(path, f"it has outputs {found.posteriors.shape} for labels {found.labels.shape}")
        if len(found.images) != len(found.labels) or len(found.class_names) not in (0, found.labels.shape[1]):
            raise _bad(path, "it does not name its images or labels")
        _check_members(path, found)
        return
    count, classes = len(found.images), len(found.class_names)
    if found.posteriors.shape != (count, classes) or found.labels.shape != (count,) or not count or classes < 2:
        raise _bad(
            path,
            f"it has posteriors {found.posteriors.shape} for {counted(count, 'image')} and {counted(classes, 'class')}",
        )
    if found.labels.min() < 0 or found.labels.max() >= classes:
        raise _bad(
            path, f"it has labels from {found.labels.min()} to {found.labels.max()} for {counted(classes, 'class')}"
        )
    _check_members(path, found)


def _check_members(path: str | Path, found: Predictions) -> None:
    count = len(found.images)
    if found.digests is not None and len(found.digests) != count:
        raise _bad(path, f"it has {counted(len(found.digests), 'digest')} for {counted(count, 'image')}")
    if not found.models or not len(found.models) == len(found.protocols) == len(found.scales):
        raise _bad(path, "it does not name the models and protocols of the predictions")


def _bad(path: str | Path, fact: str) -> ArchspecError:
    return fail("bad-predictions", f"cannot read `{path}`: {fact}", help=HELP)
