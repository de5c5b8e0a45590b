"""Score maps of whole images, whatever their size: small ones padded or refused, large ones in tiles."""

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
from archspec.graph.ir import Graph
from archspec.graph.rewrite.fully_convolutional import convolutionalize as dense_graph
from archspec.graph.rewrite.padding_effects import Effect, dense_effects
from archspec.graph.rewrite.reinfer import at_size
from archspec.graph.rewrite.tiling import Reach, Tile, can_tile, peak_bytes, reaches, tiles
from archspec.ops.base import Shape, show
from archspec.runtime.dense.convert import copy_weights, graph_of
from archspec.runtime.models.build import build_model
from archspec.runtime.system import memory as machine

Small = Literal["error", "pad"]
WORKSPACE = 2.0
"""What inference takes at its peak over the outputs that are alive: 1.1 to 1.6 on ResNet-18 and SqueezeNet, so 2."""


@dataclass(frozen=True)
class DenseScorer:
    """The dense form of a classifier, to be applied to images of any size, one size a batch."""

    model: Any
    """(None, None, None, C) -> (batch, H', W', classes)."""
    graph: Graph
    """Of that model."""
    window: tuple[int, ...]
    """The training size, pixels."""
    effects: tuple[Effect, ...]
    memory: int
    """What the outputs of layers may take, bytes."""

    @classmethod
    def of(
        cls,
        model: Any,
        *,
        graph: Graph | None = None,
        output: Literal["scores", "logits"] = "scores",
        memory: int | None = None,
    ) -> DenseScorer:
        """Of a trained classifier; `memory` in bytes is by default half of what the machine has free.

        Raises ArchspecError: those of `archspec.runtime.dense.convert.convolutionalize`.
        """
        graph = graph or graph_of(model)
        dense = dense_graph(graph, output=output)
        built = build_model(dense)
        copy_weights(model, built)
        window = tuple(size or 0 for size in graph.input_shape[:-1])
        return cls(
            built, dense, window, dense_effects(graph, dense), machine.free_memory() // 2 if memory is None else memory
        )

    def __call__(self, images: npt.NDArray[np.float32], *, small: Small = "error") -> npt.NDArray[np.float32]:
        """The score maps (batch, H', W', classes) of images (batch, H, W, C), float32 as the network takes them.

        Args:
            small: of an image with a side below the training size: `error`, or `pad`, zeros on both sides up to it.

        Where the memory does not suffice images go one by one, then in tiles, with the same result.

        Raises ArchspecError, before anything is allocated: `image-too-small`, `image-too-large` for one that cannot be
            tiled, because its positions see more than a tile holds, or the whole image.
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

        Raises ArchspecError: `shape`, and `image-too-large` where a call would, because tiles do not help either.
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
                message = f"an image of {sides} is too small for `{self.graph.name}`, whose window has {window} pixels"
                help = 'resize it to that, or let zeros surround it: `small="pad"`'
                raise fail("image-too-small", message, help=help) from None
            return images
        border = [(more // 2, more - more // 2) for more in missing]
        return np.pad(images, [(0, 0), *border, (0, 0)])

    def _grid(self, sized: Graph, shape: Shape, bytes_each: int) -> list[list[Tile]]:
        """The tiles of each axis: as long as the memory allows. Raises ArchspecError."""
        reach: tuple[Reach, ...] | None = reaches(self.graph) if can_tile(self.effects) else None
        needed = f"an image of {show(shape)} needs {byte_size(bytes_each)}, and {byte_size(self.memory)} may be used"
        if reach is None:
            notes = [str(effect) for effect in self.effects if not can_tile((effect,))]
            help = "a smaller image, or more memory"
            raise fail("image-too-large", f"{needed}; this network cannot look at it in tiles", notes=notes, help=help)
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
                    raise fail("image-too-large", "the outputs for a single pixel need more", help="more memory")
                share *= 0.9
        except ArchspecError as error:
            (diagnostic,) = error.diagnostics
            raise fail("image-too-large", needed, notes=[diagnostic.message], help=diagnostic.help) from None


def bytes_of(sized: Graph) -> int:
    """What one image takes at its peak, bytes: of a graph of known size."""
    return int(peak_bytes(sized) * WORKSPACE)
