"""Functions of `keras.ops`, arithmetic with numbers and transposed convolutions of a Keras model, read into a spec."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import ops

from tests.runtime.from_keras.test_from_keras import functional, goes_round

CALLS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "1 - x": ("rescale", lambda x, y: 1 - x),
    "1.0 - x": ("rescale", lambda x, y: 1.0 - x),
    "x - 1": ("rescale", lambda x, y: x - 1),
    "2 / |x|": ("reciprocal", lambda x, y: 2 / ops.exp(x)),
    "x / 2": ("rescale", lambda x, y: x / 2),
    "x - y": ("subtract", lambda x, y: x - y),
    "x / exp(y)": ("divide", lambda x, y: x / ops.exp(y)),
    "exp(x) ** y": ("power", lambda x, y: ops.exp(x) ** y),
    "x ** 2": ("square", lambda x, y: x**2),
    "sqrt": ("sqrt", lambda x, y: ops.exp(x) ** 0.5),
    "rsqrt": ("rsqrt", lambda x, y: ops.rsqrt(ops.exp(x))),
    "log": ("log", lambda x, y: ops.log(ops.exp(x))),
    "abs": ("abs", lambda x, y: abs(x)),
    "negative": ("negative", lambda x, y: -x),
    "clip": ("clip", lambda x, y: ops.clip(x, -0.5, 0.25)),
    "minimum": ("minimum", lambda x, y: ops.minimum(x, y)),
    "Subtract": ("subtract", lambda x, y: keras.layers.Subtract()([x, y])),
    "mean of the channels": ("reduce_mean", lambda x, y: ops.mean(x, axis=-1, keepdims=True)),
    "maximum of the channels": ("reduce_max", lambda x, y: ops.max(x, axis=-1, keepdims=True)),
    "minimum of the rows": ("reduce_min", lambda x, y: ops.min(x, axis=1)),
    "sum of the pixels": ("reduce_sum", lambda x, y: ops.sum(x, axis=(1, 2))),
    "variance": ("reduce_variance", lambda x, y: ops.var(x, axis=-1, keepdims=True)),
    "mean of the pixels": ("global_avgpool", lambda x, y: ops.mean(x, axis=(1, 2))),
    "transpose": ("permute", lambda x, y: ops.transpose(x, (0, 3, 1, 2))),
    "matmul": ("matmul", lambda x, y: ops.transpose(x, (0, 3, 1, 2)) @ ops.transpose(y, (0, 3, 2, 1))),
    "rows reversed": ("flip: ", lambda x, y: x[:, ::-1] + ops.flip(x, axis=(1, 2))),
    "split into equal parts": ("slice", lambda x, y: ops.subtract(*ops.split(y, 3, axis=-1)[::2])),
    "split at positions": ("slice", lambda x, y: ops.concatenate(ops.split(y, [1, 4], axis=1)[::-1], axis=1)),
    "unstack": ("take", lambda x, y: ops.multiply(*ops.unstack(y, axis=3)[1:])),
    "expand_dims": ("reshape", lambda x, y: ops.squeeze(ops.expand_dims(x, 1) * 2.0, 1) - y),
    "x[:, :, None]": ("reshape", lambda x, y: ops.max(x[:, :, None, 1:], axis=1)),
    "stack": ("concat", lambda x, y: ops.sum(ops.stack([x, y], axis=1), axis=1)),
    "swapaxes": ("permute", lambda x, y: ops.swapaxes(x, 1, -1)),
    "moveaxis": ("permute: [3, 1, 2]", lambda x, y: ops.moveaxis(x, -1, 1)),
    "Permute": ("permute", lambda x, y: keras.layers.Permute((2, 1, 3))(x)),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_function_goes_round(name: str, tmp_path: Path) -> None:
    op, call = CALLS[name]
    inputs = keras.Input((6, 5, 4))
    x, y = (keras.layers.Conv2D(3, 1, name=each)(inputs) for each in ("first", "second"))
    both = call(x, y)
    vectors = [keras.layers.Flatten()(each) for each in (both, y)]
    text = goes_round(keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Concatenate()(vectors))), tmp_path)
    assert op in text


@pytest.mark.parametrize(
    "args",
    [
        {"kernel_size": 2, "strides": 2},
        {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"},
        {"kernel_size": 4, "strides": 2, "padding": "same", "output_padding": 1, "use_bias": False},
    ],
    ids=["valid", "same", "output_padding"],
)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_convolutions_go_round(rank: int, args: dict[str, Any], tmp_path: Path) -> None:
    layer = getattr(keras.layers, f"Conv{rank}DTranspose")(5, **args)
    assert "conv_transpose" in goes_round(functional(layer, shape=(*(4, 3, 2)[:rank], 6)), tmp_path)
