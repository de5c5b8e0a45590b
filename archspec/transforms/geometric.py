"""Geometric transforms: resizes, crops, borders, shifts and flips."""

from __future__ import annotations

from typing import Any

from archspec.declare import NATURAL, arg, choice, declared
from archspec.ops.base import Shape
from archspec.transforms.base import PROBABILITY, Transform, check_range, uniform_integer
from archspec.transforms.erase import RANGE, rectangles
from archspec.transforms.frame import (
    LONGEST,
    SIDES,
    Frame,
    Framing,
    Sides,
    SizedFraming,
    of_size,
    rounded,
    scaled_sides,
    view,
    whole,
)

TRIES = 10  # draws of a random_resized_crop
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


@declared
class _Crop(SizedFraming):
    """Base of random_crop and center_crop, which enlarge images that are smaller than the window."""

    size: Sides = arg(SIDES, "side of the window, pixels, or [height, width]; the default is the network's input", None)

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


@declared
class RandomResizedCrop(SizedFraming):
    """Cut out a window of random area and shape, and resize it to `size` (Szegedy et al. 2014, section 6).

    Shapes: (H, W, C) -> (size, size, C). As in torchvision, a window that exceeds a side is drawn again; after ten
    attempts, it is the largest central window that `ratio` allows. For 4:3 photographs, a quarter of the windows are
    drawn again, and the mean share of the area is 0.43.
    """

    name = "random_resized_crop"
    draws = 2 * TRIES + 2
    examples = (({"size": 5}, (11, 7, 3)), ({"size": [9, 4], "area": [0.5, 1]}, (11, 7, 1)))

    size: Sides = arg(SIDES, "side of the result, pixels, or [height, width]; the default is the network's input", None)
    area: tuple[float, float] = arg(RANGE, "[smallest, largest] share of the image's area", (0.08, 1.0))
    ratio: tuple[float, float] = arg(RANGE, "[smallest, largest] height / width of the window", (3 / 4, 4 / 3))

    @property
    def batched(self) -> bool:
        return False

    def shape(self, image: Shape) -> Shape:
        check_range(self.area, "area", 1.0)
        check_range(self.ratio, "ratio")
        return super().shape(image)

    def frame(self, tf: Any, frame: Frame, draws: Any) -> Frame:
        window, drawn_one = fallback(tf, frame.size, self.ratio), tf.zeros_like(frame.size[..., :1], tf.bool)
        for tried in reversed(range(TRIES)):  # so that the first window that fits is used
            own = draws[..., 2 * tried : 2 * tried + 2]
            drawn = tf.cast(rectangles(tf, frame.size, self.area, self.ratio, own), tf.int64)
            fits = tf.reduce_all((drawn >= 1) & (drawn <= frame.size), -1, keepdims=True)
            window, drawn_one = tf.where(fits, drawn, window), drawn_one | fits
        places = frame.size - window + 1
        anywhere = tf.cast(uniform_integer(tf, draws[..., -2:], places), tf.int64)
        cut = frame.cropped(tf, tf.where(drawn_one, anywhere, (places - 1) // 2), window)
        return cut.resized(tf, of_size(tf, self.window, window))


def fallback(tf: Any, sides: Any, ratio: tuple[float, float]) -> Any:
    """The largest (height, width), int64 (..., 2), in images of `sides` (..., 2) with height / width in the range."""
    height, width = (tf.cast(sides[..., axis], tf.float64) for axis in range(2))
    kept = tf.stack([tf.minimum(height, width * ratio[1]), tf.minimum(width, height / ratio[0])], -1)
    return tf.maximum(tf.cast(tf.round(kept), tf.int64), 1)


@declared
class ResizeSmallestSide(Framing):
    """Resize the smallest side to `size` pixels, antialiased bilinear, with the same aspect ratio.

    Shapes: (H, W, C) -> (size, round(size W / H), C) for H <= W. An image with an aspect ratio above 64 is first
    cropped to its central part. A range [low, high] draws the size of each image, including both ends: scale jitter
    (Simonyan & Zisserman 2014, section 3.1, with S in [256, 512]; He et al. 2015, section 3.4, with [256, 480]).
    """

    name = "resize_smallest_side"
    draws = 1
    sizes = True
    examples = (
        ({"size": 6}, (11, 7, 3)),
        ({"size": [5, 9]}, (11, 7, 3)),
        ({"size": 13}, (7, 11, 1)),
        ({"size": 2}, (1, 131, 3)),
    )

    size: int | tuple[int, int] = arg(SIDES, "smallest side, pixels; [low, high] draws it for each image")

    @property
    def batched(self) -> bool:
        return not isinstance(self.size, tuple)

    def shape(self, image: Shape) -> Shape:
        height, width, channels = super().shape(image)
        if isinstance(self.size, tuple):
            check_range(self.size, "size")
        if isinstance(self.size, tuple) or height is None or width is None:
            return (None, None, channels)
        smallest = min(height, width)
        kept = (min(side, LONGEST * smallest) for side in (height, width))
        return (*(rounded(side * self.size, smallest) for side in kept), channels)

    def frame(self, tf: Any, frame: Frame, draws: Any) -> Frame:
        size: Any = self.size
        if isinstance(size, tuple):
            size = size[0] + uniform_integer(tf, draws[..., 0], size[1] - size[0] + 1)
        # a scaled strip could exceed memory
        kept = tf.minimum(frame.size, LONGEST * tf.reduce_min(frame.size, -1, keepdims=True))
        middle = frame.cropped(tf, (frame.size - kept) // 2, kept)
        return middle.resized(tf, scaled_sides(tf, kept, (None, None), size))


@declared
class RandomFlip(Transform):
    """Mirror the image left to right (or top to bottom) with probability `p` (Krizhevsky et al. 2012, section 4.1).

    Shapes: (H, W, C) -> (H, W, C).
    """

    name = "random_flip"
    needs = "image"
    draws = 1
    examples = (({}, (11, 7, 3)), ({"mode": "vertical", "p": 0.8}, (11, 7, 1)))

    mode: str = arg(choice("horizontal", "vertical"), "`horizontal` (left to right) or `vertical`", "horizontal")
    p: float = arg(PROBABILITY, "probability, 0 to 1", 0.5)

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        mirrored = tf.reverse(images, [2 if self.mode == "horizontal" else 1])
        return tf.where(draws[:, 0, None, None, None] < self.p, mirrored, images)

    def apply(self, tf: Any, image: Any, draws: Any) -> Any:
        axis = 1 if self.mode == "horizontal" else 0
        return tf.cond(draws[0] < self.p, lambda: tf.reverse(image, [axis]), lambda: image)
