"""What multiplies and adds in each channel: an Affine. Several in a row compose, and cost one pass over an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.transforms.base import Transform

Factors = tuple[Any, Any]
"""(factor, offset), float32 (..., C) or (..., 1): x factor + offset; a None multiplies by 1, or adds nothing."""


class Affine(Transform):
    """Base of the transforms that compute x factor + offset in each channel, and nothing else."""

    def factors(self, tf: Any, draws: Any) -> Factors:
        """The Factors of images whose draws are (..., self.draws), float32 in [0, 1)."""
        raise NotImplementedError(f"{type(self).__name__}.factors")  # a plugin that forgot it


def composed(tf: Any, each: Sequence[Factors]) -> Factors:
    """One after the other: (x f + o) g + p = x f g + (o g + p)."""
    factor, offset = None, None
    for multiplied, added in each:
        if multiplied is not None:
            factor = multiplied if factor is None else factor * multiplied
            offset = None if offset is None else offset * multiplied
        if added is not None:
            offset = added if offset is None else offset + added
    return factor, offset


def applied(tf: Any, image: Any, factors: Factors) -> Any:
    """One image (H, W, C) times factor plus offset, (C,) each, as float32.

    A row at a time: TensorFlow broadcasts along three channels at half the speed.
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
