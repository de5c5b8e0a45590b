"""What a dense network needs for the images of a protocol, and what there is: known before one of them is decoded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from archspec.diagnostics import ArchspecError, fail
from archspec.graph.rewrite.reinfer import at_size
from archspec.ops.base import Shape
from archspec.protocols import ViewSet
from archspec.runtime.data.images import Images
from archspec.runtime.dense.scorer import DenseScorer, bytes_of
from archspec.runtime.evaluation.protocols.rescale import Scale, rescaled_sides

if TYPE_CHECKING:
    from archspec.runtime.evaluation.protocols.predictor import Classifier

STEP = 32
"""Pixels: the sizes that are proposed are multiples of it."""


@dataclass(frozen=True)
class Room:
    """How many views a dense network can take at once.

    Attributes:
        memory: what the outputs of its layers may take, bytes.
        each: what they take at their peak for each pixel of a view, bytes.
    """

    memory: float = math.inf
    each: float = 1.0

    def views(self, pixels: int) -> float:
        """Of so many pixels; below 1 where not even one is taken as a whole."""
        return self.memory / (self.each * pixels)


def room(network: Classifier, images: Images, rows: Sequence[int], parts: Sequence[ViewSet]) -> Room:
    """The Room for all of the images, by the largest of them at each scale.

    On a GPU, whose memory TensorFlow minds itself, and for networks whose graph cannot be read, it has no bounds.

    Raises ArchspecError: `image-too-large` where the largest neither fits nor can be taken in tiles.
    """
    scales = list(dict.fromkeys((size, part.window) for part in parts if part.dense for size in part.sizes))
    scorer = network.scorer if scales and len(rows) else None
    if scorer is None:
        return Room()
    sides = dict(zip(scales, rescaled_sides(images, rows, scales), strict=True))
    each = 1.0
    for part in parts:
        for scale in ((size, part.window) for size in part.sizes if part.dense):
            rescaled = sides[scale][np.argmax(sides[scale].prod(axis=1))]
            height, width = part.extent((int(rescaled[0]), int(rescaled[1])))
            shape = (height, width, network.input_shape[-1])
            try:
                needed = scorer.check(shape)
            except ArchspecError as error:
                raise _with_a_smaller_size(error, scorer, shape, scale) from None
            each = max(each, needed / (height * width))
    return Room(scorer.memory, each)


def _with_a_smaller_size(error: ArchspecError, scorer: DenseScorer, shape: Shape, scale: Scale) -> ArchspecError:
    """The error, with a size that fits in its help where there is one: memory grows with the square of it."""
    (diagnostic,) = error.diagnostics
    size, window = scale
    if diagnostic.code != "image-too-large" or size is None:
        return error
    share = math.sqrt(scorer.memory / bytes_of(at_size(scorer.graph, shape)))
    fits = math.floor(size * share) // STEP * STEP
    if fits < max(window or (1, 1)):
        return error
    help = f"a smaller size, such as `--protocol 'dense: {fits}'`, or more memory"
    return fail(diagnostic.code, diagnostic.message, notes=diagnostic.notes, help=help)
