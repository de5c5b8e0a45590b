"""Transforms that hide a part of an image: random_erasing, cutout."""

from __future__ import annotations

import math
from typing import Any

from archspec.declare import POSITIVE, arg, declared
from archspec.ops.base import Shape
from archspec.transforms.base import PROBABILITY, Transform, check_range, uniform_integer

RANGE = {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 2, "maxItems": 2}
GREY = {"type": "number", "minimum": 0, "maximum": 255}


@declared
class Cutout(Transform):
    """Hide a square with its center anywhere in the image (DeVries & Taylor 2017, section 3.1).

    Shapes: (H, W, C) -> (H, W, C). The part of the square beyond the border is cut off.
    """

    name = "cutout"
    needs = "image"
    draws = 2
    examples = (({"size": 4}, (11, 7, 3)), ({"size": 3, "value": 128}, (5, 7, 1)))

    size: int = arg(POSITIVE, "side of the square, pixels: 16 for CIFAR-10, 8 for CIFAR-100")
    value: float = arg(GREY, "its grey level, 0 to 255", 0.0)

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        centre = uniform_integer(tf, draws, tf.shape(images)[1:3])
        first = centre - self.size // 2
        return filled(tf, images, first, tf.fill(tf.shape(first), self.size), self.value)


@declared
class RandomErasing(Transform):
    """Hide a rectangle of random area and shape with probability `p` (Zhong et al. 2017, section 3).

    Shapes: (H, W, C) -> (H, W, C). A rectangle with a side longer than the image's is cut to it; the paper draws again.
    """

    name = "random_erasing"
    needs = "image"
    draws = 5
    examples = (({}, (11, 7, 3)), ({"p": 1, "area": [0.2, 0.3], "value": 0}, (9, 5, 1)))

    p: float = arg(PROBABILITY, "probability, 0 to 1", 0.5)
    area: tuple[float, float] = arg(RANGE, "[smallest, largest] share of the image's area", (0.02, 0.4))
    ratio: tuple[float, float] = arg(
        RANGE, "[smallest, largest] height / width, drawn on a logarithmic scale", (0.3, 3.33)
    )
    value: float = arg(GREY, "its grey level, 0 to 255", 127.0)

    def shape(self, image: Shape) -> Shape:
        check_range(self.area, "area", 1.0)
        check_range(self.ratio, "ratio")
        return super().shape(image)

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        old = tf.shape(images)[1:3]
        size = tf.clip_by_value(rectangles(tf, old, self.area, self.ratio, draws[:, 1:3]), 1, old)
        size = tf.where(draws[:, :1] < self.p, size, 0)
        return filled(tf, images, uniform_integer(tf, draws[:, 3:5], old - size + 1), size, self.value)


def rectangles(tf: Any, old: Any, area: tuple[float, float], ratio: tuple[float, float], draws: Any) -> Any:
    """(height, width) of random rectangles, int32 (..., 2), for images of sides `old` (..., 2), which they may exceed.

    draws (..., 2): for the share of the area (uniform), and for height / width (uniform in its logarithm).
    """
    low, high = math.log(ratio[0]), math.log(ratio[1])
    pixels = (area[0] + (area[1] - area[0]) * draws[..., 0]) * tf.cast(tf.reduce_prod(old, -1), tf.float32)
    shape = tf.exp(low + (high - low) * draws[..., 1])
    size = tf.stack([tf.sqrt(pixels * shape), tf.sqrt(pixels / shape)], -1)
    return tf.cast(tf.round(size), tf.int32)


def filled(tf: Any, images: Any, first: Any, size: Any, value: float) -> Any:
    """Images (b, H, W, C) with `value` in a rectangle of each, of corner `first` and `size`, int32 (b, 2) each."""
    shape = tf.shape(images)

    def inside(axis: int) -> Any:
        places = tf.range(shape[1 + axis])
        begin = first[:, axis, None]
        return (places >= begin) & (places < begin + size[:, axis, None])

    hidden = inside(0)[:, :, None, None] & inside(1)[:, None, :, None]
    return tf.where(hidden, tf.cast(value, images.dtype), images)
