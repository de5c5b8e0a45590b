"""The images to explain, as a stream of batches: prepared for the network exactly as for `archspec predict`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import counted
from archspec.runtime.data.files.encoded_image import BadImageError
from archspec.runtime.data.files.image_facts import quietly
from archspec.runtime.data.images import Report
from archspec.runtime.data.pipeline.preprocess import preprocess_values, resized
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.image_inputs import GivenImage

INTERVAL = 10.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True)
class ImageBatch:
    """Images of one size."""

    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    """Names of the true classes, where they are known."""
    pixels: npt.NDArray[np.uint8]
    """What the network sees, before `preprocess`: (B, H, W, C), 0 to 255."""
    x: npt.NDArray[np.float32]
    """The input of the network (B, H, W, C)."""

    def __len__(self) -> int:
        return len(self.names)

    def singles(self) -> Iterator[ImageBatch]:
        """Batches of one image each."""
        for row in range(len(self)):
            part = slice(row, row + 1)
            yield ImageBatch(self.names[part], self.labels[part], self.pixels[part], self.x[part])


@dataclass
class ImageBatches:
    """Iterates over the batches, any number of times. Images that cannot be decoded are left out and kept in `bad`."""

    network: OpenNetwork
    given: Sequence[GivenImage]
    batch_size: int
    own: int = 0
    """How many of the images, the first ones, were given one by one; the others are of a data set."""
    bad: dict[str, str] = field(default_factory=dict)
    """Image -> why it cannot be read."""
    _told: float = field(default_factory=time.monotonic)

    def __len__(self) -> int:
        """The number of images."""
        return len(self.given)

    def __iter__(self) -> Iterator[ImageBatch]:
        import tensorflow as tf

        prepare = self.network.compiled(tf, "prepare", self._prepare)
        size = 1 if None in self.network.input_shape else self.batch_size  # images of different sizes do not stack
        for start in range(0, len(self.given), size):
            kept, pixels, inputs = [], [], []
            with quietly():
                for image in self.given[start : start + size]:
                    try:
                        view, x = prepare(image.pixels())
                    except BadImageError as error:
                        self.bad[image.name] = str(error)
                        continue
                    kept.append(image)
                    pixels.append(np.clip(np.rint(view.numpy()), 0, 255).astype(np.uint8))
                    inputs.append(x.numpy())
            if kept:
                names, labels = tuple(each.name for each in kept), tuple(each.label for each in kept)
                yield ImageBatch(names, labels, np.stack(pixels), np.stack(inputs))

    def tell(self, report: Report, done: int) -> None:
        """Report progress, every INTERVAL seconds."""
        if time.monotonic() - self._told > INTERVAL and done < len(self):
            self._told = time.monotonic()
            report(f"{done:,} of {counted(len(self), 'image')}")

    def _prepare(self, tf: Any) -> Any:
        network = self.network
        shape, preprocess = network.input_shape, network.metadata.preprocess

        @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, None, shape[-1]), tf.uint8)])  # type: ignore[untyped-decorator]
        def prepare(pixels: Any) -> Any:
            view = resized(tf, pixels[None], shape, network.metadata.resize)
            return tf.cast(view, tf.float32)[0], preprocess_values(tf, view, shape, preprocess)[0]

        return prepare
