"""Score maps of whole images of any size: small images are padded or rejected, large ones are processed in tiles."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail
from archspec.format import byte_size
from archspec.graph.compile.inference import at_size
from archspec.graph.ir import Graph
from archspec.graph.rewrite.fully_convolutional import convolutionalize as dense_graph
from archspec.graph.rewrite.padding import Effect, dense_effects
from archspec.graph.rewrite.tiling import Reach, Tile, can_tile, peak_bytes, reaches, tiles
from archspec.ops.base import Shape, show
from archspec.runtime.dense.convert import convolutionalize, graph_of
from archspec.runtime.system import memory as machine

Small = Literal["error", "pad"]
WORKSPACE = 2.0
"""Peak memory of inference, relative to the outputs that are alive: measured 1.1 to 1.6 (ResNet-18, SqueezeNet)."""


@dataclass(frozen=True)
class DenseScorer:
    """The fully convolutional form of a classifier, for images of any size; all images of a batch have one size."""

    model: Any
    """(None, None, None, C) -> (batch, H', W', classes)."""
    graph: Graph
    """The graph of the model."""
    window: tuple[int, ...]
    """The input size of the classifier, pixels."""
    effects: tuple[Effect, ...]
    """How its output on larger images differs from the classifier applied to crops; empty where it is equal."""
    memory: int
    """Limit on the outputs of layers, bytes."""

    @classmethod
    def of(
        cls,
        model: Any,
        *,
        graph: Graph | None = None,
        output: Literal["scores", "logits"] = "scores",
        memory: int | None = None,
    ) -> DenseScorer:
        """Create the scorer of a trained classifier.

        Args:
            memory: limit, bytes; by default half of the free memory of the machine.

        Raises:
            ArchspecError: those of `archspec.convolutionalize`.
        """
        graph = graph or graph_of(model)
        dense = dense_graph(graph, output=output)
        window = tuple(size or 0 for size in graph.input_shape[:-1])
        built = convolutionalize(model, graph=graph, output=output)
        limit = machine.free_memory() // 2 if memory is None else memory
        return cls(built, dense, window, dense_effects(graph, dense), limit)

    def __call__(self, images: npt.NDArray[np.float32], *, small: Small = "error") -> npt.NDArray[np.float32]:
        """The score maps (B, H', W', classes) of preprocessed images (B, H, W, C), float32.

        If memory is short, images are processed one by one, then in tiles, with the same result.

        Args:
            small: for images with a side below the classifier's input size: `error`, or `pad` with zeros on both sides.

        Raises:
            ArchspecError: before anything is allocated, `image-too-small`; `image-too-large` for an image that cannot
                be tiled, because the receptive field exceeds a tile or covers the whole image.
        """
        images = self._padded(images, small)
        shape: Shape = tuple(images.shape[1:])
        sized = at_size(self.graph, shape)
        bytes_each = bytes_of(sized)
        batch = self.memory // max(bytes_each, 1)
        if batch >= 1:
            parts = [self._run(images[at : at + batch]) for at in range(0, len(images), batch)]
            return np.concatenate(parts) if len(parts) > 1 else parts[0]
        grid = self._grid(sized, shape, bytes_each)
        result = np.empty((len(images), *(size or 0 for size in sized.output_shape)), np.float32)
        for index in range(len(images)):
            for places in itertools.product(*grid):
                pixels: tuple[Any, ...] = tuple(slice(tile.start, tile.stop) for tile in places)
                scores = self._run(images[(slice(index, index + 1), *pixels)])
                kept: tuple[Any, ...] = tuple(slice(tile.skip, tile.skip + tile.last - tile.first) for tile in places)
                place: tuple[Any, ...] = tuple(slice(tile.first, tile.last) for tile in places)
                result[(index, *place)] = scores[(0, *kept)]
        return result

    def check(self, shape: Shape) -> int:
        """Bytes that an image (H, W, C) needs as a whole.

        Raises:
            ArchspecError: `shape`; `image-too-large` where a call would raise it.
        """
        sized = at_size(self.graph, shape)
        if bytes_of(sized) > self.memory:
            self._grid(sized, shape, bytes_of(sized))
        return bytes_of(sized)

    def _run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(self._function(images))

    @cached_property
    def _function(self) -> Any:
        import tensorflow as tf

        @tf.function(autograph=False, input_signature=[tf.TensorSpec(self.model.inputs[0].shape, tf.float32)])  # type: ignore[untyped-decorator]
        def scores(images: Any) -> Any:
            return self.model(images, training=False)

        return scores

    def _padded(self, images: npt.NDArray[np.float32], small: Small) -> npt.NDArray[np.float32]:
        missing = [max(0, side - size) for side, size in zip(self.window, images.shape[1:], strict=False)]
        if not any(missing):
            return images
        if small == "error":
            try:
                at_size(self.graph, tuple(images.shape[1:]))
            except ArchspecError:
                sides = "x".join(map(str, images.shape[1:-1]))
                window = "x".join(map(str, self.window))
                raise fail(
                    "image-too-small",
                    f"an image of {sides} is too small for `{self.graph.name}`, which needs at least {window} pixels",
                    help='resize the image, or pad it with zeros by `small="pad"`',
                ) from None
            return images
        border = [(more // 2, more - more // 2) for more in missing]
        return np.pad(images, [(0, 0), *border, (0, 0)])

    def _grid(self, sized: Graph, shape: Shape, bytes_each: int) -> list[list[Tile]]:
        """The tiles of each axis, as large as the memory allows. Raises ArchspecError: `image-too-large`."""
        reach: tuple[Reach, ...] | None = reaches(self.graph) if can_tile(self.effects) else None
        limit = f"the limit is {byte_size(self.memory)}"
        needed = f"an image of {show(shape)} needs {byte_size(bytes_each)} of memory, and {limit}"
        if reach is None:
            notes = [str(effect) for effect in self.effects if not can_tile((effect,))]
            raise fail(
                "image-too-large",
                f"{needed}; this network cannot be applied in tiles",
                notes=notes,
                help="use a smaller image, or more memory",
            )
        share = (self.memory / bytes_each) ** (1 / len(reach))
        try:
            while True:
                lengths = [max(1, math.floor((size or 0) * share)) for size in shape[:-1]]
                axes = zip(shape[:-1], sized.output_shape[:-1], reach, lengths, strict=True)
                grid = [tiles(size or 0, count or 0, each, length) for size, count, each, length in axes]
                largest = tuple(max(tile.stop - tile.start for tile in axis) for axis in grid)
                if bytes_of(at_size(self.graph, (*largest, shape[-1]))) <= self.memory:
                    return grid
                if max(lengths) == 1:
                    raise fail("image-too-large", "a tile of a single pixel exceeds the limit", help="use more memory")
                share *= 0.9
        except ArchspecError as error:
            (diagnostic,) = error.diagnostics
            raise fail("image-too-large", needed, notes=[diagnostic.message], help=diagnostic.help) from None


def bytes_of(sized: Graph) -> int:
    """Peak memory for one image, bytes, by a graph of known size."""
    return int(peak_bytes(sized) * WORKSPACE)
