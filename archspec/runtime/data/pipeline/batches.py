"""Batches for training and evaluation, as tf.data. All that is random is a function of (seed, epoch, image) alone.

A run that starts at any step slices the plan of its epoch, so that it gets the batches that the uninterrupted run
would have got, whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from archspec.diagnostics import fail
from archspec.ops.base import Shape, show
from archspec.runtime.data.files.decode_window import Window, decode_window, sliced, view_window
from archspec.runtime.data.files.encoded_image import reader
from archspec.runtime.data.files.header import image_sides
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.chain import Chain, chain, split_mixing
from archspec.runtime.data.pipeline.epoch_plan import plan, plan_batches
from archspec.runtime.data.pipeline.preprocess import (
    check_preprocess,
    preprocess_batch,
    preprocess_image,
    preprocess_values,
    shape_after,
)
from archspec.runtime.data.pipeline.sharding import Cut, Share, batched, shared
from archspec.runtime.data.tf_data import batches_at_once, images_at_once, untuned
from archspec.transforms import Transform
from archspec.transforms.affine import Factors
from archspec.transforms.mix import mixed

__all__ = ["evaluation_batches", "preprocess_image", "steps_per_epoch", "training_batches"]


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Batches in one pass over `count` images, the smaller last one included."""
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
    """A tf.data.Dataset of (x float32 (b, *input_shape), y int32 (b,)) over all epochs, from batch `start_step` on.

    With a `share` of several hosts: (x, y, examples) of the replicas of one, and how many examples the whole batch has.
    Only those images are read; all of the batch where images are mixed, since each needs its partner.

    With transforms that mix images, which come last, y is float32 (b, classes): the share of each class in an image.
    Each epoch is a permutation of all images; its last batch may be smaller. Each image goes through `augment`, then,
    where that gives it no size, through evaluation's resize and centre crop, then through `preprocess`. The leading
    transforms that choose a Frame cost one resampling together, of the window of the file that it shows; `resample`
    says how (`view`). Raises data-shape and transform.
    """
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf, input_shape = import_tensorflow(), tuple(input_shape)
    as_written = tf.autograph.experimental.do_not_convert
    loaded = _check(images, input_shape, preprocess, resize)
    augment, mixing = split_mixing(loaded, input_shape, augment)
    count, steps = len(images), steps_per_epoch(len(images), batch_size)
    cut = Cut(count, batch_size, Share() if share is None or mixing else share)
    starts, stops = (tf.constant(bound) for bound in cut.bounds)
    together = images.pixels is not None and all(each.for_input(input_shape).batched for each in augment)
    if together:
        draws_of_image, many = _in_batches(tf, images, loaded, input_shape, augment, preprocess, resize)
    else:
        steps_of_image = chain(loaded, input_shape, augment, preprocess, resize)
        draws_of_image, each = steps_of_image.draws, _one_by_one(tf, images, steps_of_image, resample)

    def mix(batch: Any, draws: Any) -> tuple[Any, Any]:
        x, y = batch
        return mixed(tf, mixing, x, tf.one_hot(y, len(images.class_names)), draws)

    def epoch_batches(epoch: Any) -> Any:
        skip = tf.where(epoch == start_step // steps, tf.constant(start_step % steps, tf.int64), 0)
        batches = mixed_batches(epoch, skip) if mixing else unmixed(epoch, skip)
        if share is None:
            return batches
        return shared(tf, batches, Cut(count, batch_size, share), skip, whole=bool(mixing))

    def mixed_batches(epoch: Any, skip: Any) -> Any:
        draws = plan_batches(tf, steps, 1 + max(each.batch_draws for each in mixing), seed, epoch)[skip:]
        both = tf.data.Dataset.zip((unmixed(epoch, skip), tf.data.Dataset.from_tensor_slices(draws)))
        return both.map(as_written(mix), batches_at_once(), deterministic=True)

    def unmixed(epoch: Any, skip: Any) -> Any:
        order, draws = plan(tf, count, draws_of_image, seed, epoch)
        if not together:
            return batched(tf, cut, order, lambda rows: each(rows, tf.gather(draws, rows)), skip)

        def batch(step: Any) -> Any:
            rows = order[step * batch_size + starts[step] : step * batch_size + stops[step]]
            return many(rows, tf.gather(draws, rows))

        return tf.data.Dataset.range(skip, steps).map(as_written(batch), batches_at_once(), deterministic=True)

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
    """A tf.data.Dataset of (x float32 (b, *input_shape), y int32 (b,)): every image once, in order, centre-cropped.

    With a `share` (x, y, examples), as in training. Raises data-shape and transform.
    """
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf, input_shape = import_tensorflow(), tuple(input_shape)
    as_written = tf.autograph.experimental.do_not_convert
    loaded = _check(images, input_shape, preprocess, resize)
    cut, order = Cut(len(images), batch_size, share or Share()), tf.range(len(images), dtype=tf.int64)
    if images.pixels is None:
        each = _one_by_one(tf, images, chain(loaded, input_shape, (), preprocess, resize), "exact")
        batches = batched(tf, cut, order, lambda rows: each(rows, tf.zeros((tf.size(rows), 0))))
    else:
        _, many = _in_batches(tf, images, loaded, input_shape, (), preprocess, resize)

        def batch(rows: Any) -> Any:
            return many(rows, tf.zeros((tf.size(rows), 0)))

        batches = batched(tf, cut, order, tf.data.Dataset.from_tensor_slices)
        batches = batches.map(as_written(batch), batches_at_once(), deterministic=True)
    if share is not None:
        batches = shared(tf, batches, cut)
    return untuned(batches.prefetch(batches_at_once()))


def _in_batches(
    tf: Any,
    images: Images,
    loaded: Shape,
    input_shape: Shape,
    augment: Sequence[Transform],
    preprocess: Sequence[Transform],
    resize: int | None,
) -> tuple[int, Any]:
    """For images in memory: how many draws each takes, and the function of rows and their draws that makes a batch."""
    steps = [transform.for_input(input_shape) for transform in augment]
    columns = list(accumulate((step.draws for step in steps), initial=0))
    shape = shape_after(loaded, input_shape, augment)
    sized = any(step.sizes for step in steps) and shape == input_shape
    with tf.device("/cpu:0"):
        pixels, labels = tf.constant(images.pixels), tf.constant(images.labels, tf.int32)

    def many(rows: Any, draws: Any) -> tuple[Any, Any]:
        x = tf.gather(pixels, rows)
        for step, (first, last) in zip(steps, pairwise(columns), strict=True):
            x = step.apply_batch(tf, x, draws[:, first:last])
        if sized:
            return preprocess_values(tf, x, input_shape, preprocess), tf.gather(labels, rows)
        return preprocess_batch(tf, x, input_shape, preprocess, resize), tf.gather(labels, rows)

    return columns[-1], many


def _one_by_one(tf: Any, images: Images, steps: Chain, resample: str) -> Any:
    """The function of rows and their draws that makes a dataset of (image, label), one for each row, in order."""
    shapes = image_sides(images)
    with tf.device("/cpu:0"):
        labels = tf.constant(images.labels, tf.int32)
        sides, in_part = map(tf.constant, shapes)
        pixels = None if images.pixels is None else tf.constant(images.pixels)
    contents_of = None if images.files is None else reader(tf, images)
    channels, all_in_part = int(steps.input_shape[-1] or 0), bool(shapes[1].all())

    def one(row: Any, draws: Any, label: Any, part: Any, factors: Factors, seen: Window) -> tuple[Any, Any]:
        if contents_of is None:
            image = view_window(tf, sliced(tf, pixels[row], seen), seen, resample)  # type: ignore[index]
        else:
            image = decode_window(tf, contents_of(row), channels, seen, all_in_part or part, resample)
        return steps.finish(tf, image, draws, factors), label

    def each(rows: Any, draws: Any) -> Any:
        parts = tf.gather(in_part, rows)
        seen = steps.windows(tf, tf.gather(sides, rows), parts, draws, resample)
        planned = (rows, draws, tf.gather(labels, rows), parts, steps.factors(tf, draws), seen)
        dataset = tf.data.Dataset.from_tensor_slices(planned)
        return dataset.map(tf.autograph.experimental.do_not_convert(one), images_at_once(), deterministic=True)

    return each


def _check(images: Images, input_shape: Shape, preprocess: Sequence[Transform], resize: int | None) -> Shape:
    """The shape of an image as it is loaded. Raises data-shape when the network cannot take it, and transform."""
    check_preprocess(input_shape, preprocess)
    wanted = show(input_shape)
    if images.pixels is None:
        if len(input_shape) != 3 or input_shape[-1] not in (1, 3):
            fact = f"image files are (height, width, 1 or 3), and the network takes {wanted}"
            raise fail("data-shape", fact)
        if None in input_shape:
            fact = f"image files of many sizes cannot be batched for a network that takes {wanted}"
            raise fail("data-shape", fact, help="give the page a fixed `input: [height, width, channels]`")
        shape: Shape = (None, None, input_shape[-1])
    else:
        shape = tuple(images.pixels.shape[1:])
        fixed = shape if len(input_shape) != 3 else (*input_shape[:2], shape[-1])
        fits = len(shape) == len(input_shape) and all(
            new in (None, old) for new, old in zip(input_shape, fixed, strict=True)
        )
        if not fits:
            raise fail("data-shape", f"the data is {show(shape)}, and the network takes {wanted}")
    if resize is not None and len(input_shape) != 3:
        raise fail("transform", f"`resize` needs images, and the network takes {wanted}")
    return shape
