"""Random mirroring: random_flip."""

from __future__ import annotations

from typing import Any

from archspec.declare import arg, choice, declared
from archspec.transforms.base import Transform

PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}


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
