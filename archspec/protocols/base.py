"""The protocol contract: one class declares the arguments of an evaluation protocol and its views of an image.

To add a protocol, write a module with one class in this package, and its test. Another package names its module in an
entry point of the group `archspec.protocols`:

    from archspec.declare import POSITIVE, arg, declared
    from archspec.protocols.base import SIZE, Protocol, ViewSet, crop_window
    from archspec.protocols.crops import central_crop

    @declared
    class CenterFlip(Protocol):
        \"\"\"The central crop and its mirror image.\"\"\"

        name = "center-flip"
        paper = "Simonyan & Zisserman 2014, section 3.2"

        size: int | None = arg(POSITIVE, SIZE, None)

        def plan(self, input_shape, resize):
            window = crop_window(self.name, input_shape)
            return (ViewSet((self.size or resize,), window, central_crop, flip=True),)

    # pyproject.toml
    [project.entry-points."archspec.protocols"]
    center-flip = "my_package.center_flip"

The schema of `evaluate: {protocols: ...}`, `archspec evaluate --protocol`, its help, the errors and the documentation
derive from the class. The first argument is the bare value: `center-flip: 256`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from archspec.declare import POSITIVE, Declared, arg, choice
from archspec.diagnostics import fail
from archspec.ops.base import Shape, show
from archspec.plugins import Registry
from archspec.protocols.crops import Pair, central_crop

SIZE = "smallest side of the rescaled image (Q), pixels; by default the spec's `resize`"
SIZES: dict[str, Any] = {"type": ["integer", "array"], "minimum": 1, "items": POSITIVE, "minItems": 1, "maxItems": 16}
SIZE_WITH_MARGIN = f"{SIZE}, or 8/7 of the crop, as 256 for 224"
SEVERAL_SIZES = f"{SIZE}; one or several"
GRID = {"type": "integer", "minimum": 1, "maximum": 16}
AVERAGE: str = arg(
    choice("scores", "posteriors"),
    "average the class scores before the softmax over the map of positions, or the posteriors after it",
    "scores",
)

PROTOCOLS: Registry[Protocol] = Registry("archspec.protocols")
"""Every protocol under its name."""


class ViewSet(NamedTuple):
    """Views of one image whose softmax outputs are averaged with equal weights.

    Attributes:
        sizes: smallest sides of the rescaled image, pixels; None: just large enough to cover the window.
        window: (rows, columns), pixels: the size of the crops, or the smallest image that a dense network takes. An
            image that does not cover it is rescaled further. None: no bound.
        corners: (sides of the rescaled image, window) -> top left corners of the crops, `crops` of them; None: the
            dense network sees the whole image.
        crops: number of corners.
        flip: add the mirror image of each view.
        dense: apply the fully convolutional network instead of the network itself.
        average: for a dense network, the values that are averaged over the map of positions: `scores` or `posteriors`.
    """

    sizes: tuple[int | None, ...]
    window: Pair | None
    corners: Callable[[Pair, Pair], Sequence[Pair]] | None = None
    crops: int = 1
    flip: bool = False
    dense: bool = False
    average: str = "scores"

    @property
    def views(self) -> int:
        """Views of an image at one scale."""
        return self.crops * (1 + self.flip)

    @property
    def passes(self) -> int:
        """Forward passes for an image."""
        return self.views * len(self.sizes)

    def places(self, sides: Pair) -> Sequence[Pair]:
        """Top left corners of the views in a rescaled image of those sides."""
        if self.corners is None or self.window is None:
            return [(0, 0)]
        return self.corners(sides, self.window)

    def extent(self, sides: Pair) -> Pair:
        """Rows and columns of each view of a rescaled image of those sides."""
        return sides if self.corners is None or self.window is None else self.window

    def pixels(self, sides: Pair) -> int:
        """Pixels of all views of a rescaled image of those sides."""
        height, width = self.extent(sides)
        return self.views * height * width

    def is_validation_view(self, input_shape: Shape) -> bool:
        """Whether this is the one view of validation in training: the central crop of the input's size.

        It uses the input pipeline of training, which also supports data that are not images.
        """
        single = self.passes == 1 and self.corners is central_crop and not self.dense
        return single and self.window == input_sides(input_shape)


class Protocol(Declared):
    """Base of all protocols; a subclass is a frozen dataclass (`declared`) with a `name` and a docstring.

    Class attributes:
        name: as specs and the command line write it.
        paper: where the protocol comes from: authors, year, section.
        central: whether the views are around the centre and miss the rest of an image whose smallest side, the first
            argument `size`, is much larger than the network's input: such a size gives a warning.
    """

    registry = PROTOCOLS
    paper: ClassVar[str] = ""
    central: ClassVar[bool] = False

    def plan(self, input_shape: Shape, resize: int | None) -> tuple[ViewSet, ...]:
        """The views of an image; the results of the view sets are averaged with equal weights.

        Args:
            input_shape: (H, W, C) of the network; None for a free side.
            resize: the spec's shortest side after resizing, pixels, for a protocol without its own size.

        Raises:
            ArchspecError: `protocol` where the network cannot be evaluated this way.
        """
        raise NotImplementedError(f"{type(self).__name__}.plan")  # a plugin that forgot it


def passes(plan: Sequence[ViewSet]) -> int:
    """Forward passes for an image. A crop, or a whole image at one scale, is one pass; its mirror image is another."""
    return sum(each.passes for each in plan)


def input_sides(input_shape: Shape) -> Pair | None:
    """Height and width of the network's input; None where one is free, or where the input is not an image."""
    if len(input_shape) != 3 or input_shape[0] is None or input_shape[1] is None:
        return None
    return input_shape[0], input_shape[1]


def check_image(name: str, input_shape: Shape) -> None:
    """Raises ArchspecError: `protocol` unless the network takes (height, width, channels)."""
    if len(input_shape) != 3:
        raise fail(
            "protocol",
            f"`{name}` needs images, but the input of the network is {show(input_shape)}",
            help="use `--protocol center`, which works with any data",
        )


def crop_window(name: str, input_shape: Shape) -> Pair:
    """The window of crops as large as the network's input.

    Raises:
        ArchspecError: `protocol` for a network that does not take images, or whose input has a free side.
    """
    check_image(name, input_shape)
    window = input_sides(input_shape)
    if window is None:
        raise fail(
            "protocol",
            f"`{name}` crops to the size of the network's input, but the input {show(input_shape)} has a free side",
            help="use `--protocol dense`, which evaluates whole images",
        )
    return window


def margin(window: Pair) -> int:
    """The smallest side of the rescaled image for several crops where none is given: 8/7 of the crop, 256 for 224.

    Without a margin all crops of a square image are the same.
    """
    return round(max(window) * 8 / 7)


def dense_views(name: str, input_shape: Shape, sizes: tuple[int | None, ...], *, flip: bool, average: str) -> ViewSet:
    """Whole images at those scales through the dense network. Raises ArchspecError: `protocol` as `check_image`."""
    check_image(name, input_shape)
    return ViewSet(sizes, input_sides(input_shape), flip=flip, dense=True, average=average)


def sizes_or(given: tuple[int, ...] | int | None, resize: int | None) -> tuple[int | None, ...]:
    """The argument `sizes` as a tuple; `resize` where it is not given."""
    return given if isinstance(given, tuple) else (given or resize,)
