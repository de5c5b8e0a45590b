"""Convolutions with millions of weights on a TensorFlow CPU: a matrix product for each pixel of the window.

TensorFlow's CPU kernel reorders all weights in each call. For the 7x7x512x4096 of VGG's first fully connected layer,
which slides over few positions, that takes three times as long as the convolution itself.
"""

from __future__ import annotations

import math
from typing import Any

WEIGHTS = 4_000_000
"""Smallest number of weights of a wide convolution."""
PIXELS = 64
"""Largest number of pixels of its window: each is a matrix product."""


def speed_up_wide_windows(model: Any) -> int:
    """Compute wide convolutions of stride 1 without padding by matrix products, where no GPU is visible.

    This changes only networks of free input size, which are not trained, because gradients would be slow. As in
    `grouped_conv` only the computation changes; sums may differ in their last digits. Returns how many changed.
    """
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow" or tf.config.list_physical_devices("GPU"):
        return 0
    if not model.inputs or None not in model.inputs[0].shape[1:-1]:
        return 0
    wide = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D) and _fits(layer)]
    for layer in wide:
        layer.convolution_op = _by_pixel(keras, layer.kernel_size)
    return len(wide)


def _fits(layer: Any) -> bool:
    plain: bool = layer.padding == "valid" and layer.groups == 1 and layer.data_format == "channels_last"
    steps: bool = max(*layer.strides, *layer.dilation_rate) == 1
    return plain and steps and math.prod(layer.kernel.shape) >= WEIGHTS and math.prod(layer.kernel_size) <= PIXELS


def _by_pixel(keras: Any, window: tuple[int, int]) -> Any:
    """A replacement for `layer.convolution_op`: (B, H, W, C), (h, w, C, F) -> (B, H - h + 1, W - w + 1, F)."""

    def convolution_op(inputs: Any, kernel: Any) -> Any:
        ops = keras.ops
        batch, height, width, channels = ops.shape(inputs)
        height, width = height - window[0] + 1, width - window[1] + 1
        total = 0.0
        for i in range(window[0]):
            for j in range(window[1]):
                pixels = inputs[:, i : i + height, j : j + width]
                total += ops.matmul(ops.reshape(pixels, (-1, channels)), kernel[i, j])
        return ops.reshape(total, (batch, height, width, kernel.shape[-1]))

    return convolution_op
