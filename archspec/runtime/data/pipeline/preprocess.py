"""The path from an image to the network's input, shared by training, evaluation, prediction and the exported model.

In training it is a Chain, arranged for speed. The transforms at the start that choose a Frame cost one decoded window
and one resampling. The last ones that multiply and add in each channel, including those of `preprocess`, cost one pass
over the pixels. Both are computed for many images at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, takewhile
from typing import Any

from archspec.diagnostics import fail
from archspec.ops.base import OpError, Shape, show
from archspec.runtime.data.files.decode import DecodeWindow, window
from archspec.transforms import Transform
from archspec.transforms.affine import Affine, Factors, applied, composed
from archspec.transforms.frame import Frame, Framing, of_size, scaled_sides, view, whole
from archspec.transforms.mix import Mixing


def preprocess_image(
    tf: Any, image: Any, input_shape: Shape, preprocess: Sequence[Transform], resize: int | None = None
) -> Any:
    """One image (H, W, C), uint8 or float32, of any size -> float32 input_shape.

    The image is resized, antialiased bilinear, until its smallest side has `resize` pixels and it covers the input;
    then come the center crop and `preprocess`.
    """
    return preprocess_values(tf, resized(tf, image[None], input_shape, resize), input_shape, preprocess)[0]


def resized(tf: Any, images: Any, input_shape: Shape, resize: int | None) -> Any:
    """The resize and center crop of `preprocess_image`, for images (b, H, W, C); series and volumes are unchanged."""
    return center_view(tf, images, (input_shape[0], input_shape[1]), resize) if len(input_shape) == 3 else images


def preprocess_values(tf: Any, images: Any, input_shape: Shape, preprocess: Sequence[Transform]) -> Any:
    """`preprocess`, for images that have the size of the input -> float32 (b, *input_shape)."""
    images = tf.ensure_shape(images, (None, *input_shape))
    for transform in preprocess:
        images = transform.for_input(input_shape).apply_batch(tf, images, tf.zeros((tf.shape(images)[0], 0)))
    return tf.ensure_shape(tf.cast(images, tf.float32), (None, *input_shape))


def center_view(tf: Any, images: Any, size: tuple[int | None, int | None], smallest_side: int | None = None) -> Any:
    """The center crop of `size` from the images (b, H, W, C), resized until the smallest side is `smallest_side`.

    An odd remainder leaves the extra pixel below and to the right. A side of None is not cropped. The result is
    float32, except for images that need neither resize nor crop, which are returned as they are.
    """
    if smallest_side is None and tuple(images.shape[1:3]) == size:
        return images
    centre = center_frame(tf, whole(tf, tf.shape(images)[1:3]), size, smallest_side)
    return tf.ensure_shape(view(tf, images, centre), (images.shape[0], *size, images.shape[-1]))


def center_frame(tf: Any, frame: Frame, size: Sequence[int | None], smallest_side: int | None = None) -> Frame:
    """The frame of `center_view` in images whose frame is `frame`."""
    scaled = scaled_sides(tf, frame.size, (size[0], size[1]), smallest_side)
    wanted = of_size(tf, (size[0], size[1]), scaled)
    return frame.resized(tf, scaled).cropped(tf, (scaled - wanted) // 2, wanted)


def check_preprocess(input_shape: Shape, preprocess: Sequence[Transform]) -> None:
    """Raises transform if `preprocess` is random, does not fit the input, or changes its shape."""
    for transform in preprocess:
        if transform.draws or isinstance(transform, Mixing):
            raise fail(
                "transform",
                f"`{transform.name}` is random, but `preprocess` must be the same for every image",
                help="move it to `train: augment:`",
            )
    result = shape_after(input_shape, input_shape, preprocess)
    if result != tuple(input_shape):
        raise fail("transform", f"`preprocess` changes the shape {show(input_shape)} to {show(result)}")


def shape_after(image: Shape, input_shape: Shape, chain: Sequence[Transform]) -> Shape:
    """The shape of an image after a chain of transforms. Raises transform if one does not fit."""
    shape = tuple(image)
    for transform in chain:
        try:
            shape = transform.for_input(input_shape).shape(shape)
        except OpError as error:
            raise fail("transform", error.message, help=error.help) from error
    return shape


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
        raise fail(
            "transform",
            f"`{late.name}` comes after `{mixing[0].name}`, which mixes images and must be last",
            help=f"move `{mixing[0].name}` to the end of `augment`",
        )
    return augment[:alone], mixing
