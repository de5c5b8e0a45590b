"""What a protocol asks for one image, once the network's input is known: scales, views, and what is averaged."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.diagnostics import fail
from archspec.lang.recipes.evaluation_protocols import (
    Center,
    Dense,
    MultiCrop,
    MultiCropDense,
    MultiScale,
    Protocol,
    SingleScale,
    TenCrop,
)
from archspec.ops.base import Shape, show
from archspec.runtime.evaluation.protocols.crops import Pair, centre, corners_and_centre, regular_grid

STEP = 32
"""Pixels between the scales of Simonyan & Zisserman 2014, section 4.2."""


@dataclass(frozen=True)
class Part:
    """Views whose softmax outputs are averaged, each with the same weight.

    Attributes:
        sizes: smallest sides of the rescaled image, pixels; None: no more than covers the window.
        window: what the image must cover, (rows, columns), pixels: the crop, or what a dense network needs at least;
            None: nothing.
        layout: `center`, `square` and `image` (five crops), `grid`, or `whole` for the dense network on all of it.
        grid: crops along each side.
        flip: with the mirror image of each view.
        average: of a dense network, `scores` or `posteriors`.
        dense: the views go through the fully convolutional network.
    """

    sizes: tuple[int | None, ...]
    window: Pair | None
    layout: str
    grid: int = 1
    flip: bool = False
    average: str = "scores"
    dense: bool = False

    def corners(self, sides: Pair) -> list[Pair]:
        """Top left corners of the crops of an image of those sides."""
        assert self.window is not None  # of a crop
        if self.layout == "grid":
            return regular_grid(sides, self.window, self.grid)
        if self.layout == "center":
            return [centre(sides, self.window)]
        return corners_and_centre(sides, self.window, square=self.layout == "square")

    @property
    def views(self) -> int:
        """Of an image at one scale."""
        places = {"grid": self.grid**2, "center": 1, "whole": 1}.get(self.layout, 5)
        return places * (1 + self.flip)

    @property
    def passes(self) -> int:
        """Forward passes an image."""
        return self.views * len(self.sizes)

    def extent(self, sides: Pair) -> Pair:
        """Rows and columns of a view of an image of those sides."""
        return sides if self.layout == "whole" or self.window is None else self.window

    def pixels(self, sides: Pair) -> int:
        """Of all views of an image of those sides."""
        height, width = self.extent(sides)
        return self.views * height * width


def plan(protocol: Protocol, input_shape: Shape, resize: int | None) -> tuple[Part, ...]:
    """The parts of a protocol, whose results are averaged with equal weights.

    input_shape: (H, W, C) of the network.
    resize: the page's shortest side after resizing, pixels, for a protocol that does not say its own.

    Raises:
        ArchspecError: `protocol` for a network whose input is no image, or is free where a crop needs its sides, and
            for default scales that the network cannot take.
    """
    if len(input_shape) != 3:
        fact = f"`{protocol.name}` takes views of images, and the network takes {show(input_shape)}"
        raise fail("protocol", fact, help="`--protocol center` takes such data as it is")
    if isinstance(protocol, MultiCropDense):
        crops = MultiCrop(protocol.sizes, protocol.grid, protocol.flip)
        return _crop_part(crops, input_shape, resize), _dense_part(protocol, input_shape, resize)
    if isinstance(protocol, (SingleScale, MultiScale, Dense)):
        return (_dense_part(protocol, input_shape, resize),)
    return (_crop_part(protocol, input_shape, resize),)


def passes(parts: tuple[Part, ...]) -> int:
    """Forward passes an image: a crop, or a whole image at one scale, each counts once, and its mirror image again."""
    return sum(part.passes for part in parts)


def _crop_part(protocol: Protocol, input_shape: Shape, resize: int | None) -> Part:
    own = _sides(input_shape)
    crop = _pair(protocol.crop) if isinstance(protocol, Center) and protocol.crop is not None else own
    if crop is None:
        fact = f"the input of the network is {show(input_shape)}, and the crops of `{protocol.name}` need a size"
        raise fail("protocol", fact, help="`--protocol dense` takes whole images")
    if isinstance(protocol, MultiCrop):
        return Part(_sizes(protocol.sizes, resize), crop, "grid", protocol.grid, protocol.flip)
    if isinstance(protocol, TenCrop):
        return Part((protocol.size or resize,), crop, protocol.within, flip=True)
    assert isinstance(protocol, Center)
    if own is not None and (crop[0] < own[0] or crop[1] < own[1]):
        fact = f"a crop of {crop[0]} x {crop[1]} is smaller than the input of the network, {show(input_shape)}"
        raise fail("protocol", fact, help="leave `crop` out, or give one that is larger")
    return Part((protocol.size or resize,), crop, "center", dense=own is not None and crop != own)


def _dense_part(
    protocol: SingleScale | MultiScale | Dense | MultiCropDense, input_shape: Shape, resize: int | None
) -> Part:
    own = _sides(input_shape)
    if isinstance(protocol, SingleScale):
        sizes: tuple[int | None, ...] = (protocol.size or resize,)
    elif isinstance(protocol, MultiScale) and protocol.sizes is None:
        sizes = _around(resize, own)
    else:
        sizes = _sizes(protocol.sizes, resize)
    return Part(sizes, own, "whole", flip=protocol.flip, average=protocol.average, dense=True)


def _around(resize: int | None, own: Pair | None) -> tuple[int, ...]:
    least = min(own) if own else 1
    middle = resize or least
    sizes = (middle - STEP, middle, middle + STEP)
    if sizes[0] < least:
        fact = f"`multi-scale` is at {sizes[0]}, {middle} and {sizes[2]} pixels by default"
        note = f"the network takes at least {least} pixel{'s' * (least > 1)}"
        help = f"give it its scales, such as `--protocol 'multi-scale: [{middle}, {middle + middle // 8}]'`"
        raise fail("protocol", fact, notes=[note], help=help)
    return sizes


def _sizes(given: tuple[int, ...] | int | None, resize: int | None) -> tuple[int | None, ...]:
    if given is None:
        return (resize,)
    return given if isinstance(given, tuple) else (given,)


def _pair(side: int | tuple[int, int]) -> Pair:
    return side if isinstance(side, tuple) else (side, side)


def _sides(input_shape: Shape) -> Pair | None:
    """Height and width of the input; None where one is free."""
    height, width = input_shape[0], input_shape[1]
    return None if height is None or width is None else (height, width)
