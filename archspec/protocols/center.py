"""center: the central crop."""

from __future__ import annotations

from archspec.declare import POSITIVE, arg, declared
from archspec.diagnostics import fail
from archspec.ops.base import Shape, show
from archspec.protocols.base import SIZE, Protocol, ViewSet, check_image, input_sides
from archspec.protocols.crops import central_crop

SIDES = {"type": ["integer", "array"], "minimum": 1, "items": POSITIVE, "minItems": 2, "maxItems": 2}


@declared
class Center(Protocol):
    """The central crop of the image, rescaled until its smallest side is `size`.

    This is how Krizhevsky et al. 2012, section 2, crop images of any shape to a square. A crop that is larger than the
    network's input is evaluated by the fully convolutional network, whose class scores are averaged.
    """

    name = "center"
    paper = "Krizhevsky et al. 2012, section 2"
    central = True

    size: int | None = arg(POSITIVE, SIZE, None)
    crop: int | tuple[int, int] | None = arg(SIDES, "side of the crop, or both; by default the network's input", None)

    def plan(self, input_shape: Shape, resize: int | None) -> tuple[ViewSet, ...]:
        own, sizes = input_sides(input_shape), (self.size or resize,)
        crop = (self.crop, self.crop) if isinstance(self.crop, int) else self.crop
        if crop is None or crop == own:
            return (ViewSet(sizes, own, central_crop),)
        check_image(self.name, input_shape)
        if own is not None and (crop[0] < own[0] or crop[1] < own[1]):
            raise fail(
                "protocol",
                f"a crop of {crop[0]} x {crop[1]} is smaller than the input of the network, {show(input_shape)}",
                help="leave `crop` out, or give a larger one",
            )
        return (ViewSet(sizes, crop, central_crop, dense=own is not None),)
