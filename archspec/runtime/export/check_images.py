"""The inputs that an export is verified with: images of a data source, or generated from a seed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, counted, fail
from archspec.runtime.data.class_match import match_classes
from archspec.runtime.data.files.decode import decode_bytes
from archspec.runtime.data.files.encoded_image import encoded_images
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.pipeline.preprocess import check_preprocess, preprocess_values, resized
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.dense.convert import graph_of
from archspec.runtime.export.network import ExportedNetwork, together

BATCH = 32
"""Samples that are computed together."""
MOST_MACS = 640_000_000_000
"""Multiply-accumulates of a batch: larger networks are computed with fewer samples at a time."""
FREE_SIDE = 64
"""Side of the images for a network that takes any size and names none."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class CheckImages:
    """Images, or other inputs, as each function of an export takes them.

    Attributes:
        inputs: float32 (N, *input_shape), preprocessed; of several inputs (N,) with a field for each (`together`).
        pixels: float32 (N, *input_shape), the same before `preprocess`: 0 to 255 after resize and crop.
        encoded: N images as encoded bytes, of any size; empty for a network of something else.
        labels: int (N,), class numbers; None for generated images.
        source: where they come from, for people.
    """

    inputs: Array
    pixels: Array
    encoded: tuple[bytes, ...]
    labels: npt.NDArray[np.int32] | None
    source: str

    def __len__(self) -> int:
        return len(self.inputs)


def check_images(
    network: ExportedNetwork,
    data: str | None,
    *,
    split: str = "validation",
    most: int = 256,
    seed: int = 0,
    report: Report = lambda line: None,
) -> CheckImages:
    """At most `most` images of a data source, as many of each class as possible; without data, generated ones.

    Raises:
        ArchspecError: those of `open_data` and `match_classes`; `transform` for a random `preprocess`.
    """
    if len(network.input_shapes) == 1:
        check_preprocess(network.input_shape, network.metadata.preprocess)
    if data is None:
        return _generated(network, seed)
    channels, targets = int(network.input_shape[-1] or 1), network.targets or None
    images = open_data(data, split, channels=channels, targets=targets, trained=bool(targets), report=report)
    if images.targets is None and targets:
        outputs = int(network.model.output_shape[-1])
        try:
            images = match_classes(images, network.metadata.class_names, outputs, data, report=report)
        except ArchspecError as error:  # an export has no list of classes
            help = "give images of the classes that the network was trained on"
            raise ArchspecError(*(replace(each, help=help) for each in error.diagnostics)) from None
    rows = balanced(images.labels, most, seed)
    chosen = images.only(rows)
    found = prepared(network, chosen, f"{counted(len(rows), 'image')} of {data}")
    return found if network.target_kind in ("classes", "binary") else replace(found, labels=None)


def batch_size(network: ExportedNetwork) -> int:
    """How many samples are computed together: BATCH, or fewer of a large network."""
    try:
        macs = (network.graph or graph_of(network.whole, network.metadata)).macs
    except ArchspecError:  # a layer without an operator
        macs = None
    return BATCH if not macs else max(1, min(BATCH, MOST_MACS // macs))


def balanced(labels: npt.NDArray[np.int32], most: int, seed: int) -> npt.NDArray[np.int64]:
    """The rows of at most `most` images, drawn by `seed`, with as many of each class as possible; in their order."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(labels))
    turn = np.zeros(len(labels), np.int64)  # the how manyth of its class each drawn image is
    seen: dict[int, int] = {}
    for row in order:
        turn[row] = seen[int(labels[row])] = seen.get(int(labels[row]), 0) + 1
    ranked = order[np.argsort(turn[order], kind="stable")]
    return np.sort(ranked[:most])


def prepared(network: ExportedNetwork, images: Images, source: str) -> CheckImages:
    """Images of a data source as each function takes them."""
    import tensorflow as tf

    if not network.is_of_images:
        if images.pixels is None or images.pixels.shape[1:] != network.input_shape:
            raise fail("data-shape", f"the images of {source} do not have the shape of the network's input")
        values = images.pixels.astype(np.float32)
        return CheckImages(_values(tf, network, values), values, (), images.labels, source)
    if images.pixels is None:
        encoded = tuple(each.read() for each in encoded_images(images))
    else:
        encoded = tuple(_png(each) for each in images.pixels)
    return _of_encoded(tf, network, encoded, images.labels, source)


def _generated(network: ExportedNetwork, seed: int) -> CheckImages:
    import tensorflow as tf

    generator = np.random.default_rng(seed)
    count = 1 + batch_size(network)  # one alone, and a batch
    source = f"{count} generated {'images' if network.is_of_images else 'inputs'} (seed {seed})"
    if not network.is_of_images:
        shapes = {
            name: [FREE_SIDE if side is None else side for side in shape]
            for name, shape in network.input_shapes.items()
        }
        values = together(
            {name: generator.uniform(size=(count, *shape)).astype(np.float32) for name, shape in shapes.items()}
        )
        return CheckImages(_values(tf, network, values), values, (), None, source)
    height, width, channels = check_shape(network)
    sides = [(height, width), (height + 5, 2 * width + 3), (2 * height + 1, width + 2)]
    images = [smooth_image(generator, *sides[number % 3], channels) for number in range(count)]
    encoded = tuple(_jpeg(each) if number % 3 == 1 else _png(each) for number, each in enumerate(images))
    return _of_encoded(tf, network, encoded, None, source)


def smooth_image(generator: np.random.Generator, height: int, width: int, channels: int) -> npt.NDArray[np.uint8]:
    """A colored pattern of a few waves and some noise, uint8 (H, W, C): neighboring pixels are alike, as in photos."""
    y, x = np.mgrid[0:height, 0:width]
    image = generator.normal(0, 12, (height, width, channels))
    for _ in range(6):
        waves = generator.uniform(-3, 3, 2)
        phase = 2 * np.pi * (waves[0] * y / height + waves[1] * x / width) + generator.uniform(0, 2 * np.pi)
        image += np.sin(phase)[..., None] * generator.uniform(0, 60, channels)
    return (image + generator.uniform(60, 190)).clip(0, 255).astype(np.uint8)


def check_shape(network: ExportedNetwork) -> tuple[int, int, int]:
    """The input shape with a number for each free side: that of training, else of evaluation's resize, or FREE_SIDE."""
    height, width, channels = network.input_shape
    if network.typical_shape is not None:
        height, width = height or network.typical_shape[0], width or network.typical_shape[1]
    free = network.metadata.resize or FREE_SIDE
    return height or free, width or free, int(channels or 1)


def _of_encoded(
    tf: Any, network: ExportedNetwork, encoded: Sequence[bytes], labels: npt.NDArray[np.int32] | None, source: str
) -> CheckImages:
    """Decode, resize and crop as evaluation does."""
    shape = check_shape(network)
    pixels = np.stack(
        [
            np.asarray(resized(tf, decode_bytes(tf, each, shape[-1])[None], shape, network.metadata.resize)[0])
            for each in encoded
        ]
    ).astype(np.float32)
    return CheckImages(_values(tf, network, pixels), pixels, tuple(encoded), labels, source)


def _values(tf: Any, network: ExportedNetwork, pixels: Array) -> Array:
    if len(network.input_shapes) > 1:
        return pixels
    values: Array = preprocess_values(tf, pixels, pixels.shape[1:], network.metadata.preprocess).numpy()
    return values


def _png(pixels: Array) -> bytes:
    return _written(pixels, "PNG")


def _jpeg(pixels: Array) -> bytes:
    return _written(pixels, "JPEG", quality=95)


def _written(pixels: Array, kind: str, **options: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(out, kind, **options)
    return out.getvalue()
