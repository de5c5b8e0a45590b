"""The transform contract: one class declares a transform's arguments, the shapes that it gives, and what it computes.

A transform never imports tensorflow: `apply` receives the module as an argument. What is random in it is a
function of `draws`, numbers that it is handed, and of nothing else: the same draws give the same image, on any
number of threads, in a batch or alone. The JSON Schema, the reference page and the tests derive from these classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from archspec.declare import Declared
from archspec.ops.base import OpError, Shape, show
from archspec.plugins import Registry

TRANSFORMS: Registry[Transform] = Registry("archspec.transforms")
"""Every transform under its name."""


class Transform(Declared):
    """Base of all transforms; a subclass is a frozen dataclass with a `name` and a docstring.

    Class attributes:
        draws: how many random numbers it takes for an image; 0 for one that is not random.
        sizes: True when it brings an image to a size, so that training need not resize it again.
        examples: pairs (arguments, shape of the image) for the reference and the conformance tests.
    """

    draws: ClassVar[int] = 0
    sizes: ClassVar[bool] = False
    examples: ClassVar[Sequence[tuple[Mapping[str, Any], Shape]]] = ()

    def __init_subclass__(cls) -> None:
        if "name" in cls.__dict__:
            TRANSFORMS.add(cls)

    @property
    def batched(self) -> bool:
        """Whether all images of a batch leave with one shape, so that `apply_batch` can serve."""
        return True

    def for_input(self, input_shape: Shape) -> Self:
        """The same transform, with the defaults that follow from the network's input filled in."""
        return self

    def shape(self, image: Shape) -> Shape:
        """The shape that an image (H, W, C) leaves with; None for a free side. Raises OpError when it does not fit."""
        return image

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        """Images (b, H, W, C), uint8 or float32, transformed; draws (b, self.draws) are float32 in [0, 1)."""
        raise NotImplementedError(f"{type(self).__name__}.apply_batch")  # a plugin that forgot it

    def apply(self, tf: Any, image: Any, draws: Any) -> Any:
        """One image (H, W, C), whose sides may be unknown before it arrives; draws (self.draws,) as above."""
        return self.apply_batch(tf, image[None], draws[None])[0]


def sides(image: Shape, name: str) -> tuple[int | None, int | None]:
    """Height and width, pixels. Raises OpError when it is no image."""
    if len(image) != 3:
        raise OpError(f"`{name}` needs images (height, width, channels), and got {show(image)}")
    return image[0], image[1]


def uniform_integer(tf: Any, draws: Any, count: Any) -> Any:
    """Draws in [0, 1) to integers in 0 .. count - 1, each equally likely.

    float32 draws have 23 bits, so that draw * count rounds to less than count.
    """
    return tf.cast(draws * tf.cast(count, tf.float32), tf.int32)
