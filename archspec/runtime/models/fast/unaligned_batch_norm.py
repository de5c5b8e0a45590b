"""Batch normalization in training of channels that do not fill the vectors of an x86 processor, with oneDNN.

oneDNN has fast kernels only where the number of channels is a multiple of 16, or of 8 for the gradient. For others, as
in a DenseNet that grows by 12, it takes two to four times as long. Here neighbouring pixels are taken together until
their channels fill the vectors: 4 pixels of 36 channels are one of 144.
"""

from __future__ import annotations

import math
from typing import Any

from archspec.runtime.models.fast.batch_norm import batch_norm, speed_up_batch_normalization

VECTOR, GRADIENT_VECTOR = 16, 8
"""The channels for which oneDNN's kernels are fast are multiples of these."""


def speed_up_unaligned_batch_normalization(model: Any) -> int:
    """Normalize several pixels of few channels together, where no GPU is visible. Returns how many layers can do so.

    As in `batch_norm`, outputs, gradients and moving statistics are those of Keras up to rounding. Where pixels cannot
    be divided into groups, or height or width are free, the faster one of the kernel and Keras's operations is used.
    It is for training in a graph: outside of one, `batch_norm` computes. Where pixels are taken together, there are no
    forward-mode derivatives (LookupError in a graph, None of a whole tf.function), and where the gradient is changed,
    no second derivatives (LookupError).

    Args:
        model: a built keras.Model; layers in nested models are found too.
    """
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return 0
    return speed_up_batch_normalization(model, _in_groups)


def _in_groups(x: Any, scale: Any, offset: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """`batch_norm` by whole vectors."""
    import tensorflow as tf

    *_, height, width, channels = x.shape
    together = VECTOR // math.gcd(VECTOR, channels)
    if together == 1 or x.dtype != tf.float32 or tf.executing_eagerly():
        return batch_norm(x, scale, offset, epsilon)
    if not height or not width or height * width % together:
        if channels % GRADIENT_VECTOR == 0:
            return batch_norm(x, scale, offset, epsilon)
        mean, variance = tf.nn.moments(x, (0, 1, 2))  # as in Keras, which is faster than the kernel here
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, epsilon), mean, variance

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def normalized(x: Any, scale: Any, offset: Any) -> Any:
        # forward mode follows these operations instead of the gradient below, and loses the derivative of the mean
        message = "batch normalization has no forward-mode derivatives in a model that archspec trains"
        given = Groups(tf.raw_ops.PreventGradient(input=x, message=message), together)
        mean, variance = given.moments()
        inverse = tf.math.rsqrt(variance + epsilon)

        def gradient(dy: Any, *_: Any) -> Any:
            """Of x, scale and offset (Ioffe & Szegedy 2015, section 3)."""
            if channels % GRADIENT_VECTOR == 0:
                moments = {"reserve_space_1": mean, "reserve_space_2": variance, "reserve_space_3": []}
                return tf.raw_ops.FusedBatchNormGradV3(
                    y_backprop=dy, x=x, scale=scale, **moments, epsilon=epsilon, is_training=True
                )[:3]
            message = "batch normalization has no second derivatives in a model that archspec trains"
            again, dy = (tf.raw_ops.PreventGradient(input=each, message=message) for each in (x, dy))
            groups = Groups(again, together)
            dx, of_factor, of_offset = groups.scaled_gradient(dy, mean, scale * inverse)
            of_scale = of_factor * inverse
            share = -scale * inverse / groups.count
            return dx + groups.scaled(mean, share * inverse * of_scale, share * of_offset), of_scale, of_offset

        return (given.scaled(mean, scale * inverse, offset), mean, variance), gradient

    outputs, mean, variance = normalized(x, scale, offset)
    return outputs, mean, variance


class Groups:
    """An input (B, H, W, C), float32, of which several pixels are taken together."""

    def __init__(self, x: Any, together: int) -> None:
        import tensorflow as tf

        self._shape, self._together, self._channels = tf.shape(x), together, x.shape[-1]
        self._grouped = (-1, 1, x.shape[1] * x.shape[2] // together, together * self._channels)
        self._x = tf.reshape(x, self._grouped)
        self.count = tf.cast(tf.size(x) // self._channels, tf.float32)
        """Pixels of the batch."""

    def moments(self) -> tuple[Any, Any]:
        """Mean and variance (divided by n) of each channel, from those of its groups."""
        import tensorflow as tf

        scale, offset = tf.ones(self._grouped[-1]), tf.zeros(self._grouped[-1])
        _, means, variances = batch_norm(self._x, scale, offset, 0.001)  # the outputs are not used
        means, variances = self._by_channel(means), self._by_channel(variances)
        mean = tf.reduce_mean(means, 0)
        return mean, tf.reduce_mean(variances + tf.square(means - mean), 0)

    def scaled(self, center: Any, factor: Any, offset: Any) -> Any:
        """(x - center) factor + offset, of the shape of x."""
        import tensorflow as tf

        center, factor, offset = map(self._tiled, (center, factor, offset))
        y, *_ = tf.raw_ops.FusedBatchNormV3(
            x=self._x,
            scale=factor,
            offset=offset,
            mean=center,
            variance=tf.ones_like(center),
            epsilon=0.0,
            is_training=False,
        )
        return tf.reshape(y, self._shape)

    def scaled_gradient(self, dy: Any, center: Any, factor: Any) -> tuple[Any, Any, Any]:
        """The gradients of x, factor and offset of `scaled`, where center is a constant."""
        import tensorflow as tf

        center, factor = self._tiled(center), self._tiled(factor)
        dx, of_factor, of_offset, *_ = tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=tf.reshape(dy, self._grouped),
            x=self._x,
            scale=factor,
            reserve_space_1=center,
            reserve_space_2=tf.ones_like(center),
            reserve_space_3=[],
            epsilon=0.0,
            is_training=False,
        )
        of_factor, of_offset = (tf.reduce_sum(self._by_channel(each), 0) for each in (of_factor, of_offset))
        return tf.reshape(dx, self._shape), of_factor, of_offset

    def _tiled(self, values: Any) -> Any:
        import tensorflow as tf

        return tf.tile(values, [self._together])

    def _by_channel(self, values: Any) -> Any:
        import tensorflow as tf

        return tf.reshape(values, (self._together, self._channels))
