"""A random gain, as a transform."""

from typing import Any

from archspec.declare import FRACTION, arg, declared
from archspec.transforms.base import Transform


@declared
class RandomGain(Transform):
    """Multiply an image by a random factor, drawn uniformly from [1 - amount, 1 + amount].

    Shapes: (H, W, C) -> the same, float32.
    """

    name = "random_gain"
    draws = 1
    examples = (({"amount": 0.2}, (5, 7, 3)),)

    amount: float = arg(FRACTION, "largest relative change of the grey levels")

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        factor = 1 + self.amount * (2 * draws - 1)  # (b, 1)
        return tf.cast(images, tf.float32) * factor[:, None, None]
