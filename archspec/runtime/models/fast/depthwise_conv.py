"""Gradients of the filters of wide depthwise convolutions on an x86 CPU with oneDNN: three columns at a time.

oneDNN has a fast kernel for this gradient only where the window has at most three columns. For wider ones it computes a
grouped convolution in blocks of 8 or 16 channels, of which it needs the diagonal. A window of 5x5 then takes 1.3 to 6
times as long as two parts of 5x3 and 5x2 (docs/decisions/0027-training-kernels.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

WIDTH = 3
"""Columns of the widest window for which oneDNN has the fast kernel (jit_uni_dw_convolution, oneDNN 3.7)."""


def speed_up_depthwise_gradients(model: Any) -> int:
    """Compute the gradients of wide depthwise filters in parts, where no GPU is visible. Returns how many changed.

    As in `batch_norm`, weights, configuration and file of the layer stay the same; gradients may differ in their last
    digits. It is for training: in a graph for inference, the changed layers could not be fused with others.

    Args:
        model: a built keras.Model; convolutions in nested models are found too.
    """
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow" or tf.config.list_physical_devices("GPU"):
        return 0
    found = 0
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found += speed_up_depthwise_gradients(layer)
        elif type(layer) in (keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D) and _fits(layer):
            layer.call = _with_gradient_in_parts(keras, tf, layer)
            found += 1
    return found


def _fits(layer: Any) -> bool:
    plain: bool = layer.data_format == "channels_last" and layer.depth_multiplier == 1
    return plain and layer.kernel_size[1] > WIDTH and max(layer.dilation_rate) == 1


def _with_gradient_in_parts(keras: Any, tf: Any, layer: Any) -> Callable[..., Any]:
    """A replacement for `layer.call`: (B, H, W, C) -> (B, H', W', F)."""
    keras_call, ops, separable = type(layer).call, keras.ops, isinstance(layer, keras.layers.SeparableConv2D)
    convolve = _convolution(tf, layer.strides, layer.padding.upper())

    def call(inputs: Any) -> Any:
        if inputs.dtype != tf.float32 or None in inputs.shape[1:]:
            return keras_call(layer, inputs)
        outputs = convolve(inputs, ops.convert_to_tensor(layer.depthwise_kernel if separable else layer.kernel))
        if separable:
            outputs = ops.conv(outputs, layer.pointwise_kernel)
        if layer.use_bias:
            outputs = ops.add(outputs, layer.bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    return call


def _convolution(tf: Any, strides: Sequence[int], padding: str) -> Callable[[Any, Any], Any]:
    """`tf.nn.depthwise_conv2d` of (B, H, W, C), (h, w, C, 1), with another gradient of the filters."""
    step = strides[0]
    arguments = {"strides": [1, step, step, 1], "padding": padding}

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolve(inputs: Any, kernel: Any) -> Any:
        def gradients(above: Any) -> tuple[Any, Any]:
            of_inputs = tf.nn.depthwise_conv2d_backprop_input(tf.shape(inputs), kernel, above, **arguments)
            return of_inputs, filter_gradient(inputs, above)

        def filter_gradient(x: Any, above: Any) -> Any:
            height, width, channels, _ = kernel.shape
            # the rows and columns that the windows cover, zeros outside the image included
            rows, columns = (step * (above.shape[axis] - 1) + kernel.shape[axis - 1] for axis in (1, 2))
            if padding == "SAME":
                missing = [max(covered - x.shape[axis], 0) for axis, covered in ((1, rows), (2, columns))]
                x = tf.pad(x, [[0, 0], *([each // 2, each - each // 2] for each in missing), [0, 0]])
            parts = []
            for first in range(0, width, WIDTH):
                count = min(WIDTH, width - first)
                seen = x[:, :rows, first : first + columns - width + count]
                sizes = [height, count, channels, 1]
                options = {"strides": arguments["strides"], "padding": "VALID"}
                parts.append(tf.nn.depthwise_conv2d_backprop_filter(seen, sizes, above, **options))
            return tf.concat(parts, 1)

        return tf.nn.depthwise_conv2d(inputs, kernel, **arguments), gradients

    return convolve  # type: ignore[no-any-return]
