"""Batches for training and evaluation, as tf.data. Random numbers are a function of (seed, epoch, image) alone.

A run that starts at any step slices the plan of its epoch, so that it gets the batches of an uninterrupted run, for any
number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from archspec.diagnostics import fail
from archspec.ops.base import Shape, show
from archspec.runtime.data.files.decode import DecodeWindow, decode_window, sliced, view_window
from archspec.runtime.data.files.encoded_image import image_sides, reader
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.epoch_plan import Cut, Share, batch_draws, batched, epoch_plan, row_batches, shared
from archspec.runtime.data.pipeline.preprocess import (
    Chain,
    chain,
    check_preprocess,
    preprocess_values,
    resized,
    shape_after,
    split_mixing,
)
from archspec.runtime.data.tf_data import batches_at_once, images_at_once, untuned
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.transforms import Transform
from archspec.transforms.affine import Factors
from archspec.transforms.mix import mixed


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Number of batches in one pass over `count` images, including a smaller last one."""
    return -(-count // batch_size)


def training_batches(
    images: Images,
    *,
    input_shape: Shape,
    batch_size: int,
    augment: Sequence[Transform] = (),
    preprocess: Sequence[Transform] = (),
    resize: int | None = None,
    resample: str = "exact",
    seed: int = 0,
    epochs: int,
    start_step: int = 0,
    share: Share | None = None,
) -> Any:
    """A tf.data.Dataset of (x float32 (b, *input_shape), y int32 (b,), or float32 (b, columns) of `Images.y`).

    Each epoch is a permutation of all images; its last batch may be smaller. An image goes through `augment`, then, if
    that gives it no size, through the resize and center crop of evaluation, then through `preprocess`. The transforms
    at the start of `augment` that choose a Frame share one resampling of one window of the file. Transforms that mix
    images come last; with them, y is float32 (b, classes), the share of each class in an image.

    Args:
        resize: smallest side in pixels before evaluation's center crop; None for the smallest that covers the input.
        resample: how frames are resampled (`frame.view`).
        start_step: the first batch, counted over all epochs.
        share: the replicas of this worker. The dataset then yields (x, y, examples): the part of its replicas, and the
            size of the whole batch. It reads only the images of its part, or all if images are mixed.

    Raises:
        ArchspecError: data-shape, transform.
    """
    tf, input_shape = import_tensorflow(), tuple(input_shape)
    as_written = tf.autograph.experimental.do_not_convert
    loaded = _check(images, input_shape, preprocess, resize)
    augment, mixing = split_mixing(loaded, input_shape, augment)
    count, steps = len(images), steps_per_epoch(len(images), batch_size)
    cut = Cut(count, batch_size, Share() if share is None or mixing else share)
    draws_of_image, batches_of = _batches_of(tf, images, loaded, input_shape, augment, preprocess, resize, resample)

    def mix(batch: Any, draws: Any) -> tuple[Any, Any]:
        x, y = batch
        soft = tf.one_hot(y, len(images.class_names)) if images.targets is None else images.targets.soft(tf, y)
        return mixed(tf, mixing, x, soft, draws)

    def epoch_batches(epoch: Any) -> Any:
        skip = tf.where(epoch == start_step // steps, tf.constant(start_step % steps, tf.int64), 0)
        batches = batches_of(cut, *epoch_plan(tf, count, draws_of_image, seed, epoch), skip)
        if mixing:
            draws = batch_draws(tf, steps, 1 + max(each.batch_draws for each in mixing), seed, epoch)[skip:]
            both = tf.data.Dataset.zip((batches, tf.data.Dataset.from_tensor_slices(draws)))
            batches = both.map(as_written(mix), batches_at_once(), deterministic=True)
        if share is None:
            return batches
        return shared(tf, batches, Cut(count, batch_size, share), skip, whole=bool(mixing))

    batches = tf.data.Dataset.range(start_step // steps, epochs).flat_map(as_written(epoch_batches))
    remaining = max(0, epochs * steps - start_step)
    return untuned(batches.apply(tf.data.experimental.assert_cardinality(remaining)).prefetch(batches_at_once()))


def evaluation_batches(
    images: Images,
    *,
    input_shape: Shape,
    batch_size: int,
    preprocess: Sequence[Transform] = (),
    resize: int | None = None,
    share: Share | None = None,
) -> Any:
    """A tf.data.Dataset of (x float32 (b, *input_shape), y int32 (b,)): every image once, in order, center-cropped.

    With a `share`, it yields (x, y, examples), as in training.

    Raises:
        ArchspecError: data-shape, transform.
    """
    tf, input_shape = import_tensorflow(), tuple(input_shape)
    loaded, count = _check(images, input_shape, preprocess, resize), len(images)
    cut = Cut(count, batch_size, share or Share())
    _, batches_of = _batches_of(tf, images, loaded, input_shape, (), preprocess, resize, "exact")
    batches = batches_of(cut, tf.range(count, dtype=tf.int64), tf.zeros((count, 0)), 0)
    if share is not None:
        batches = shared(tf, batches, cut)
    return untuned(batches.prefetch(batches_at_once()))


BatchesOf = Callable[[Cut, Any, Any, Any], Any]
"""(cut, order (count,), draws (count, n), skip) -> a dataset of the batches (x, y) of one pass from batch `skip`."""


def _batches_of(
    tf: Any,
    images: Images,
    loaded: Shape,
    input_shape: Shape,
    augment: Sequence[Transform],
    preprocess: Sequence[Transform],
    resize: int | None,
    resample: str,
) -> tuple[int, BatchesOf]:
    """The number of draws of an image, and the function that makes batches."""
    if images.pixels is not None and all(each.for_input(input_shape).batched for each in augment):
        return _whole_batches(tf, images, loaded, input_shape, augment, preprocess, resize)
    steps = chain(loaded, input_shape, augment, preprocess, resize)
    return steps.draws, _single_images(tf, images, steps, resample)


def _whole_batches(
    tf: Any,
    images: Images,
    loaded: Shape,
    input_shape: Shape,
    augment: Sequence[Transform],
    preprocess: Sequence[Transform],
    resize: int | None,
) -> tuple[int, BatchesOf]:
    """For images in memory: each transform computes a whole batch at once."""
    steps = [transform.for_input(input_shape) for transform in augment]
    columns = list(accumulate((step.draws for step in steps), initial=0))
    shape = shape_after(loaded, input_shape, augment)
    sized = any(step.sizes for step in steps) and shape == input_shape
    with tf.device("/cpu:0"):
        pixels, labels = tf.constant(images.pixels), _labels(tf, images)

    def batches_of(cut: Cut, order: Any, draws: Any, skip: Any) -> Any:
        def batch(rows: Any) -> tuple[Any, Any]:
            x, own = tf.gather(pixels, rows), tf.gather(draws, rows)
            for step, (first, last) in zip(steps, pairwise(columns), strict=True):
                x = step.apply_batch(tf, x, own[:, first:last])
            if not sized:
                x = resized(tf, x, input_shape, resize)
            return preprocess_values(tf, x, input_shape, preprocess), tf.gather(labels, rows)

        batch = tf.autograph.experimental.do_not_convert(batch)
        return row_batches(tf, cut, order, skip).map(batch, batches_at_once(), deterministic=True)

    return columns[-1], batches_of


def _single_images(tf: Any, images: Images, steps: Chain, resample: str) -> BatchesOf:
    """For images in files, or with transforms that compute single images."""
    shapes = image_sides(images)
    with tf.device("/cpu:0"):
        labels = _labels(tf, images)
        sides, in_part = map(tf.constant, shapes)
        pixels = None if images.pixels is None else tf.constant(images.pixels)
    contents_of = None if images.files is None else reader(tf, images)
    channels, all_in_part = int(steps.input_shape[-1] or 0), bool(shapes[1].all())

    def one(row: Any, draws: Any, label: Any, part: Any, factors: Factors, seen: DecodeWindow) -> tuple[Any, Any]:
        if contents_of is None:
            image = view_window(tf, sliced(tf, pixels[row], seen), seen, resample)  # type: ignore[index]
        else:
            image = decode_window(tf, contents_of(row), channels, seen, all_in_part or part, resample)
        return steps.finish(tf, image, draws, factors), label

    def batches_of(cut: Cut, order: Any, draws: Any, skip: Any) -> Any:
        def each(rows: Any) -> Any:
            own, parts = tf.gather(draws, rows), tf.gather(in_part, rows)
            seen = steps.windows(tf, tf.gather(sides, rows), parts, own, resample)
            planned = (rows, own, tf.gather(labels, rows), parts, steps.factors(tf, own), seen)
            dataset = tf.data.Dataset.from_tensor_slices(planned)
            return dataset.map(tf.autograph.experimental.do_not_convert(one), images_at_once(), deterministic=True)

        return batched(tf, cut, order, each, skip)

    return batches_of


def _labels(tf: Any, images: Images) -> Any:
    """int32 (N,), or the labels of several or of other targets, float32 (N, columns)."""
    return tf.constant(images.labels, tf.int32) if images.y is None else tf.constant(images.y, tf.float32)


def _check(images: Images, input_shape: Shape, preprocess: Sequence[Transform], resize: int | None) -> Shape:
    """The shape of a loaded image. Raises data-shape if it does not fit the network's input, and transform."""
    check_preprocess(input_shape, preprocess)
    wanted = show(input_shape)
    if images.pixels is None:
        if len(input_shape) != 3 or input_shape[-1] not in (1, 3):
            raise fail("data-shape", f"image files are (height, width, 1 or 3), but the network's input is {wanted}")
        if None in input_shape:
            raise fail(
                "data-shape",
                f"image files of several sizes cannot be batched for the input {wanted}",
                help="set a fixed `input: [height, width, channels]` in the spec",
            )
        shape: Shape = (None, None, input_shape[-1])
    else:
        shape = tuple(images.pixels.shape[1:])
        fixed = shape if len(input_shape) != 3 else (*input_shape[:2], shape[-1])
        fits = len(shape) == len(input_shape) and all(
            new in (None, old) for new, old in zip(input_shape, fixed, strict=True)
        )
        if not fits:
            raise fail("data-shape", f"the data is {show(shape)}, but the network's input is {wanted}")
    if resize is not None and len(input_shape) != 3:
        raise fail("transform", f"`resize` needs images, but the network's input is {wanted}")
    return shape
