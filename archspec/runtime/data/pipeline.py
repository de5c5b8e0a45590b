"""Batches for training and evaluation, as tf.data. All that is random is a function of (seed, epoch, image) alone.

A run that starts at any step slices the plan of its epoch, so that it gets the batches that the uninterrupted run
would have got, whatever the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import accumulate, pairwise, takewhile
from typing import Any

from archspec.diagnostics import fail
from archspec.ops.base import Shape, show
from archspec.runtime.data.decode import decode
from archspec.runtime.data.decode_view import decode_view
from archspec.runtime.data.images import Images
from archspec.runtime.data.plan import plan
from archspec.runtime.data.preprocess import (
    check_preprocess,
    preprocess_batch,
    preprocess_image,
    preprocess_values,
    shape_after,
)
from archspec.transforms import Transform
from archspec.transforms.frame import Frame, Framing, view, whole

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
) -> Any:
    """A tf.data.Dataset of (x float32 (b, *input_shape), y int32 (b,)) over all epochs, from batch `start_step` on.

    Each epoch is a permutation of all images; its last batch may be smaller. Each image goes through `augment`, then,
    where that gives it no size, through evaluation's resize and centre crop, then through `preprocess`. The leading
    transforms that choose a Frame cost one resampling together, of the window of the file that it shows; `resample`
    says how (`view`). Raises data-shape and transform.
    """
    from archspec.runtime.quiet import import_tensorflow

    tf, input_shape = import_tensorflow(), tuple(input_shape)
    as_written = tf.autograph.experimental.do_not_convert
    loaded = _check(images, input_shape, preprocess, resize)
    shape = shape_after(loaded, input_shape, augment)
    chain = [transform.for_input(input_shape) for transform in augment]
    columns = list(accumulate((transform.draws for transform in chain), initial=0))
    sized = any(transform.sizes for transform in chain) and shape == input_shape
    count, steps = len(images), steps_per_epoch(len(images), batch_size)
    load = _loader(tf, images, input_shape)
    seen = _viewer(tf, images, input_shape, resample)
    leading = tuple(
        each for each in takewhile(lambda each: isinstance(each, Framing), chain) if isinstance(each, Framing)
    )
    framed = shape_after(loaded, input_shape, leading)
    columns_of = list(zip(chain, pairwise(columns), strict=True))

    def finish(x: Any) -> Any:
        if sized:
            return preprocess_values(tf, x, input_shape, preprocess)
        return preprocess_batch(tf, x, input_shape, preprocess, resize)

    def one(row: Any, draws: Any) -> tuple[Any, Any]:
        def frame_of(frame: Frame) -> Frame:
            for transform, (first, last) in zip(leading, pairwise(columns), strict=False):
                frame = transform.frame(tf, frame, draws[first:last])
            return frame

        image, label = seen(row, frame_of) if leading else load(row)
        image = tf.ensure_shape(image, framed)
        for transform, (first, last) in columns_of[len(leading) :]:
            image = transform.apply(tf, image, draws[first:last])
        return finish(image[None])[0], label

    def many(rows: Any, draws: Any) -> tuple[Any, Any]:
        x, y = load(rows)
        for transform, (first, last) in columns_of:
            x = transform.apply_batch(tf, x, draws[:, first:last])
        return finish(x), y

    def epoch_batches(epoch: Any) -> Any:
        order, draws = plan(tf, count, columns[-1], seed, epoch)
        skip = tf.where(epoch == start_step // steps, tf.constant(start_step % steps, tf.int64), 0)
        if images.pixels is None or not all(transform.batched for transform in chain):
            rows = order[skip * batch_size :]
            each = tf.data.Dataset.from_tensor_slices((rows, tf.gather(draws, rows)))
            return each.map(as_written(one), _threads(), deterministic=True).batch(batch_size)

        def batch(step: Any) -> tuple[Any, Any]:
            rows = order[step * batch_size : (step + 1) * batch_size]
            return many(rows, tf.gather(draws, rows))

        return tf.data.Dataset.range(skip, steps).map(as_written(batch), _batches_at_once(), deterministic=True)

    batches = tf.data.Dataset.range(start_step // steps, epochs).flat_map(as_written(epoch_batches))
    remaining = max(0, epochs * steps - start_step)
    return batches.apply(tf.data.experimental.assert_cardinality(remaining)).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(
    images: Images,
    *,
    input_shape: Shape,
    batch_size: int,
    preprocess: Sequence[Transform] = (),
    resize: int | None = None,
) -> Any:
    """A tf.data.Dataset of (x float32 (b, *input_shape), y int32 (b,)): every image once, in order, centre-cropped.

    Raises data-shape and transform.
    """
    from archspec.runtime.quiet import import_tensorflow

    tf, input_shape = import_tensorflow(), tuple(input_shape)
    as_written = tf.autograph.experimental.do_not_convert
    _check(images, input_shape, preprocess, resize)
    load = _loader(tf, images, input_shape)
    rows = tf.data.Dataset.range(len(images))
    if images.pixels is None:

        def one(row: Any) -> tuple[Any, Any]:
            image, label = load(row)
            return preprocess_image(tf, image, input_shape, preprocess, resize), label

        batches = rows.map(as_written(one), _threads(), deterministic=True).batch(batch_size)
    else:

        def many(rows: Any) -> tuple[Any, Any]:
            x, y = load(rows)
            return preprocess_batch(tf, x, input_shape, preprocess, resize), y

        batches = rows.batch(batch_size).map(as_written(many), _batches_at_once(), deterministic=True)
    return batches.prefetch(tf.data.AUTOTUNE)


def _loader(tf: Any, images: Images, input_shape: Shape, *, decoded: bool = True) -> Any:
    """From rows to (images, labels): a batch or one at a time from memory, one at a time from files.

    Files are encoded bytes where they are not to be decoded.
    """
    with tf.device("/cpu:0"):
        labels = tf.constant(images.labels, tf.int32)
        if images.pixels is not None:
            pixels = tf.constant(images.pixels)
            return lambda rows: (tf.gather(pixels, rows), tf.gather(labels, rows))
        files = tf.constant([os.fsencode(file) for file in images.files or ()])
    channels = int(input_shape[-1] or 0)

    def load(row: Any) -> tuple[Any, Any]:
        contents = tf.io.read_file(files[row])
        return decode(tf, contents, channels) if decoded else contents, labels[row]

    return load


def _viewer(tf: Any, images: Images, input_shape: Shape, resample: str) -> Any:
    """From a row and what makes its Frame to (what the frame shows of the image, label)."""
    load = _loader(tf, images, input_shape, decoded=False)

    def seen(row: Any, frame_of: Any) -> tuple[Any, Any]:
        image, label = load(row)
        if images.pixels is None:
            return decode_view(tf, image, int(input_shape[-1] or 0), frame_of, resample), label
        return view(tf, image[None], frame_of(whole(tf, tf.shape(image)[:2])), resample)[0], label

    return seen


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


def _threads() -> int:
    """Images that are prepared at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _batches_at_once() -> int:
    """Batches that are prepared at once: few, because each waits in memory."""
    return min(_threads(), 4)
