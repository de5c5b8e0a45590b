"""The path from an image to the network's input, shared by training, evaluation, prediction and the exported model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.diagnostics import fail
from archspec.ops.base import OpError, Shape, show
from archspec.transforms import Transform
from archspec.transforms.frame import Frame, view, whole
from archspec.transforms.mix import Mixing
from archspec.transforms.resize import of_size, scaled_sides


def preprocess_image(
    tf: Any, image: Any, input_shape: Shape, preprocess: Sequence[Transform], resize: int | None = None
) -> Any:
    """One image (H, W, C), uint8 or float32, of any size -> float32 input_shape.

    The image is resized, antialiased bilinear, until its smallest side has `resize` pixels and it covers the input;
    then come the center crop and `preprocess`.
    """
    return preprocess_batch(tf, image[None], input_shape, preprocess, resize)[0]


def preprocess_batch(
    tf: Any, images: Any, input_shape: Shape, preprocess: Sequence[Transform], resize: int | None = None
) -> Any:
    """As `preprocess_image`, for images (b, H, W, C) of one size."""
    return preprocess_values(tf, resized(tf, images, input_shape, resize), input_shape, preprocess)


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
            fact = f"`{transform.name}` is random, but `preprocess` must be the same for every image"
            raise fail("transform", fact, help="move it to `train: augment:`")
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
