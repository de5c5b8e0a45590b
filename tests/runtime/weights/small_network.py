"""A small network with most kinds of layers, its weights as PyTorch would keep them, and files of those."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

import archspec
from archspec.diagnostics import ArchspecError

SPEC = """
name: small
input: [9, 7, 3]
params: {classes: 6}
blocks:
  unit:
    args: [filters, strides: 1]
    layers:
      - residual:
          body:
            - conv: {filters: $filters, kernel_size: 3, strides: $strides, padding: 1, use_bias: false}
            - bn
            - relu
            - depthwise_conv: {kernel_size: [3, 1], padding: same}
            - conv: {filters: $filters, kernel_size: 1, groups: 2}
          project: [conv: {filters: $filters, kernel_size: 1, strides: $strides, use_bias: false}, bn]
layers:
  - conv: {filters: 8, kernel_size: [3, 1]}
  - prelu: [1, 2]
  - {name: units, unit: 8, repeat: 2, first: {strides: 2}}
  - layer_norm
  - flatten
  - bn
  - {dropout: 0.5}
  - dense: 10
  - relu
  - dense: $classes
  - softmax
"""


def same(model: Any, other: Any) -> None:
    x = np.random.default_rng(1).normal(size=(2, 9, 7, 3)).astype("float32")
    np.testing.assert_allclose(model(x), other(x), atol=1e-6)


def state_dict(model: Any) -> dict[str, Any]:
    """The weights of the small network as PyTorch would keep them, made index by index from its layouts."""
    state: dict[str, Any] = {}
    names = iter(
        [
            "stem.conv",
            "stem.act",
            *(f"units.0.{word}" for word in ("conv1", "bn1", "dw", "conv2", "downsample.0", "downsample.1")),
            *(f"units.1.{word}" for word in ("conv1", "bn1", "dw", "conv2")),
            "norm",
            "head.bn",
            "head.fc1",
            "head.fc2",
        ]
    )
    order = {node.keras_name: i for i, node in enumerate(archspec.load(model.spec).graph().nodes)}
    height, width, channels = 4, 4, 8
    for layer in sorted((layer for layer in model.layers if layer.weights), key=lambda layer: order[layer.name]):
        name = next(names)
        first, *others = [weight.numpy() for weight in layer.weights]
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            first = np.stack([first[:, :, c, 0] for c in range(first.shape[2])])[:, None]
        elif isinstance(layer, keras.layers.Conv2D):
            first = np.stack([[first[:, :, i, o] for i in range(first.shape[2])] for o in range(first.shape[3])])
        elif isinstance(layer, keras.layers.Dense):
            first = first.T
        elif isinstance(layer, keras.layers.PReLU):
            first = first.reshape(-1)
        if name in ("head.bn", "head.fc1"):  # PyTorch flattens channel by channel
            axis = first.ndim - 1
            maps = np.moveaxis(first, axis, 0).reshape(height, width, channels, -1)
            by_channel = [maps[y, x, c] for c in range(channels) for y in range(height) for x in range(width)]
            first = np.moveaxis(np.array(by_channel).reshape(-1, *first.shape[:axis]), 0, axis)
        if name == "head.bn":
            others = [
                np.array([v.reshape(4, 4, 8)[y, x, c] for c in range(8) for y in range(4) for x in range(4)])
                for v in others
            ]
        words = ("weight", "bias", "running_mean", "running_var")
        state.update({f"{name}.{word}": array for word, array in zip(words, [first, *others], strict=False)})
        if len(others) == 3:
            state[f"{name}.num_batches_tracked"] = np.array(9, "int64")
    return state


def write_safetensors(path: Path, state: dict[str, Any]) -> Path:
    save_file({name: np.asarray(array, order="C") for name, array in state.items()}, path)
    return path


def unchanged(model: Any, load: Callable[[], Any]) -> ArchspecError:
    before = [weight.numpy() for weight in model.weights]
    with pytest.raises(ArchspecError) as caught:
        load()
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    return caught.value
