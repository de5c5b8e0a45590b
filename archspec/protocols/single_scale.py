"""single-scale: the dense network at one scale."""

from __future__ import annotations

from archspec.declare import BOOLEAN, POSITIVE, arg, declared
from archspec.ops.base import Shape
from archspec.protocols.base import AVERAGE, SIZE, Protocol, ViewSet, dense_views


@declared
class SingleScale(Protocol):
    """The fully convolutional network over the whole image at one scale, Q: `dense` at one size.

    The paper uses Q = S for a network trained at the fixed scale S, and Q = (S_min + S_max) / 2 for one trained with
    scale jitter (Table 3).
    """

    name = "single-scale"
    paper = "Simonyan & Zisserman 2014, section 4.1"

    size: int | None = arg(POSITIVE, SIZE, None)
    flip: bool = arg(BOOLEAN, "average with the mirror image", True)
    average: str = AVERAGE

    def plan(self, input_shape: Shape, resize: int | None) -> tuple[ViewSet, ...]:
        sizes = (self.size or resize,)
        return (dense_views(self.name, input_shape, sizes, flip=self.flip, average=self.average),)
