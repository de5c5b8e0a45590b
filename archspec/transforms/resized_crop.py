"""A random window, resized: random_resized_crop."""

from __future__ import annotations

from typing import Any

from archspec.declare import arg, declared
from archspec.ops.base import Shape
from archspec.transforms.base import check_range, uniform_integer
from archspec.transforms.erase import RANGE, rectangles
from archspec.transforms.frame import SIDES, Frame, Sides, SizedFraming
from archspec.transforms.resize import of_size

TRIES = 10


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
