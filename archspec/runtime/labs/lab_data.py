"""The images of a lab as one .npz in its folder: a subset of DATA, or generated images."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed
from archspec.ops.base import Shape
from archspec.runtime.data.files.encoded_image import encoded_images
from archspec.runtime.data.images import Images
from archspec.runtime.data.sources.dataset import os_errors, select
from archspec.runtime.data.sources.source import open_source
from archspec.runtime.labs.generated import check_generated, labelled
from archspec.runtime.labs.lab import LabImages
from archspec.runtime.system.atomic_write import atomic

SIZE = 32
"""Side that photos are resized to by default, pixels."""
PLAIN = LabImages()
IN_BATCH = 1000
"""Images of an array that are worked on at once."""
GENERATED_COUNTS = {"train": 1000, "validation": 500}

Split = tuple[npt.NDArray[Any], npt.NDArray[np.int32]]


def lab_data(data: str | Mapping[str, Any], images: LabImages, out: Path, note: Callable[[str], None]) -> str:
    """The data source of a lab: DATA itself where all of it is used as it is, else `out`/NAME.npz, written once.

    Args:
        data: a data source, or `{shapes: {...}}` or `{waves: {...}}` for generated data.
        images: which of them.
        out: the folder for the file.

    Raises:
        ArchspecError: the errors of the data source; `lab` for classes that it does not have.
    """
    if isinstance(data, str) and images == PLAIN:
        return data
    path = out / f"{_name(data, images)}.npz"
    if not path.is_file():
        if isinstance(data, str):
            splits, names = _selected(data, images, note)
        else:
            splits, names = _generated(data, images)
        write_arrays(path, splits["train"], splits["validation"], names)
    return str(path)


def write_arrays(path: Path, train: Split, test: Split, class_names: Sequence[str] | None = None) -> None:
    """Write images and labels as a data source, one .npz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    given: dict[str, Any] = {} if class_names is None else {"class_names": np.array(class_names)}
    for word, (x, y) in (("train", train), ("val", test)):
        given |= {f"x_{word}": x, f"y_{word}": y}
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **given)


def _name(data: str | Mapping[str, Any], images: LabImages) -> str:
    """A name that differs where the images do."""
    import hashlib
    import json

    key = json.dumps([data, {name: getattr(images, name) for name in vars(images)}], sort_keys=True)
    return f"images-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _generated(data: Mapping[str, Any], images: LabImages) -> tuple[dict[str, Split], list[str]]:
    ((kind, options),) = data.items()
    check_generated(kind)
    counts = {"train": images.train, "validation": images.test}
    splits, names = {}, list[str]()
    for seed, (split, count) in enumerate(counts.items()):
        rng = np.random.default_rng(seed)
        x, y, names = labelled(kind, options or {}, count or GENERATED_COUNTS[split], rng)
        splits[split] = (x, y.astype(np.int32))
    return splits, names


def _selected(data: str, images: LabImages, note: Callable[[str], None]) -> tuple[dict[str, Split], list[str]]:
    """The chosen images of a data source, decoded: about as many of each class."""
    with os_errors(data):
        parts = open_source(data, channels=3, report=note)
        share = 0.2 if parts.validation is None else None
        found = {split: select(parts, split, share, 0, data) for split in ("train", "validation")}
    names = list(found["train"].class_names)
    if images.classes:
        missing = [name for name in images.classes if name not in names]
        if missing:
            help = f"its classes are: {listed(names, 20)}"
            raise fail("lab", f"`{data}` has no class {listed(f'`{name}`' for name in missing)}", help=help)
    kept = list(images.classes) or names
    splits = {}
    for split, count in (("train", images.train), ("validation", images.test)):
        chosen = found[split].only(stratified(found[split].labels, [names.index(name) for name in kept], count))
        x = pixels(chosen, images.size)
        place = np.full(len(names), -1, np.int32)
        place[[names.index(name) for name in kept]] = np.arange(len(kept))
        labels = place[chosen.labels]
        if split == "train" and images.random_labels:
            labels = np.random.default_rng(0).integers(len(kept), size=len(labels)).astype(np.int32)
        pad = images.pad
        splits[split] = (np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0))) if pad else x, labels)
    return splits, kept


def stratified(labels: npt.NDArray[np.int32], classes: list[int], count: int | None) -> npt.NDArray[np.int64]:
    """Row numbers of about `count` images, the same number of each class up to one; drawn by seed 0, ascending."""
    rng = np.random.default_rng(0)
    shuffled = [rng.permutation(np.flatnonzero(labels == each)) for each in classes]
    if count is None:
        return np.sort(np.concatenate(shuffled))
    numbers = [count // len(classes) + (place < count % len(classes)) for place in range(len(classes))]
    return np.sort(np.concatenate([rows[:number] for rows, number in zip(shuffled, numbers, strict=True)]))


def pixels(images: Images, size: int | None) -> npt.NDArray[Any]:
    """The images as one array: files are decoded, resized to the shortest side and cropped to the center.

    Arrays keep their size unless `size` is given.
    """
    if images.pixels is not None and (size is None or images.pixels.ndim != 4):
        return images.pixels
    from PIL import Image

    side = size or SIZE
    if images.pixels is not None:
        opened = [Image.fromarray(each.squeeze(-1) if each.shape[-1] == 1 else each) for each in images.pixels]
        made = [np.asarray(_fitted(each, side)) for each in opened]
        return np.stack([each if each.ndim == 3 else each[..., None] for each in made])
    made = []
    for encoded in encoded_images(images):
        with Image.open(io.BytesIO(encoded.read())) as image:
            made.append(np.asarray(_fitted(image.convert("RGB"), side)))
    return np.stack(made)


def _fitted(image: Any, side: int) -> Any:
    from PIL import ImageOps

    return image if image.size == (side, side) else ImageOps.fit(image, (side, side), method=2)  # bilinear


class SplitBatches:
    """The images of a split of a data source, a batch at a time, as often as needed.

    Files are read by the pipeline of evaluation when their batch is due, resized and cropped as the network takes them.

    Args:
        split: "train" or "validation".
        input_shape: of the network.
        resize: of the network's evaluation recipe: smallest side of the images before the crop, pixels.

    Raises:
        ArchspecError: those of the data source.
    """

    def __init__(
        self, data: str, split: str, input_shape: Shape, resize: int | None, note: Callable[[str], None]
    ) -> None:
        self._images = split_of(data, split, note, input_shape[-1] or 0)
        self._input_shape, self._resize = input_shape, resize

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """(N,)."""
        return self._images.labels

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        """Arrays (b, H, W, C) of 0 to 255 in the order of the labels, at most IN_BATCH images each."""
        whole = self._images.pixels
        if whole is not None:
            yield from (whole[start : start + IN_BATCH] for start in range(0, len(whole), IN_BATCH))
            return
        from archspec.runtime.data.pipeline.batches import evaluation_batches

        batches = evaluation_batches(
            self._images, input_shape=self._input_shape, batch_size=IN_BATCH // 10, resize=self._resize
        )
        for x, _ in batches:
            yield x.numpy()


def split_of(data: str, split: str, note: Callable[[str], None], channels: int = 3) -> Images:
    """The images of "train" or "validation"; files are not decoded. Raises ArchspecError as the data source.

    channels: of the network's input, which tells series from images.
    """
    with os_errors(data):
        parts = open_source(data, channels=channels, report=note)
        share = 0.2 if parts.validation is None else None
        return select(parts, split, share, 0, data)


def arrays(data: str, split: str, note: Callable[[str], None]) -> Split:
    """The images and labels of a split, decoded. Raises ArchspecError as the data source."""
    images = split_of(data, split, note)
    return pixels(images, None), images.labels


def some_of(split: Split, count: int = 100) -> Split:
    """About `count` images, evenly spaced: enough to watch the curves of a run that is tested at its end."""
    step = max(1, len(split[1]) // count)
    return split[0][::step], split[1][::step]


def class_names(data: str, note: Callable[[str], None]) -> tuple[str, ...]:
    """The classes of the training images. Raises ArchspecError as the data source."""
    with os_errors(data):
        parts = open_source(data, channels=3, report=note)
    return tuple(parts.class_names[parts.train or ""])
