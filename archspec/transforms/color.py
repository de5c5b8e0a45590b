"""Transforms of color: pca_color, color_jitter. Grey levels are 0 to 255."""

from __future__ import annotations

import math
from typing import Any

from archspec.declare import NUMBER, arg, declared
from archspec.transforms.affine import Affine, Factors
from archspec.transforms.base import Transform

AMOUNT = {"type": "number", "minimum": 0}
THREE = {"type": "array", "items": NUMBER, "minItems": 3, "maxItems": 3}
MATRIX = {"type": "array", "items": THREE, "minItems": 3, "maxItems": 3}
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


@declared
class PcaColor(Affine):
    """Add a random color along the principal components of RGB to all pixels (Krizhevsky et al. 2012, section 4.1).

    Shapes: (H, W, 3) -> the same, float32, not clipped. The color of an image is
    sum_i a_i deviations_i components_i with a_i drawn from N(0, std). `archspec data check` prints the deviations and
    components of a data set.
    """

    name = "pca_color"
    needs = "rgb"
    draws = 4
    examples = (({}, (5, 7, 3)), ({"std": 0.5, "deviations": [9, 4, 1]}, (9, 4, 3)))

    std: float = arg(AMOUNT, "standard deviation of the three draws", 0.1)
    deviations: tuple[float, ...] = arg(
        THREE,
        "standard deviations along the components, grey levels; the default is ImageNet's",
        (55.46, 4.794, 1.148),
    )
    components: tuple[tuple[float, ...], ...] = arg(
        MATRIX,
        "three unit vectors (red, green, blue), one in each row; the default is ImageNet's",
        ((-0.5675, -0.5808, -0.5836), (0.7192, -0.0045, -0.6948), (0.4009, -0.814, 0.4203)),
    )

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        return tf.cast(images, tf.float32) + self.factors(tf, draws)[1][:, None, None, :]

    def factors(self, tf: Any, draws: Any) -> Factors:
        scaled = normal(tf, draws)[:, :3] * tf.constant(self.deviations, tf.float32) * self.std
        return None, tf.matmul(scaled, tf.constant(self.components, tf.float32))


@declared
class ColorJitter(Transform):
    """Change brightness, contrast, saturation and hue by random amounts, in this order.

    Shapes: (H, W, 3) -> the same, float32, clipped to 0 to 255 after each step. Each factor is drawn from
    [max(0, 1 - amount), 1 + amount], and the rotation of the hue from [-hue, hue]. torchvision's ColorJitter has the
    same steps in random order. Brightness multiplies, contrast blends with the mean luminance, saturation blends with
    the grey image.
    """

    name = "color_jitter"
    needs = "rgb"
    draws = 4
    examples = (
        ({"brightness": 0.4}, (5, 7, 3)),
        ({"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}, (9, 4, 3)),
    )

    brightness: float = arg(AMOUNT, "largest relative change of brightness", 0.0)
    contrast: float = arg(AMOUNT, "largest relative change of contrast", 0.0)
    saturation: float = arg(AMOUNT, "largest relative change of saturation", 0.0)
    hue: float = arg(
        {"type": "number", "minimum": 0, "maximum": 0.5}, "largest rotation of the hue; 0.5 is a half turn", 0
    )

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        images = tf.cast(images, tf.float32)

        def factor(amount: float, column: int) -> Any:
            low, high = max(0.0, 1.0 - amount), 1.0 + amount
            return (low + (high - low) * draws[:, column])[:, None, None, None]

        changes = ((self.brightness, brightened), (self.contrast, contrasted), (self.saturation, saturated))
        for column, (amount, changed) in enumerate(changes):
            if amount:
                images = changed(tf, images, factor(amount, column))
        if self.hue:
            turn = self.hue * (2 * draws[:, 3] - 1)
            hsv = tf.image.rgb_to_hsv(images / 255)
            hue = tf.math.floormod(hsv[..., :1] + turn[:, None, None, None], 1.0)
            images = tf.clip_by_value(tf.image.hsv_to_rgb(tf.concat([hue, hsv[..., 1:]], -1)) * 255, 0.0, 255.0)
        return images


def normal(tf: Any, draws: Any) -> Any:
    """Draws (b, 2 n) in [0, 1) -> independent standard normal samples, (b, 2 n) (Box and Muller)."""
    half = draws.shape[-1] // 2
    radius = tf.sqrt(-2 * tf.math.log1p(-draws[:, :half]))
    angle = 2 * math.pi * draws[:, half:]
    return tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], -1)


def blended(tf: Any, images: Any, other: Any, factor: Any) -> Any:
    """other + factor (images - other), clipped to 0 to 255."""
    return tf.clip_by_value(other + factor * (images - other), 0.0, 255.0)


def brightened(tf: Any, images: Any, factor: Any) -> Any:
    """The images blended with black."""
    return blended(tf, images, tf.zeros_like(images), factor)


def contrasted(tf: Any, images: Any, factor: Any) -> Any:
    """The images blended with the mean luminance of each."""
    return blended(tf, images, tf.reduce_mean(luminance(tf, images), (1, 2), keepdims=True), factor)


def saturated(tf: Any, images: Any, factor: Any) -> Any:
    """The images blended with the grey images."""
    return blended(tf, images, luminance(tf, images), factor)


def luminance(tf: Any, images: Any) -> Any:
    """(b, H, W, 3) -> (b, H, W, 1); for other numbers of channels, their mean."""
    if images.shape[-1] != 3:
        return tf.reduce_mean(images, -1, keepdims=True)
    return tf.reduce_sum(images * tf.constant(LUMINANCE), -1, keepdims=True)
