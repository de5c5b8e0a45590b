"""Affine transforms, which multiply and add in each channel. A sequence of them costs one pass over an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.transforms.base import Transform

Factors = tuple[Any, Any]
"""(factor, offset) of x factor + offset, float32 (..., C) or (..., 1); None for a factor of 1 or an offset of 0."""


class Affine(Transform):
    """Base of the transforms that only compute x factor + offset in each channel."""

    def factors(self, tf: Any, draws: Any) -> Factors:
        """The factors of images with draws (..., self.draws), float32 in [0, 1)."""
        raise NotImplementedError(f"{type(self).__name__}.factors")  # not implemented by a plugin


def composed(tf: Any, each: Sequence[Factors]) -> Factors:
    """The composition: (x f + o) g + p = x f g + (o g + p)."""
    factor, offset = None, None
    for multiplied, added in each:
        if multiplied is not None:
            factor = multiplied if factor is None else factor * multiplied
            offset = None if offset is None else offset * multiplied
        if added is not None:
            offset = added if offset is None else offset + added
    return factor, offset


def applied(tf: Any, image: Any, factors: Factors) -> Any:
    """One image (H, W, C) -> float32, times factor plus offset, (C,) each.

    Rows are flattened: TensorFlow is twice as fast as with broadcasting along three channels.
    """
    shape = tf.shape(image)
    rows = tf.reshape(tf.cast(image, tf.float32), (shape[0], -1))

    def row(values: Any) -> Any:
        return tf.tile(tf.broadcast_to(values, (image.shape[-1],)), shape[1:2])

    factor, offset = factors
    if factor is not None:
        rows *= row(factor)
    if offset is not None:
        rows += row(offset)
    return tf.ensure_shape(tf.reshape(rows, shape), image.shape)
