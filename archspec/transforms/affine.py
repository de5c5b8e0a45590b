"""Affine transforms, which multiply and add in each channel: scale, subtract_mean, normalize.

A sequence of them costs one pass over an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.declare import NUMBER, POSITIVE_NUMBER, arg, declared, for_each_channel
from archspec.diagnostics import counted
from archspec.ops.base import OpError, Shape, show
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


@declared
class Scale(Affine):
    """Multiply by `factor`, then add `offset`. The default scales grey levels 0 to 255 to 0 to 1.

    Shapes: any -> the same, float32.
    """

    name = "scale"
    examples = (({}, (5, 7, 3)), ({"factor": 0.5, "offset": -1}, (9, 2)))

    factor: float = arg(NUMBER, "multiplies the values", 1 / 255)
    offset: float = arg(NUMBER, "added to the product", 0.0)

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        return tf.cast(images, tf.float32) * self.factor + self.offset

    def factors(self, tf: Any, draws: Any) -> Factors:
        return _values(tf, self.factor), _values(tf, self.offset) if self.offset else None


@declared
class SubtractMean(Affine):
    """Subtract the mean of each channel over the training images (Simonyan & Zisserman 2014, section 2.1).

    Shapes: any -> the same, float32.
    """

    name = "subtract_mean"
    examples = (({"mean": [123.68, 116.78, 103.94]}, (5, 7, 3)), ({"mean": 3}, (9, 2)))

    mean: float | tuple[float, ...] = arg(
        for_each_channel(NUMBER),
        "mean of each channel, in the units of the input: grey levels, unless `scale` comes first",
    )

    def shape(self, image: Shape) -> Shape:
        _check_channels(self.mean, image, "mean")
        return image

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        return tf.cast(images, tf.float32) - tf.constant(self.mean, tf.float32)

    def factors(self, tf: Any, draws: Any) -> Factors:
        return None, -_values(tf, self.mean)


@declared
class Normalize(Affine):
    """Subtract the mean and divide by the standard deviation of each channel: (x - mean) / std.

    Shapes: any -> the same, float32. Both are in the units of the input: 0 to 1 after `scale`.
    """

    name = "normalize"
    examples = (({"mean": [120, 110, 100], "std": [58, 57, 56]}, (5, 7, 3)), ({"mean": 3, "std": 0.5}, (9, 2)))

    mean: float | tuple[float, ...] = arg(for_each_channel(NUMBER), "mean of each channel")
    std: float | tuple[float, ...] = arg(for_each_channel(POSITIVE_NUMBER), "standard deviation of each channel")

    def shape(self, image: Shape) -> Shape:
        _check_channels(self.mean, image, "mean")
        _check_channels(self.std, image, "std")
        return image

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        return (tf.cast(images, tf.float32) - tf.constant(self.mean, tf.float32)) / tf.constant(self.std, tf.float32)

    def factors(self, tf: Any, draws: Any) -> Factors:
        factor = 1 / _values(tf, self.std)
        return factor, -_values(tf, self.mean) * factor


def _values(tf: Any, values: float | tuple[float, ...]) -> Any:
    """float32 (C,), one for each channel, or (1,)."""
    return tf.constant(values if isinstance(values, tuple) else (values,), tf.float32)


def _check_channels(values: Any, image: Shape, argument: str) -> None:
    channels = image[-1]
    if isinstance(values, tuple) and channels is not None and len(values) not in (1, channels):
        here = counted(channels, "channel")
        raise OpError(f"`{argument}` has {counted(len(values), 'value')} for the {here} of {show(image)}", argument)
