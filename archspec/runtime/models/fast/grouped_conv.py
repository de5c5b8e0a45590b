"""Grouped convolutions on a TensorFlow CPU: split, convolve, concatenate.

TensorFlow's CPU kernels have no grouped convolution, so Keras compiles each one by XLA. That is 6 to 60 times slower
than computing the groups one by one, and the compiled operation limits where a SavedModel runs.
"""

from __future__ import annotations

from typing import Any


def speed_up_grouped_convolutions(model: Any, *, always: bool = False) -> int:
    """Compute each convolution with `groups` > 1 group by group, where no GPU is visible. Returns their number.

    Weights, configuration and file of the layer stay the same; only the computation in this process changes. Its
    results are equal (Krizhevsky et al. 2012, section 3.2, trained the groups on two GPUs).

    Args:
        model: a built keras.Model; convolutions in nested models are found too.
        always: also where a GPU is visible, for a SavedModel that runs on any device.
    """
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow" or (tf.config.list_physical_devices("GPU") and not always):
        return 0
    kinds = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
    found = 0
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found += speed_up_grouped_convolutions(layer, always=always)
        elif isinstance(layer, kinds) and layer.groups > 1 and layer.data_format == "channels_last":
            layer.convolution_op = _by_group(keras, layer)
            if isinstance(layer, keras.layers.Conv1D):  # its own `call` does not use `convolution_op`
                layer.call = super(keras.layers.Conv1D, layer).call
            found += 1
    return found


def _by_group(keras: Any, layer: Any) -> Any:
    """A replacement for `layer.convolution_op`: (..., C), (k..., C / groups, filters) -> (..., filters)."""
    ops, groups, strides, dilation = keras.ops, layer.groups, layer.strides, layer.dilation_rate
    # the only case with a kernel in TensorFlow: 2-D, one input channel in each group, equal strides
    depthwise = layer.rank == 2 and strides[0] == strides[1] and (max(strides) == 1 or max(dilation) == 1)

    def convolution_op(inputs: Any, kernel: Any) -> Any:
        padding = layer.padding
        if padding == "causal":  # as in Conv1D.call
            inputs = ops.pad(inputs, ((0, 0), (dilation[0] * (layer.kernel_size[0] - 1), 0), (0, 0)))
            padding = "valid"
        arguments = {"strides": strides, "padding": padding, "dilation_rate": dilation}
        height_and_width = kernel.shape[:-2]
        if depthwise and inputs.shape[-1] == groups:
            kernel = ops.reshape(kernel, (*height_and_width, groups, kernel.shape[-1] // groups))
            return ops.depthwise_conv(inputs, kernel, **arguments)
        parts = zip(ops.split(inputs, groups, axis=-1), ops.split(kernel, groups, axis=-1), strict=True)
        return ops.concatenate([ops.conv(x, k, **arguments) for x, k in parts], axis=-1)

    return convolution_op
