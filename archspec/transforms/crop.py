"""Crops and borders: pad, random_crop, center_crop, random_shift."""

from __future__ import annotations

from typing import Any

from archspec.declare import NATURAL, arg, declared
from archspec.ops.base import Shape
from archspec.transforms.base import Transform, uniform_integer
from archspec.transforms.frame import SIDES, Frame, Sides, SizedFraming, view, whole
from archspec.transforms.resize import of_size, scaled_sides

GREY_LEVEL = {"type": "integer", "minimum": 0, "maximum": 255}


@declared
class Pad(Transform):
    """Add a border of one grey level around the image.

    Shapes: (H, W, C) -> (H + 2 pixels, W + 2 pixels, C).
    With `random_crop`, it is the augmentation of He et al. 2015, section 4.2, where `pixels` is 4.
    """

    name = "pad"
    needs = "image"
    sizes = True
    examples = (({"pixels": 2}, (11, 7, 3)), ({"pixels": 1, "value": 128}, (5, 7, 1)))

    pixels: int = arg(NATURAL, "width of the border, pixels")
    value: int = arg(GREY_LEVEL, "its grey level in every channel, 0 to 255", 0)

    def shape(self, image: Shape) -> Shape:
        height, width, channels = super().shape(image)
        return (*(None if side is None else side + 2 * self.pixels for side in (height, width)), channels)

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        border = [self.pixels, self.pixels]
        return tf.pad(images, [[0, 0], border, border, [0, 0]], constant_values=tf.cast(self.value, images.dtype))


class _Crop(SizedFraming):
    """Base of random_crop and center_crop, which enlarge images that are smaller than the window."""

    def covering(self, tf: Any, frame: Frame) -> tuple[Frame, Any, Any]:
        """The frame, enlarged to cover the window; the size of the window; its number of positions; (..., 2) each."""
        size = of_size(tf, self.window, frame.size)  # a side of None is not cropped
        enlarged = scaled_sides(tf, frame.size, (size[..., 0], size[..., 1]))
        sides = tf.where(tf.reduce_all(frame.size >= size, -1, keepdims=True), frame.size, enlarged)
        return frame.resized(tf, sides), size, sides - size + 1


@declared
class RandomCrop(_Crop):
    """Cut out a window at a uniformly random position (Krizhevsky et al. 2012, section 4.1).

    Shapes: (H, W, C) -> (size, size, C). Like Keras's RandomCrop, it first enlarges an image that is smaller than the
    window.
    """

    name = "random_crop"
    draws = 2
    examples = (({"size": 5}, (11, 7, 3)), ({"size": [9, 4]}, (11, 7, 1)), ({"size": [9, 13]}, (5, 11, 3)))

    size: Sides = arg(SIDES, "side of the window, pixels, or [height, width]; the default is the network's input", None)

    def frame(self, tf: Any, frame: Frame, draws: Any) -> Frame:
        frame, size, places = self.covering(tf, frame)
        return frame.cropped(tf, uniform_integer(tf, draws, places), size)

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        size = self.window
        if not _fits(images.shape[1:3], size):
            images = view(tf, images, self.covering(tf, whole(tf, tf.shape(images)[1:3]))[0])
        return tf.ensure_shape(crop_each(tf, images, size, draws), (images.shape[0], *size, images.shape[-1]))


@declared
class CenterCrop(_Crop):
    """Cut out the central window; an odd remainder leaves the extra pixel below and to the right.

    Shapes: (H, W, C) -> (size, size, C). It first enlarges an image that is smaller than the window, like random_crop.
    """

    name = "center_crop"
    examples = (({"size": 5}, (11, 8, 3)), ({"size": [4, 9]}, (7, 11, 1)), ({"size": 9}, (5, 7, 3)))

    size: Sides = arg(SIDES, "side of the window, pixels, or [height, width]; the default is the network's input", None)

    def frame(self, tf: Any, frame: Frame, draws: Any) -> Frame:
        frame, size, places = self.covering(tf, frame)
        return frame.cropped(tf, (places - 1) // 2, size)


@declared
class RandomShift(Transform):
    """Shift the image by a uniformly random number of pixels along each axis; uncovered pixels become black.

    Shapes: (H, W, C) -> (H, W, C). The simplest distortion of Simard et al. 2003, section 2.
    """

    name = "random_shift"
    needs = "image"
    draws = 2
    examples = (({"pixels": 2}, (11, 7, 3)), ({"pixels": 9}, (5, 7, 1)))

    pixels: int = arg(NATURAL, "largest shift, pixels")

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        framed = Pad(self.pixels).apply_batch(tf, images, draws)
        height, width = images.shape[1:3]
        shape = tf.shape(images)
        size = (shape[1] if height is None else height, shape[2] if width is None else width)
        return tf.ensure_shape(crop_each(tf, framed, size, draws), images.shape)


def crop_each(tf: Any, images: Any, size: tuple[Any, Any], draws: Any) -> Any:
    """Windows of `size` at random positions of the images (b, H, W, C), by two gathers for the whole batch.

    draws (b, 2): for the row and the column. A side of None is not cropped.
    """
    shape = tf.shape(images)
    for axis, side in enumerate(size):
        if side is not None:
            first = uniform_integer(tf, draws[:, axis], shape[1 + axis] - side + 1)
            images = tf.gather(images, first[:, None] + tf.range(side), axis=1 + axis, batch_dims=1)
    return images


def _fits(image: Any, size: tuple[int | None, int | None]) -> bool:
    """Whether the window is known to fit into the image."""
    return all(new is None or (old is not None and new <= old) for old, new in zip(image, size, strict=True))
