"""dense: the fully convolutional network on whole images."""

from __future__ import annotations

from archspec.declare import BOOLEAN, arg, declared
from archspec.ops.base import Shape
from archspec.protocols.base import AVERAGE, SEVERAL_SIZES, SIZES, Protocol, ViewSet, dense_views, sizes_or


@declared
class DenseEvaluation(Protocol):
    """The fully convolutional network over the whole, uncropped image, and its mirror image.

    Dense layers become convolutions (Sermanet et al. 2013, section 3.5); the map of class scores is averaged over
    space; the softmax outputs are averaged over the mirror image and over scales.
    """

    name = "dense"
    paper = "Simonyan & Zisserman 2014, section 3.2"

    sizes: tuple[int, ...] | int | None = arg(SIZES, SEVERAL_SIZES, None)
    flip: bool = arg(BOOLEAN, "average with the mirror image", True)
    average: str = AVERAGE

    def plan(self, input_shape: Shape, resize: int | None) -> tuple[ViewSet, ...]:
        sizes = sizes_or(self.sizes, resize)
        return (dense_views(self.name, input_shape, sizes, flip=self.flip, average=self.average),)
