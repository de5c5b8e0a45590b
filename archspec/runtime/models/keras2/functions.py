"""Functions of TensorFlow that Keras 2 saves as layers (TFOpLambda), as functions of `keras.ops`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Arguments = Mapping[str, Any]


def _ops() -> Any:
    import keras

    return keras.ops


def _binary(name: str) -> Callable[[Any, Arguments], Any]:
    """A function of two values, one of which may be a constant. Keras 2 calls the layer's own argument x or y."""

    def apply(x: Any, arguments: Arguments) -> Any:
        if isinstance(x, list):
            return getattr(_ops(), name)(*x)
        if "x" in arguments:  # 1 - layer
            return getattr(_ops(), name)(arguments["x"], x)
        return getattr(_ops(), name)(x, _constant(arguments.get("y", arguments.get("bias"))))

    return apply


def _constant(value: Any) -> Any:
    import numpy as np

    if value is None:
        raise KeyError("y")
    return np.asarray(value, "float32") if isinstance(value, list) else value


def _unary(name: str) -> Callable[[Any, Arguments], Any]:
    return lambda x, arguments: getattr(_ops(), name)(x)


def _index(value: Any) -> Any:
    """An index of `tf.__operators__.getitem` as JSON has it."""
    if isinstance(value, dict) and "__ellipsis__" in str(value.get("class_name")):
        return Ellipsis
    if isinstance(value, dict):
        return slice(value.get("start"), value.get("stop"), value.get("step"))
    return value


def _getitem(x: Any, arguments: Arguments) -> Any:
    spec = arguments["slice_spec"]
    return x[tuple(map(_index, spec)) if isinstance(spec, list) else _index(spec)]


def _reduce(name: str) -> Callable[[Any, Arguments], Any]:
    return lambda x, arguments: getattr(_ops(), name)(
        x, axis=arguments.get("axis"), keepdims=bool(arguments.get("keepdims", False))
    )


class UnsupportedError(ValueError):
    """An argument that the function of Keras does not have."""


METHODS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")
"""Methods of `tf.image.resize` that `keras.ops.image.resize` has, too: both with half-pixel centers."""


def _resize(x: Any, arguments: Arguments) -> Any:
    """`tf.image.resize`, whose default is bilinear without antialiasing."""
    method, size = arguments.get("method", "bilinear"), arguments["size"]
    if method not in METHODS:
        raise UnsupportedError(f"Keras 3 has no method `{method}` for it")
    if arguments.get("preserve_aspect_ratio"):
        raise UnsupportedError("Keras 3 has no argument `preserve_aspect_ratio` for it")
    if not isinstance(size, list) or not all(isinstance(side, int) for side in size):
        raise UnsupportedError("its size is not a height and a width")
    antialias = bool(arguments.get("antialias", False))
    return _ops().image.resize(x, tuple(size), interpolation=method, antialias=antialias, data_format="channels_last")


def _concat(x: Any, arguments: Arguments) -> Any:
    return _ops().concatenate(x, axis=arguments.get("axis", -1))


OPERATIONS: dict[str, Callable[[Any, Arguments], Any]] = {
    "__operators__.getitem": _getitem,
    **{f"{module}.add": _binary("add") for module in ("math", "__operators__")},
    "nn.bias_add": _binary("add"),
    **{f"math.{name}": _binary(name) for name in ("multiply", "subtract", "maximum", "minimum")},
    **{f"math.{name}": _binary("divide") for name in ("divide", "truediv")},
    **{name: _binary("divide") for name in ("math.divide_no_nan", "realdiv")},
    **{f"math.{name}": _unary(name) for name in ("negative", "sigmoid", "tanh", "exp", "square", "sqrt", "abs")},
    **{f"nn.{name}": _unary(name) for name in ("relu", "relu6", "elu", "selu", "silu", "softplus", "tanh", "sigmoid")},
    **dict.fromkeys(("nn.swish", "nn.silu"), _unary("silu")),
    "nn.softmax": lambda x, arguments: _ops().softmax(x, axis=arguments.get("axis") or -1),
    "nn.gelu": lambda x, arguments: _ops().gelu(x, approximate=bool(arguments.get("approximate", False))),
    "nn.leaky_relu": lambda x, arguments: _ops().leaky_relu(x, negative_slope=arguments.get("alpha", 0.2)),
    "math.reduce_mean": _reduce("mean"),
    "math.reduce_max": _reduce("max"),
    "math.reduce_sum": _reduce("sum"),
    "concat": _concat,
    "image.resize": _resize,
    **dict.fromkeys(("cast", "identity", "stop_gradient", "convert_to_tensor"), lambda x, arguments: x),
}
"""Name of the function in a configuration -> function of its inputs and its other arguments."""
