"""multi-crop: a regular grid of crops."""

from __future__ import annotations

from functools import partial

from archspec.declare import BOOLEAN, arg, declared
from archspec.ops.base import Shape
from archspec.protocols.base import GRID, SIZE_WITH_MARGIN, SIZES, Protocol, ViewSet, crop_window, margin, sizes_or
from archspec.protocols.crops import regular_grid


@declared
class MultiCrop(Protocol):
    """A regular grid of 5 x 5 crops over the whole image, with flips, at each scale.

    5 x 5 crops and 2 flips are 50 views a scale; the crops at the border touch it, the others are evenly spaced.
    """

    name = "multi-crop"
    paper = "Simonyan & Zisserman 2014, section 3.2"

    sizes: tuple[int, ...] | int | None = arg(SIZES, f"{SIZE_WITH_MARGIN}; one or several", None)
    grid: int = arg(GRID, "crops along each side", 5)
    flip: bool = arg(BOOLEAN, "add the mirror image of each crop", True)

    def plan(self, input_shape: Shape, resize: int | None) -> tuple[ViewSet, ...]:
        window, corners = crop_window(self.name, input_shape), partial(regular_grid, count=self.grid)
        sizes = sizes_or(self.sizes, resize or margin(window))
        return (ViewSet(sizes, window, corners, crops=self.grid**2, flip=self.flip),)
