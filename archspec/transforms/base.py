"""The transform contract: a class declares a transform's arguments, the shapes that it gives, and its computation.

A transform never imports tensorflow: `apply` receives the module as an argument. Its random numbers are its argument
`draws`, so that the same draws give the same image in any thread, in a batch or alone. The JSON Schema, the operator
reference and the tests derive from these classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from archspec.declare import Declared
from archspec.ops.base import OpError, Shape, show
from archspec.plugins import Registry

TRANSFORMS: Registry[Transform] = Registry("archspec.transforms")
"""Every transform under its name."""
PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}


class Transform(Declared):
    """Base of all transforms. A subclass is a frozen dataclass with a `name` and a docstring.

    Class attributes:
        needs: "image" for (H, W, C), "rgb" for (H, W, 3), "any" for other inputs too.
        draws: number of random numbers for an image; 0 if the transform is not random.
        sizes: whether it gives images a size, so that training does not resize them again.
        examples: pairs (arguments, shape of the image) for the reference and the conformance tests.
    """

    registry = TRANSFORMS
    needs: ClassVar[Literal["any", "image", "rgb"]] = "any"
    draws: ClassVar[int] = 0
    sizes: ClassVar[bool] = False
    examples: ClassVar[Sequence[tuple[Mapping[str, Any], Shape]]] = ()

    @property
    def batched(self) -> bool:
        """Whether `apply_batch` can be used: whether all images of a batch get the same shape."""
        return True

    def for_input(self, input_shape: Shape) -> Self:
        """The transform with the defaults that depend on the network's input."""
        return self

    def shape(self, image: Shape) -> Shape:
        """Shape of an image -> shape of the result; None for an unknown side. Raises OpError for unsuitable images."""
        if self.needs != "any" and len(image) != 3:
            raise OpError(f"`{self.name}` needs images (height, width, channels), but the shape is {show(image)}")
        if self.needs == "rgb" and image[2] != 3:
            raise OpError(
                f"`{self.name}` needs three channels (RGB), but the shape is {show(image)}",
                help=f"remove `{self.name}`, or use a network with three input channels (grey images are converted to "
                "RGB)",
            )
        return image

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        """Images (b, H, W, C), uint8 or float32, and draws (b, self.draws), float32 in [0, 1) -> transformed images."""
        raise NotImplementedError(f"{type(self).__name__}.apply_batch")  # not implemented by a plugin

    def apply(self, tf: Any, image: Any, draws: Any) -> Any:
        """One image (H, W, C), H and W perhaps unknown, and draws (self.draws,) -> the transformed image."""
        return self.apply_batch(tf, image[None], draws[None])[0]


def check_range(values: tuple[float, float], argument: str, most: float = math.inf) -> None:
    """Raises OpError if the range [low, high] is empty or exceeds `most`."""
    if values[0] > values[1]:
        raise OpError(f"the range [{values[0]:g}, {values[1]:g}] is empty", argument, "write [low, high]")
    if values[1] > most:
        raise OpError(f"the range [{values[0]:g}, {values[1]:g}] exceeds {most:g}", argument)


def uniform_integer(tf: Any, draws: Any, count: Any) -> Any:
    """Draws in [0, 1) -> integers from 0 to count - 1, uniformly distributed.

    float32 draws have 23 bits, so draw * count rounds to less than count.
    """
    return tf.cast(draws * tf.cast(count, tf.float32), tf.int32)
