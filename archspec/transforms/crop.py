"""The frame of an image: pad, random_crop, center_crop, random_shift."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from archspec.declare import NATURAL, POSITIVE, arg
from archspec.ops.base import Shape
from archspec.transforms.base import Transform, sides, uniform_integer
from archspec.transforms.resize import scaled_sides, window

SIDES = {"type": ["integer", "array"], "minimum": 1, "items": POSITIVE, "minItems": 2, "maxItems": 2}
GREY_LEVEL = {"type": "integer", "minimum": 0, "maximum": 255}
Sides = int | tuple[int, int] | None


@dataclass(frozen=True)
class Pad(Transform):
    """Put a border of one grey level around the image.

    Shapes: (H, W, C) -> (H + 2 pixels, W + 2 pixels, C).
    With `random_crop` it is the augmentation of He et al. 2015, section 4.2, where `pixels` is 4.
    """

    name = "pad"
    sizes = True
    examples = (({"pixels": 2}, (11, 7, 3)), ({"pixels": 1, "value": 128}, (5, 7, 1)))

    pixels: int = arg(NATURAL, "width of the border, pixels")
    value: int = arg(GREY_LEVEL, "its grey level, 0 to 255, in every channel", 0)

    def shape(self, image: Shape) -> Shape:
        height, width = sides(image, self.name)
        return (*(None if side is None else side + 2 * self.pixels for side in (height, width)), image[2])

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        border = [self.pixels, self.pixels]
        return tf.pad(images, [[0, 0], border, border, [0, 0]], constant_values=tf.cast(self.value, images.dtype))


class _Crop(Transform):
    """What random_crop and center_crop share: the size, and enlarging an image that is smaller than it."""

    size: Sides

    def for_input(self, input_shape: Shape) -> Self:
        sides(input_shape, self.name)
        return self if self.size is not None else replace(self, size=input_shape[:2])  # type: ignore[type-var]

    def shape(self, image: Shape) -> Shape:
        sides(image, self.name)
        return (*_pair(self.size), image[2])

    def cover(self, tf: Any, images: Any) -> tuple[Any, Any, Any]:
        """The sides that the images are to have before the crop, the size (2,), how many offsets there are (2,)."""
        size = tuple(_pair(self.size))
        old = tf.cast(tf.shape(images)[1:3], tf.int64)
        if any(side is None for side in size):  # a free side is left whole
            size = tuple(old[axis] if side is None else side for axis, side in enumerate(size))
        size = tf.cast(tf.stack(size), tf.int64)
        covering = scaled_sides(tf, images, (size[0], size[1]))
        scaled = tf.where(tf.reduce_all(old >= size), old, covering)
        return scaled, size, scaled - size + 1

    def shaped(self, tf: Any, images: Any, cropped: Any) -> Any:
        return tf.ensure_shape(cropped, (images.shape[0], *_pair(self.size), images.shape[-1]))


@dataclass(frozen=True)
class RandomCrop(_Crop):
    """Cut out a window at a random place, each place equally likely (Krizhevsky et al. 2012, section 4.1).

    Shapes: (H, W, C) -> (size, size, C). As Keras's RandomCrop, it first enlarges an image that is smaller than
    the window until the image covers it.
    """

    name = "random_crop"
    draws = 2
    sizes = True
    examples = (({"size": 5}, (11, 7, 3)), ({"size": [9, 4]}, (11, 7, 1)), ({"size": [9, 13]}, (5, 11, 3)))

    size: Sides = arg(SIDES, "side of the window, pixels; [height, width] for two; default: the network's input", None)

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        size = _pair(self.size)
        if not _fits(images.shape[1:3], size):
            scaled, _, _ = self.cover(tf, images)
            images = window(tf, images, scaled, (0, 0), scaled)
        return self.shaped(tf, images, crop_each(tf, images, size, draws))

    def apply(self, tf: Any, image: Any, draws: Any) -> Any:
        images = image[None]
        scaled, size, places = self.cover(tf, images)
        offset = uniform_integer(tf, draws, places)
        return self.shaped(tf, images, window(tf, images, scaled, offset, size))[0]


@dataclass(frozen=True)
class CenterCrop(_Crop):
    """Cut out the window in the middle; an odd remainder leaves the extra pixel below and to the right.

    Shapes: (H, W, C) -> (size, size, C). It first enlarges an image that is smaller than the window, as random_crop.
    """

    name = "center_crop"
    sizes = True
    examples = (({"size": 5}, (11, 8, 3)), ({"size": [4, 9]}, (7, 11, 1)), ({"size": 9}, (5, 7, 3)))

    size: Sides = arg(SIDES, "side of the window, pixels; [height, width] for two; default: the network's input", None)

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        scaled, size, places = self.cover(tf, images)
        return self.shaped(tf, images, window(tf, images, scaled, (places - 1) // 2, size))


@dataclass(frozen=True)
class RandomShift(Transform):
    """Move the image by up to `pixels` along each axis, each shift equally likely; what is uncovered becomes black.

    Shapes: (H, W, C) -> (H, W, C). The simplest of the distortions of Simard et al. 2003, section 2.
    """

    name = "random_shift"
    draws = 2
    examples = (({"pixels": 2}, (11, 7, 3)), ({"pixels": 9}, (5, 7, 1)))

    pixels: int = arg(NATURAL, "greatest shift, pixels")

    def shape(self, image: Shape) -> Shape:
        sides(image, self.name)
        return image

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        framed = Pad(self.pixels).apply_batch(tf, images, draws)
        height, width = images.shape[1:3]
        shape = tf.shape(images)
        size = (shape[1] if height is None else height, shape[2] if width is None else width)
        return tf.ensure_shape(crop_each(tf, framed, size, draws), images.shape)


def crop_each(tf: Any, images: Any, size: tuple[Any, Any], draws: Any) -> Any:
    """Windows of `size` from the images (b, H, W, C), each at its own place: two gathers for the whole batch.

    draws (b, 2): one for the row, one for the column. A None in `size` leaves that side whole.
    """
    shape = tf.shape(images)
    for axis, side in enumerate(size):
        if side is not None:
            first = uniform_integer(tf, draws[:, axis], shape[1 + axis] - side + 1)
            images = tf.gather(images, first[:, None] + tf.range(side), axis=1 + axis, batch_dims=1)
    return images


def _pair(size: Sides) -> tuple[int | None, int | None]:
    return size if isinstance(size, tuple) else (size, size)


def _fits(image: Any, size: tuple[int | None, int | None]) -> bool:
    """Whether the window is known not to exceed the image."""
    return all(new is None or (old is not None and new <= old) for old, new in zip(image, size, strict=True))
