"""A window of random area and shape, resized: random_resized_crop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from archspec.declare import arg, declared
from archspec.ops.base import Shape
from archspec.transforms.base import sides
from archspec.transforms.crop import SIDES, Sides
from archspec.transforms.erase import RANGE, check_range, rectangles
from archspec.transforms.frame import Frame, Framing
from archspec.transforms.resize import of_size


@declared
class RandomResizedCrop(Framing):
    """Cut out a window of random area and shape, and resize it to `size` (Szegedy et al. 2014, section 6).

    Shapes: (H, W, C) -> (size, size, C). A window that would exceed a side is cut to it, where torchvision draws again.
    """

    name = "random_resized_crop"
    draws = 4
    sizes = True
    examples = (({"size": 5}, (11, 7, 3)), ({"size": [9, 4], "area": [0.5, 1]}, (11, 7, 1)))

    size: Sides = arg(SIDES, "side of the result, pixels; [height, width] for two; default: the network's input", None)
    area: tuple[float, float] = arg(RANGE, "[least, greatest] share of the image's area", (0.08, 1.0))
    ratio: tuple[float, float] = arg(RANGE, "[least, greatest] height / width of the window", (3 / 4, 4 / 3))

    @property
    def batched(self) -> bool:
        return False

    def for_input(self, input_shape: Shape) -> Self:
        sides(input_shape, self.name)
        return self if self.size is not None else replace(self, size=input_shape[:2])  # type: ignore[arg-type]

    def shape(self, image: Shape) -> Shape:
        sides(image, self.name)
        check_range(self.area, "area", 1.0)
        check_range(self.ratio, "ratio")
        return (*self._pair(), image[2])

    def frame(self, tf: Any, frame: Frame, draws: Any) -> Frame:
        window = tf.cast(rectangles(tf, frame.size, self.area, self.ratio, draws[..., :2]), tf.int64)
        places = tf.cast(frame.size - window, tf.float64)
        cut = frame.cropped(tf, tf.round(tf.cast(draws[..., 2:], tf.float64) * places), window)
        return cut.resized(tf, of_size(tf, self._pair(), window))

    def _pair(self) -> tuple[Any, Any]:
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)
