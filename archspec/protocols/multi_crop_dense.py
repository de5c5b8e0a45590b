"""multi-crop+dense: the average of both."""

from __future__ import annotations

from archspec.declare import BOOLEAN, arg, declared
from archspec.ops.base import Shape
from archspec.protocols.base import AVERAGE, GRID, SEVERAL_SIZES, SIZES, Protocol, ViewSet, crop_window
from archspec.protocols.dense import DenseEvaluation
from archspec.protocols.multi_crop import MultiCrop


@declared
class MultiCropDense(Protocol):
    """The average of the softmax outputs of `multi-crop` and `dense`, with equal weights."""

    name = "multi-crop+dense"
    paper = "Simonyan & Zisserman 2014, section 4.3"

    sizes: tuple[int, ...] | int | None = arg(SIZES, SEVERAL_SIZES, None)
    grid: int = arg(GRID, "crops along each side", 5)
    flip: bool = arg(BOOLEAN, "add the mirror images", True)
    average: str = AVERAGE

    def plan(self, input_shape: Shape, resize: int | None) -> tuple[ViewSet, ...]:
        crop_window(self.name, input_shape)  # its errors name this protocol
        crops, dense = MultiCrop(self.sizes, self.grid, self.flip), DenseEvaluation(self.sizes, self.flip, self.average)
        return crops.plan(input_shape, resize) + dense.plan(input_shape, resize)
