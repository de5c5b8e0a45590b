"""Random operations of one magnitude: rand_augment."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archspec.declare import arg
from archspec.transforms.base import PROBABILITY, Transform, uniform_integer
from archspec.transforms.color import blended, brightened, contrasted, saturated
from archspec.transforms.erase import GREY

STRONGEST = 30  # the largest magnitude
MOST = 4  # largest number of operations
Operation = Callable[..., Any]
"""(tf, images (1, H, W, 3) float32, level 0 to 1, sign -1.0 or 1.0, grey level of uncovered pixels) -> images."""


@dataclass(frozen=True)
class RandAugment(Transform):
    """Apply `count` operations, each drawn from 14, with the same magnitude (Cubuk et al. 2019, section 3).

    Shapes: (H, W, 3) -> the same, float32. The operations and their largest effects are torchvision's: identity;
    brightness, color, contrast and sharpness (by 0.9); posterize (to 4 bits); solarize; autocontrast; equalize; shear_x
    and shear_y (0.3); translate_x and translate_y (150 / 331 of the side); rotate (30 degrees). The sign is random.
    Magnitudes go up to 30; those of timm and of the authors' EfficientNets, up to 10, must be multiplied by 3.
    """

    name = "rand_augment"
    needs = "rgb"
    draws = 2 * MOST
    examples = (({}, (11, 7, 3)), ({"count": 3, "magnitude": 20, "value": 0, "p": 0.5}, (9, 14, 3)))

    count: int = arg({"type": "integer", "minimum": 1, "maximum": MOST}, "number of operations on an image", 2)
    magnitude: float = arg({"type": "number", "minimum": 0, "maximum": STRONGEST}, "strength of operations, 0 to 30", 9)
    value: float = arg(GREY, "grey level of uncovered pixels, 0 to 255", 128.0)
    p: float = arg(PROBABILITY, "probability that a drawn operation is applied, 0 to 1; timm uses 0.5", 1.0)

    @property
    def batched(self) -> bool:
        return False

    def apply(self, tf: Any, image: Any, draws: Any) -> Any:
        level, images = self.magnitude / STRONGEST, tf.cast(image, tf.float32)[None]
        for number in range(self.count):
            choice = uniform_integer(tf, draws[2 * number], len(OPERATIONS))
            halved = 2 * draws[2 * number + 1]
            sign = tf.where(halved < 1, -1.0, 1.0)
            choice = tf.where(halved - tf.floor(halved) < self.p, choice, 0)  # the rest of the draw is uniform too

            def branch(operation: Operation, images: Any = images, sign: Any = sign) -> Callable[[], Any]:
                return lambda: operation(tf, images, level, sign, self.value)

            images = tf.switch_case(choice, [branch(operation) for operation in OPERATIONS.values()])
        return tf.ensure_shape(images[0], image.shape)


def _nothing(tf: Any, images: Any, level: float, sign: Any, value: float) -> Any:
    return images


def _enhanced(function: Callable[[Any, Any, Any], Any]) -> Operation:
    return lambda tf, images, level, sign, value: function(tf, images, 1.0 + 0.9 * level * sign)


def _sharpened(tf: Any, images: Any, factor: Any) -> Any:
    """The images blended with their smoothed version (3 x 3), which has the original border."""
    kernel = tf.constant([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    inner = tf.nn.depthwise_conv2d(images, tf.tile(kernel[:, :, None, None], (1, 1, 3, 1)), (1, 1, 1, 1), "VALID")
    shape = tf.shape(images)
    row = (tf.range(shape[1]) > 0) & (tf.range(shape[1]) < shape[1] - 1)
    column = (tf.range(shape[2]) > 0) & (tf.range(shape[2]) < shape[2] - 1)
    inside = row[None, :, None, None] & column[None, None, :, None]
    return blended(tf, images, tf.where(inside, tf.pad(inner, [[0, 0], [1, 1], [1, 1], [0, 0]]), images), factor)


def _posterized(tf: Any, images: Any, level: float, sign: Any, value: float) -> Any:
    step = 2.0 ** round(4 * level)
    return tf.floor(images / step) * step


def _solarized(tf: Any, images: Any, level: float, sign: Any, value: float) -> Any:
    return tf.where(images >= 255 * (1 - level), 255 - images, images)


def _autocontrasted(tf: Any, images: Any, level: float, sign: Any, value: float) -> Any:
    """Each channel stretched to 0 to 255; a constant channel is unchanged."""
    low, high = (reduce(images, (1, 2), keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max))
    return tf.where(high > low, (images - low) * 255 / tf.maximum(high - low, 1e-6), images)


def _equalized(tf: Any, images: Any, level: float, sign: Any, value: float) -> Any:
    """Histogram equalization of each channel, as Pillow's ImageOps.equalize."""
    levels = tf.cast(tf.clip_by_value(tf.round(images), 0.0, 255.0), tf.int32)

    def channel(index: int) -> Any:
        here = levels[..., index]
        counts = tf.math.bincount(tf.reshape(here, (-1,)), minlength=256, maxlength=256)
        step = (tf.size(here) - counts[tf.reduce_max(here)]) // 255
        table = (step // 2 + tf.cumsum(counts, exclusive=True)) // tf.maximum(step, 1)
        return tf.where(step > 0, tf.gather(tf.minimum(table, 255), here), here)

    return tf.cast(tf.stack([channel(index) for index in range(3)], -1), tf.float32)


def _moved(place: Callable[..., tuple[Any, ...]]) -> Operation:
    """The operation of an affine map from positions in the result to positions in the image.

    place(tf, height, width, level, sign) returns (a, b, c, d, e, f): x' = a x + b y + c, y' = d x + e y + f, in pixels.
    """

    def operation(tf: Any, images: Any, level: float, sign: Any, value: float) -> Any:
        sides = tf.shape(images)[1:3]
        height, width = tf.cast(sides[0], tf.float32), tf.cast(sides[1], tf.float32)
        numbers = [tf.cast(number, tf.float32) for number in (*place(tf, height, width, level, sign), 0, 0)]
        moved = tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=tf.stack(numbers)[None],
            output_shape=sides,
            fill_value=value,
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
        )
        return tf.ensure_shape(moved, images.shape)

    return operation


def _rotation(tf: Any, height: Any, width: Any, level: float, sign: Any) -> tuple[Any, ...]:
    angle = math.radians(30 * level) * sign
    cosine, sine = tf.cos(angle), tf.sin(angle)
    x, y = (width - 1) / 2, (height - 1) / 2  # rotation about the center
    return cosine, -sine, x - cosine * x + sine * y, sine, cosine, y - sine * x - cosine * y


TRANSLATION = 150 / 331
OPERATIONS: dict[str, Operation] = {
    "nothing": _nothing,
    "brightness": _enhanced(brightened),
    "color": _enhanced(saturated),
    "contrast": _enhanced(contrasted),
    "sharpness": _enhanced(_sharpened),
    "posterize": _posterized,
    "solarize": _solarized,
    "autocontrast": _autocontrasted,
    "equalize": _equalized,
    "shear_x": _moved(lambda tf, height, width, level, sign: (1, 0.3 * level * sign, 0, 0, 1, 0)),
    "shear_y": _moved(lambda tf, height, width, level, sign: (1, 0, 0, 0.3 * level * sign, 1, 0)),
    "translate_x": _moved(lambda tf, height, width, level, sign: (1, 0, TRANSLATION * level * sign * width, 0, 1, 0)),
    "translate_y": _moved(lambda tf, height, width, level, sign: (1, 0, 0, 0, 1, TRANSLATION * level * sign * height)),
    "rotate": _moved(_rotation),
}
"""The operations by torchvision's names; a draw selects one by its position."""
