"""The steps from an image file to the network's input, arranged for speed.

The transforms at the start that choose a Frame cost one decoded window and one resampling. The last ones that multiply
and add in each channel, including those of `preprocess`, cost one pass over the pixels. Both are computed for many
images at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, takewhile
from typing import Any

from archspec.diagnostics import fail
from archspec.ops.base import Shape
from archspec.runtime.data.files.decode_window import DecodeWindow, window
from archspec.runtime.data.pipeline.preprocess import center_frame, center_view, preprocess_values, shape_after
from archspec.transforms import Transform
from archspec.transforms.affine import Affine, Factors, applied, composed
from archspec.transforms.frame import Framing, whole
from archspec.transforms.mix import Mixing

Columns = tuple[int, int]
"""The draws of a transform: its first column, and the first column of the next transform."""


@dataclass(frozen=True)
class Chain:
    """The augmentation, then the view of evaluation if the augmentation gives no size, then `preprocess`.

    Attributes:
        framing: the transforms at the start that choose a frame, and their draws.
        middle: the transforms that compute with pixels.
        affine: the last transforms, which multiply and add, also of `preprocess`.
        rest: the rest of `preprocess`.
        draws: number of random numbers of an image.
        center: the position of evaluation's view: "frame", at the start; "view", after `middle`; or "none".
        framed: shape of an image after `framing`.
    """

    input_shape: Shape
    resize: int | None
    framing: tuple[tuple[Framing, Columns], ...]
    middle: tuple[tuple[Transform, Columns], ...]
    affine: tuple[tuple[Affine, Columns], ...]
    rest: tuple[Transform, ...]
    draws: int
    center: str
    framed: Shape

    def windows(self, tf: Any, sides: Any, in_part: Any, draws: Any, resample: str) -> DecodeWindow:
        """The windows of n images of `sides` (n, 2), with draws (n, self.draws)."""
        frame = whole(tf, sides)
        for transform, (first, last) in self.framing:
            frame = transform.frame(tf, frame, draws[:, first:last])
        if self.center == "frame":
            frame = center_frame(tf, frame, self.input_shape[:2], self.resize)
        return window(tf, frame, sides, in_part, resample)

    def factors(self, tf: Any, draws: Any) -> Factors:
        """The composed factors of n images, (n, C) each."""
        each = [transform.factors(tf, draws[:, first:last]) for transform, (first, last) in self.affine]
        shape = (tf.shape(draws)[0], self.input_shape[-1])
        factor, offset = composed(tf, each)
        return tuple(None if values is None else tf.broadcast_to(values, shape) for values in (factor, offset))  # type: ignore[return-value]

    def finish(self, tf: Any, image: Any, draws: Any, factors: Factors) -> Any:
        """One image after `framing` -> float32 input_shape."""
        image = tf.ensure_shape(image, self.framed)
        for transform, (first, last) in self.middle:
            image = transform.apply(tf, image, draws[first:last])
        if self.center == "view":
            image = center_view(tf, image[None], self.input_shape[:2], self.resize)[0]  # type: ignore[arg-type]
        return preprocess_values(tf, applied(tf, image, factors)[None], self.input_shape, self.rest)[0]


def chain(
    loaded: Shape,
    input_shape: Shape,
    augment: Sequence[Transform],
    preprocess: Sequence[Transform],
    resize: int | None,
) -> Chain:
    """The chain for images of the shape `loaded`. Raises transform if a transform does not fit."""
    shape = shape_after(loaded, input_shape, augment)
    steps = [transform.for_input(input_shape) for transform in augment]
    places = list(pairwise(accumulate((step.draws for step in steps), initial=0)))
    framing = [step for step in takewhile(lambda step: isinstance(step, Framing), steps) if isinstance(step, Framing)]
    last = list(takewhile(lambda step: isinstance(step, Affine), reversed(steps)))
    values = [step for step in takewhile(lambda step: isinstance(step, Affine), preprocess) if isinstance(step, Affine)]
    first, end = len(framing), len(steps) - len(last)
    sized = any(step.sizes for step in steps) and shape == tuple(input_shape)
    center = "none" if sized else "view" if first < end else "frame"
    framed = (*input_shape[:2], loaded[-1]) if center == "frame" else shape_after(loaded, input_shape, augment[:first])
    return Chain(
        input_shape=tuple(input_shape),
        resize=resize,
        framing=tuple(zip(framing, places[:first], strict=True)),
        middle=tuple(zip(steps[first:end], places[first:end], strict=True)),
        # affine transforms commute with evaluation's view, a weighted mean
        affine=(
            *((step, place) for step, place in zip(steps[end:], places[end:], strict=True) if isinstance(step, Affine)),
            *((step, (0, 0)) for step in values),
        ),
        rest=tuple(preprocess[len(values) :]),
        draws=places[-1][1] if places else 0,
        center=center,
        framed=framed,
    )


def split_mixing(
    loaded: Shape, input_shape: Shape, augment: Sequence[Transform]
) -> tuple[Sequence[Transform], list[Mixing]]:
    """The transforms of single images, and those that mix images. Raises transform if these do not come last."""
    shape_after(loaded, input_shape, augment)
    mixing = [each for each in augment if isinstance(each, Mixing)]
    alone = len(augment) - len(mixing)
    late = next((each for each in augment[alone:] if not isinstance(each, Mixing)), None)
    if late is not None:
        fact = f"`{late.name}` comes after `{mixing[0].name}`, which mixes images and must be last"
        raise fail("transform", fact, help=f"move `{mixing[0].name}` to the end of `augment`")
    return augment[:alone], mixing
