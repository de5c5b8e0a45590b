"""The memory that a dense network needs for the images of a protocol, known before an image is decoded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from archspec.diagnostics import ArchspecError, fail
from archspec.graph.compile.inference import at_size
from archspec.ops.base import Shape
from archspec.protocols import ViewSet
from archspec.runtime.data.images import Images
from archspec.runtime.dense.scorer import DenseScorer, bytes_of
from archspec.runtime.evaluation.inference.rescale import Scale, rescaled_sides

if TYPE_CHECKING:
    from archspec.runtime.evaluation.inference.predictor import Predictor

STEP = 32
"""Sizes proposed in errors are multiples of this number of pixels."""


@dataclass(frozen=True)
class MemoryBudget:
    """The number of views that a dense network can process at once.

    Attributes:
        memory: limit on the outputs of its layers, bytes.
        per_pixel: bytes that these outputs need at their peak for each pixel of a view.
    """

    memory: float = math.inf
    per_pixel: float = 1.0

    def views(self, pixels: int) -> float:
        """How many views of that many pixels fit; below 1 where not even one fits as a whole."""
        return self.memory / (self.per_pixel * pixels)


def memory_budget(network: Predictor, images: Images, rows: Sequence[int], plan: Sequence[ViewSet]) -> MemoryBudget:
    """The budget for the images, from the largest of them at each scale.

    It has no limit on a GPU, where TensorFlow manages the memory, and for networks whose graph cannot be read.

    Raises:
        ArchspecError: `image-too-large` if the largest image does not fit and cannot be processed in tiles.
    """
    scales = list(dict.fromkeys((size, views.window) for views in plan if views.dense for size in views.sizes))
    scorer = network.scorer if scales and len(rows) else None
    if scorer is None:
        return MemoryBudget()
    sides = dict(zip(scales, rescaled_sides(images, rows, scales), strict=True))
    per_pixel = 1.0
    for views in plan:
        for scale in ((size, views.window) for size in views.sizes if views.dense):
            rescaled = sides[scale][np.argmax(sides[scale].prod(axis=1))]
            height, width = views.extent((int(rescaled[0]), int(rescaled[1])))
            shape = (height, width, network.input_shape[-1])
            try:
                needed = scorer.check(shape)
            except ArchspecError as error:
                raise _with_fitting_size(error, scorer, shape, scale) from None
            per_pixel = max(per_pixel, needed / (height * width))
    return MemoryBudget(scorer.memory, per_pixel)


def _with_fitting_size(error: ArchspecError, scorer: DenseScorer, shape: Shape, scale: Scale) -> ArchspecError:
    """The error with a size that fits in its help, if there is one. The memory grows with the square of the size."""
    (diagnostic,) = error.diagnostics
    size, window = scale
    if diagnostic.code != "image-too-large" or size is None:
        return error
    share = math.sqrt(scorer.memory / bytes_of(at_size(scorer.graph, shape)))
    fits = math.floor(size * share) // STEP * STEP
    if fits < max(window or (1, 1)):
        return error
    help = f"use a smaller size, such as `--protocol 'dense: {fits}'`, or more memory"
    return fail(diagnostic.code, diagnostic.message, notes=diagnostic.notes, help=help)
