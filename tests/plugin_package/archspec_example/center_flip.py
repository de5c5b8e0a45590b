"""The central crop and its mirror image, as an evaluation protocol."""

from archspec.declare import POSITIVE, arg, declared
from archspec.ops.base import Shape
from archspec.protocols.base import SIZE, Protocol, ViewSet, input_sides
from archspec.protocols.crops import central_crop


@declared
class CenterFlip(Protocol):
    """The central crop and its mirror image."""

    name = "center-flip"
    paper = "Simonyan & Zisserman 2014, section 3.2"
    central = True

    size: int | None = arg(POSITIVE, SIZE, None)

    def plan(self, input_shape: Shape, resize: int | None) -> tuple[ViewSet, ...]:
        window = input_sides(input_shape)
        return (ViewSet((self.size or resize,), window, central_crop, flip=True),)
