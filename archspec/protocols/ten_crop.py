"""ten-crop: corners and centre, with mirror images."""

from __future__ import annotations

from functools import partial

from archspec.declare import POSITIVE, arg, choice, declared
from archspec.ops.base import Shape
from archspec.protocols.base import SIZE_WITH_MARGIN, Protocol, ViewSet, crop_window, margin
from archspec.protocols.crops import corners_and_centre


@declared
class TenCrop(Protocol):
    """The four corners and the centre, and their mirror images.

    The corners are those of the central square of the rescaled image, as in section 2 of the paper, or of the whole
    image.
    """

    name = "ten-crop"
    paper = "Krizhevsky et al. 2012, section 4.1"
    central = True

    size: int | None = arg(POSITIVE, SIZE_WITH_MARGIN, None)
    within: str = arg(choice("square", "image"), "the corners of the central square, or of the whole image", "square")

    def plan(self, input_shape: Shape, resize: int | None) -> tuple[ViewSet, ...]:
        corners = partial(corners_and_centre, square=self.within == "square")
        window = crop_window(self.name, input_shape)
        return (ViewSet((self.size or resize or margin(window),), window, corners, crops=5, flip=True),)
