"""What operators declare is what Keras builds: shapes, weights, names; on the examples and on random windows."""

import inspect
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.declare import arguments
from archspec.ops import OPS, Op, OpError
from archspec.ops.base import Shape
from tests.agreement import weights_of

NAME = "conv3_x.2.unit"
EXAMPLES = [
    pytest.param(op, given, inputs, id=f"{name}-{number}")
    for name, op in OPS.items()
    for number, (given, inputs) in enumerate(op.examples)
]


@pytest.mark.parametrize(("op", "given", "inputs"), EXAMPLES)
def test_declared_shape_weights_and_name_are_what_keras_builds(op: type[Op], given: Any, inputs: Any) -> None:
    made = op.make(given)
    tensors = [keras.Input(shape) for shape in inputs]
    output = made.build(keras, NAME)(*tensors)
    model = keras.Model(tensors, output)

    assert output.shape[1:] == made.shape(*inputs)
    last = output._keras_history.operation
    assert last.name == NAME
    built = weights_of({layer.name: layer for layer in model.layers}, NAME, made.weights(*inputs))
    assert built == [(weight.name, weight.shape, weight.trainable) for weight in made.weights(*inputs)]
    assert model.count_params() == sum(weight.size for weight in made.weights(*inputs))
    helpers = [layer.name for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    assert all(name == NAME or name.startswith(f"{NAME}.") for name in helpers)


@pytest.mark.parametrize(("op", "given", "inputs"), EXAMPLES)
def test_a_layer_that_it_builds_is_read_back(op: type[Op], given: Any, inputs: Any) -> None:
    tensors = [keras.Input(shape) for shape in inputs]
    layer = op.make(given).build(keras, NAME)(*tensors)._keras_history.operation
    read = {each.name: each.from_keras(layer) for each in OPS.values() if each.from_keras(layer) is not None}
    assert len(read) <= 1  # no two operators claim a layer
    assert read or type(layer).__name__ not in op.keras_layers
    for name, args in read.items() if op.name != "layer_scale" else ():  # read as a depthwise convolution
        given_to_layer = layer.input if isinstance(layer.input, list) else [layer.input]
        again = OPS[name].make(args).build(keras, NAME)(*(given_to_layer if op.many else given_to_layer[:1]))
        assert again._keras_history.operation.get_config() == layer.get_config()


OF_POSITIVE_NUMBERS = ("log", "power", "rsqrt", "sqrt")
"""Operators that are not finite for negative inputs."""


@pytest.mark.parametrize(("op", "given", "inputs"), EXAMPLES)
def test_a_forward_pass_is_finite_and_has_the_declared_shape(op: type[Op], given: Any, inputs: Any) -> None:
    made = op.make(given)
    tensors = [keras.Input(shape) for shape in inputs]
    model = keras.Model(tensors, made.build(keras, NAME)(*tensors))
    free = iter(range(11, 99))  # a size of its own for each free one, the same in all inputs
    sizes = [next(free) for _ in range(max(map(len, inputs)))]
    fixed = [tuple(sizes[i] if n is None else n for i, n in enumerate(shape)) for shape in inputs]
    random = np.random.default_rng(0)
    draw = random.normal if op.name not in OF_POSITIVE_NUMBERS else random.lognormal
    output = model([draw(size=(2, *shape)).astype("float32") for shape in fixed])
    assert tuple(output.shape) == (2, *made.shape(*fixed))
    assert np.isfinite(output).all()


def test_every_activation_of_keras_is_an_operator_with_its_arguments_and_defaults() -> None:
    functions = dict(inspect.getmembers(keras.activations, inspect.isfunction))
    for name in ("get", "serialize", "deserialize"):
        del functions[name]
    assert len(functions) >= 30
    for name, function in functions.items():
        parameters = list(inspect.signature(function).parameters.values())[1:]
        expected = {p.name: inspect.Parameter.empty if p.default is p.empty else p.default for p in parameters}
        declared = {a.name: inspect.Parameter.empty if a.required else a.default for a in arguments(OPS[name])}
        assert declared == expected, name
    for name in ("swish", "hard_swish"):  # names that Keras takes as well
        assert keras.activations.get(name) is not None


ACTIVATIONS = [case for case in EXAMPLES if hasattr(keras.activations, case.values[0].name)]


@pytest.mark.parametrize(("op", "given", "inputs"), ACTIVATIONS)
def test_an_activation_computes_what_keras_does(op: type[Op], given: Any, inputs: Any) -> None:
    tensor = keras.Input(inputs[0])
    model = keras.Model(tensor, op.make(given).build(keras, NAME)(tensor))
    x = np.random.default_rng(1).normal(size=(2, *(3 if n is None else n for n in inputs[0]))).astype("float32")
    x *= 3  # past the bends of all of them
    expected = getattr(keras.activations, op.name)(keras.ops.convert_to_tensor(x), **given)
    np.testing.assert_allclose(model(x), expected, rtol=1e-5, atol=1e-6)


AXIS = st.integers(1, 4)


@st.composite
def windows(draw: st.DrawFn) -> tuple[str, dict[str, Any], Shape]:
    """Arguments of an operator that slides a window, and an input that may or may not fit."""
    op = draw(st.sampled_from(["conv", "maxpool", "avgpool", "depthwise_conv", "separable_conv"]))
    by_channel = op in ("depthwise_conv", "separable_conv")
    rank = draw(st.integers(1, 2 if by_channel else 3))
    sizes = draw(st.lists(st.none() | st.integers(2, 9), min_size=rank, max_size=rank))
    window = draw(AXIS | st.lists(AXIS, min_size=rank, max_size=rank))
    step = st.integers(1, 3)
    strides = draw(step if by_channel else step | st.lists(step, min_size=rank, max_size=rank))
    side = st.integers(0, 3) | st.lists(st.integers(0, 3), min_size=2, max_size=2)
    pixels = st.integers(0, 2) | st.lists(side, min_size=rank, max_size=rank)
    words = ["valid", "same"] + ["causal"] * (op == "conv")
    given: dict[str, Any] = {"strides": strides, "padding": draw(st.sampled_from(words) | pixels)}
    if op.endswith("pool"):
        given["pool_size"] = window
    else:
        given["kernel_size"] = window
        given["dilation_rate"] = draw(st.sampled_from([1, 1, 2, 3]))
        given["use_bias"] = draw(st.booleans())
    if by_channel:
        given["depth_multiplier"] = draw(st.integers(1, 3))
    if op in ("conv", "separable_conv"):
        given["filters"] = draw(st.integers(1, 6))
    if op == "conv":
        given["groups"] = draw(st.sampled_from([1, 1, 1, 2, 3]))
    return op, given, (*sizes, draw(st.integers(1, 6)))


LAYERS = {
    "conv": "Conv",
    "depthwise_conv": "DepthwiseConv",
    "separable_conv": "SeparableConv",
    "maxpool": "MaxPooling",
    "avgpool": "AveragePooling",
}


def pixels_of(padding: Any, rank: int) -> list[tuple[int, int]] | None:
    """Padding in pixels as [(before, after), ...]; None for `valid` and the like."""
    if isinstance(padding, str):
        return None
    sides = padding if isinstance(padding, list) else [padding] * rank
    return [tuple(side) if isinstance(side, list) else (side, side) for side in sides]


def keras_shape(op: str, given: dict[str, Any], shape: Shape) -> Shape | None:
    """What Keras's own layers make of plain arguments; None where Keras refuses them."""
    x, rank = keras.Input(shape), len(shape) - 1
    given = dict(given)
    if pixels := pixels_of(given["padding"], rank):
        x = getattr(keras.layers, f"ZeroPadding{rank}D")(pixels[0] if rank == 1 else pixels)(x)
        given["padding"] = "valid"
    try:
        layer = getattr(keras.layers, f"{LAYERS[op]}{rank}D")(**given)
        return tuple(layer(x).shape[1:])
    except ValueError:
        return None


def refused_on_purpose(op: str, given: dict[str, Any], rank: int) -> bool:
    """Strides with dilation by channel, which not every version of Keras can; windows of nothing but padding."""
    if op in ("depthwise_conv", "separable_conv"):
        return bool(given["strides"] > 1 and given["dilation_rate"] > 1)
    pixels = pixels_of(given["padding"], rank)
    if op == "conv" or pixels is None:
        return False
    window = given["pool_size"]
    windows = window if isinstance(window, list) else [window] * rank
    return any(max(sides) >= size for sides, size in zip(pixels, windows, strict=True))


@settings(max_examples=150, derandomize=True)
@given(windows())
def test_random_windows_fail_or_agree_with_keras(drawn: tuple[str, dict[str, Any], Shape]) -> None:
    op, given, shape = drawn
    made = OPS[op].make(given)
    try:
        declared = made.shape(shape)
    except OpError:
        assert refused_on_purpose(op, given, len(shape) - 1) or keras_shape(op, given, shape) is None
        return
    assert declared == keras_shape(op, given, shape)
    assert declared == tuple(made.build(keras, NAME)(keras.Input(shape)).shape[1:])
