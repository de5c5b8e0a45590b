"""The frame of an image: pad, random_crop, center_crop, random_shift."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from archspec.declare import NATURAL, POSITIVE, arg, declared
from archspec.ops.base import Shape
from archspec.transforms.base import Transform, sides, uniform_integer
from archspec.transforms.frame import Frame, Framing, view, whole
from archspec.transforms.resize import of_size, scaled_sides

SIDES = {"type": ["integer", "array"], "minimum": 1, "items": POSITIVE, "minItems": 2, "maxItems": 2}
GREY_LEVEL = {"type": "integer", "minimum": 0, "maximum": 255}
Sides = int | tuple[int, int] | None


@declared
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


class _Crop(Framing):
    """What random_crop and center_crop share: the size, and enlarging an image that is smaller than it."""

    size: Sides

    def for_input(self, input_shape: Shape) -> Self:
        sides(input_shape, self.name)
        return self if self.size is not None else replace(self, size=input_shape[:2])  # type: ignore[type-var]

    def shape(self, image: Shape) -> Shape:
        sides(image, self.name)
        return (*_pair(self.size), image[2])

    def covering(self, tf: Any, frame: Frame) -> tuple[Frame, Any, Any]:
        """The frame, enlarged to cover the window; the window's size; how many offsets it has; (..., 2) each."""
        size = of_size(tf, _pair(self.size), frame.size)  # a free side is left whole
        enlarged = scaled_sides(tf, frame.size, (size[..., 0], size[..., 1]))
        sides = tf.where(tf.reduce_all(frame.size >= size, -1, keepdims=True), frame.size, enlarged)
        return frame.resized(tf, sides), size, sides - size + 1


@declared
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

    def frame(self, tf: Any, frame: Frame, draws: Any) -> Frame:
        frame, size, places = self.covering(tf, frame)
        return frame.cropped(tf, uniform_integer(tf, draws, places), size)

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        size = _pair(self.size)
        if not _fits(images.shape[1:3], size):
            images = view(tf, images, self.covering(tf, whole(tf, tf.shape(images)[1:3]))[0])
        return tf.ensure_shape(crop_each(tf, images, size, draws), (images.shape[0], *size, images.shape[-1]))


@declared
class CenterCrop(_Crop):
    """Cut out the window in the middle; an odd remainder leaves the extra pixel below and to the right.

    Shapes: (H, W, C) -> (size, size, C). It first enlarges an image that is smaller than the window, as random_crop.
    """

    name = "center_crop"
    sizes = True
    examples = (({"size": 5}, (11, 8, 3)), ({"size": [4, 9]}, (7, 11, 1)), ({"size": 9}, (5, 7, 3)))

    size: Sides = arg(SIDES, "side of the window, pixels; [height, width] for two; default: the network's input", None)

    def frame(self, tf: Any, frame: Frame, draws: Any) -> Frame:
        frame, size, places = self.covering(tf, frame)
        return frame.cropped(tf, (places - 1) // 2, size)


@declared
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
