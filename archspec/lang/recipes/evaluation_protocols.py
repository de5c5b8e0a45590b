"""The test protocols of papers, and what `evaluate:` of a page may say.

A protocol is what happens to one test image: the scales that it is brought to, the views of it that the network sees
at each, and that the softmax outputs of all views are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.declare import BOOLEAN, POSITIVE, Declared, arg, choice, declared
from archspec.lang.declarations.one_key import from_one_key, to_one_key

SIZE = "smallest side of the rescaled image, Q, pixels; by default the page's `resize`"
SIDES = {"type": ["integer", "array"], "minimum": 1, "items": POSITIVE, "minItems": 2, "maxItems": 2}
SIZES = {"type": ["integer", "array"], "minimum": 1, "items": POSITIVE, "minItems": 1, "maxItems": 16}
GRID = {"type": "integer", "minimum": 1, "maximum": 16}
AVERAGE = arg(
    choice("scores", "posteriors"),
    "what the average over the score map is taken of: class scores, before the softmax, or its posteriors",
    "scores",
)


class Protocol(Declared):
    """Base of all test protocols; a subclass is a frozen dataclass with a `name` and a docstring."""


@declared
class Center(Protocol):
    """One view: the image is rescaled until its smallest side is `size`, and its centre is cropped.

    So Krizhevsky et al. 2012, section 2, bring an image of any shape to a square. A crop of another size than the
    network's input goes through the fully convolutional network, whose class scores are averaged.
    """

    name = "center"

    size: int | None = arg(POSITIVE, SIZE, None)
    crop: int | tuple[int, int] | None = arg(SIDES, "side of the crop, or both; by default the network's input", None)


@declared
class SingleScale(Protocol):
    """The fully convolutional network over the whole image at one scale, Q (Simonyan & Zisserman 2014, section 4.1).

    That is `dense` at one size. The paper has Q = S for a network trained at the fixed scale S, and
    Q = (S_min + S_max) / 2 for one trained with scale jitter.
    """

    name = "single-scale"

    size: int | None = arg(POSITIVE, SIZE, None)
    flip: bool = arg(BOOLEAN, "average with the mirror image", True)
    average: str = AVERAGE


@declared
class MultiScale(Protocol):
    """The fully convolutional network over the whole image at several scales (Simonyan & Zisserman 2014, section 4.2).

    The paper has Q in {S - 32, S, S + 32} for a fixed S, which is the default with S the page's `resize`, and
    {S_min, (S_min + S_max) / 2, S_max} for scale jitter. He et al. 2015, section 3.4, have {224, 256, 384, 480, 640}.
    """

    name = "multi-scale"

    sizes: tuple[int, ...] | int | None = arg(
        SIZES, "smallest sides, Q, pixels; by default those 32 below and above the page's `resize`, and itself", None
    )
    flip: bool = arg(BOOLEAN, "average with the mirror images", True)
    average: str = AVERAGE


@declared
class TenCrop(Protocol):
    """The four corners, the centre, and their mirror images (Krizhevsky et al. 2012, section 4.1).

    The corners are those of the central square of the rescaled image, as in section 2 of that paper, or of all of it.
    """

    name = "ten-crop"

    size: int | None = arg(POSITIVE, SIZE, None)
    within: str = arg(choice("square", "image"), "the corners of the central square, or of the whole image", "square")


@declared
class MultiCrop(Protocol):
    """A regular grid of crops over the whole image, with flips, at each scale (Simonyan & Zisserman 2014, section 3.2).

    5 x 5 crops and 2 flips are 50 a scale; the crops at the border touch it, the others lie evenly between.
    """

    name = "multi-crop"

    sizes: tuple[int, ...] | int | None = arg(SIZES, f"{SIZE}; one or several", None)
    grid: int = arg(GRID, "crops along each side", 5)
    flip: bool = arg(BOOLEAN, "with the mirror image of each crop", True)


@declared
class Dense(Protocol):
    """The fully convolutional network over the whole, uncropped image (Simonyan & Zisserman 2014, section 3.2).

    Dense layers become convolutions (Sermanet et al. 2013, section 3.5); the map of class scores is averaged over
    space; the softmax outputs are averaged over the mirror image and over scales.
    """

    name = "dense"

    sizes: tuple[int, ...] | int | None = arg(SIZES, f"{SIZE}; one or several", None)
    flip: bool = arg(BOOLEAN, "average with the mirror image", True)
    average: str = AVERAGE


@declared
class MultiCropDense(Protocol):
    """The average of the softmax outputs of `multi-crop` and `dense` (Simonyan & Zisserman 2014, section 4.3)."""

    name = "multi-crop+dense"

    sizes: tuple[int, ...] | int | None = arg(SIZES, f"{SIZE}; one or several", None)
    grid: int = arg(GRID, "crops along each side", 5)
    flip: bool = arg(BOOLEAN, "with the mirror images", True)
    average: str = AVERAGE


PROTOCOLS: dict[str, type[Protocol]] = {
    each.name: each for each in (Center, SingleScale, MultiScale, TenCrop, MultiCrop, Dense, MultiCropDense)
}
"""Every protocol under its name."""


@dataclass(frozen=True)
class EvaluationRecipe:
    """`evaluate:` how test images reach the network: the shortest side to `resize`, then the views of a protocol."""

    resize: int | None = arg(POSITIVE, "shortest side after resizing, pixels; by default the input's own", None)
    protocols: tuple[Declared, ...] = arg(
        {"list": "protocols"}, "what the paper tests by; `archspec evaluate` runs the first, or all of them", ()
    )


def protocol_section(section: Mapping[str, Any]) -> EvaluationRecipe:
    """`evaluate:`, already validated, with its defaults."""
    return EvaluationRecipe(section.get("resize"), make_protocols(section.get("protocols") or ()))


def make_protocols(values: Sequence[Any]) -> tuple[Protocol, ...]:
    """From the one-head form of a page (`ten-crop`, `{multi-scale: [256, 384]}`), already validated."""
    return tuple(from_one_key(value, PROTOCOLS) for value in values)


def protocol_json(section: EvaluationRecipe) -> dict[str, Any]:
    """`evaluate:` as a page would say it, with every default."""
    return {"resize": section.resize, "protocols": [to_one_key(each) for each in section.protocols]}
