"""Decode of a JPEG no more than what a frame shows of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.runtime.data.decode import decode, is_upright_jpeg, to_channels
from archspec.transforms.frame import Frame, view, whole

REDUCTIONS = (8, 4, 2)
"""By how much libjpeg reduces an image while it decodes it."""
MARGIN = 2  # pixels around the window, so that the interpolation of its colours knows what lies beside it


def decode_view(
    tf: Any, contents: Any, channels: int, frame_of: Callable[[Frame], Frame], resample: str = "exact"
) -> Any:
    """Encoded bytes to the float32 (*size, channels) that `frame_of(the whole image)` shows.

    resample: as in `view`; `fast` also decodes at a half, a quarter or an eighth where the frame shrinks the image by
    that much. Files that are no upright JPEG are decoded whole. Raises tf.errors.InvalidArgumentError.
    """

    def window() -> Any:
        sides = tf.io.extract_jpeg_shape(contents)[:2]
        frame = frame_of(whole(tf, sides))
        if resample == "exact":
            return _decode_window(tf, contents, channels, frame, sides, 1, resample)
        shrinks = tf.reduce_min(frame.extent / tf.cast(frame.size, tf.float64))

        def at(reduction: int) -> Callable[[], Any]:
            return lambda: _decode_window(tf, contents, channels, frame, sides, reduction, resample)

        branches = [(shrinks >= float(reduction), at(reduction)) for reduction in REDUCTIONS]
        return tf.case(branches, default=at(1), exclusive=False)

    def everything() -> Any:
        image = decode(tf, contents, channels)
        return view(tf, image[None], frame_of(whole(tf, tf.shape(image)[:2])), resample)[0]

    seen = tf.cond(is_upright_jpeg(tf, contents), window, everything)
    return tf.ensure_shape(seen, (None, None, channels))


def _decode_window(
    tf: Any, contents: Any, channels: int, frame: Frame, sides: Any, reduction: int, resample: str
) -> Any:
    """The frame of the image reduced by `reduction`, of which only the window that the resampling reads is decoded."""
    sides = -(-sides // reduction)
    corner, extent = frame.corner / reduction, frame.extent / reduction
    reach = MARGIN + tf.maximum(extent / tf.cast(frame.size, tf.float64), 1.0)  # of the antialiasing triangle
    first = tf.cast(tf.maximum(tf.floor(corner - reach), 0.0), tf.int32)
    last = tf.minimum(tf.cast(tf.math.ceil(corner + extent + reach), tf.int32), sides)
    raw = tf.image.decode_and_crop_jpeg(
        contents,
        tf.concat([first, last - first], 0),
        channels=3 if channels == 3 else 0,
        ratio=reduction,
        dct_method="INTEGER_ACCURATE",
    )
    pixels = raw if channels == 3 else to_channels(tf, raw, channels)
    return view(tf, pixels[None], Frame(corner - tf.cast(first, tf.float64), extent, frame.size), resample)[0]
