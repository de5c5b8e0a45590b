"""multi-scale: the dense network at several scales."""

from __future__ import annotations

from archspec.declare import BOOLEAN, arg, declared
from archspec.diagnostics import counted, fail
from archspec.ops.base import Shape
from archspec.protocols.base import AVERAGE, SIZES, Protocol, ViewSet, check_image, dense_views, input_sides, sizes_or

STEP = 32
"""Pixels between the scales of Simonyan & Zisserman 2014, section 4.2."""


@declared
class MultiScale(Protocol):
    """The fully convolutional network over the whole image at several scales, by default Q - 32, Q and Q + 32.

    The paper uses Q in {S - 32, S, S + 32} for a fixed S (the default, where S is the spec's `resize`), and
    {S_min, (S_min + S_max) / 2, S_max} for scale jitter (Table 4). He et al. 2015, section 3.4, use {224, 256, 384,
    480, 640}.
    """

    name = "multi-scale"
    paper = "Simonyan & Zisserman 2014, section 4.2; He et al. 2015, section 3.4"

    sizes: tuple[int, ...] | int | None = arg(
        SIZES, "smallest sides (Q), pixels; by default the spec's `resize`, 32 less, and 32 more", None
    )
    flip: bool = arg(BOOLEAN, "average with the mirror images", True)
    average: str = AVERAGE

    def plan(self, input_shape: Shape, resize: int | None) -> tuple[ViewSet, ...]:
        check_image(self.name, input_shape)
        sizes = sizes_or(self.sizes, None) if self.sizes else _default_sizes(resize, input_shape)
        return (dense_views(self.name, input_shape, sizes, flip=self.flip, average=self.average),)


def _default_sizes(resize: int | None, input_shape: Shape) -> tuple[int | None, ...]:
    least = min(input_sides(input_shape) or (1,))
    middle = resize or least
    sizes = (middle - STEP, middle, middle + STEP)
    if sizes[0] < least:
        raise fail(
            "protocol",
            f"the default scales of `multi-scale` are {sizes[0]}, {middle} and {sizes[2]} pixels",
            notes=[f"the network needs at least {counted(least, 'pixel')}"],
            help=f"give the scales, such as `--protocol 'multi-scale: [{middle}, {middle + middle // 8}]'`",
        )
    return sizes
