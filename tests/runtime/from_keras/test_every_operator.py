"""Every operator of the language is read back from the Keras layers that archspec builds for it."""

from typing import Any

import keras
import numpy as np
import pytest

from archspec.ops import OPS, Op
from archspec.runtime.from_keras import spec_of
from tests.ops.test_op_conformance import EXAMPLES, OF_POSITIVE_NUMBERS
from tests.runtime.from_keras.test_from_keras import rebuilt
from tests.runtime.weights.random_weights import randomize


def network(op: type[Op], given: Any, inputs: Any) -> Any:
    tensors = [keras.Input(shape, name=f"x{number}") for number, shape in enumerate(inputs)]
    first = tensors[0] if len(tensors) == 1 else tensors
    return keras.Model(first, op.make(given).build(keras, "layer")(*tensors), name="net")


@pytest.mark.slow
@pytest.mark.parametrize(("op", "given", "inputs"), EXAMPLES)
def test_what_archspec_builds_is_read_back(op: type[Op], given: Any, inputs: Any) -> None:
    model = network(op, given, inputs)
    if all(isinstance(each, (keras.layers.InputLayer, keras.layers.Identity)) for each in model.operations):
        pytest.skip("it returns its input")
    randomize(model)
    again = rebuilt(spec_of(model))
    assert [each.shape for each in again.weights] == [each.shape for each in model.weights]
    again.set_weights(model.get_weights())
    free = iter(range(11, 99))
    sizes = [next(free) for _ in range(max(map(len, inputs)))]
    shapes = [tuple(sizes[i] if n is None else n for i, n in enumerate(shape)) for shape in inputs]
    random = np.random.default_rng(0)
    draw = random.normal if op.name not in OF_POSITIVE_NUMBERS else random.lognormal
    arrays = [draw(size=(2, *shape)).astype("float32") for shape in shapes]
    x = arrays[0] if len(arrays) == 1 else arrays
    expected = np.asarray(model(x))
    np.testing.assert_allclose(again(x), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.last_layers])
def test_an_operator_of_several_layers_keeps_its_name(name: str) -> None:
    models = (network(OPS[name], *example) for example in OPS[name].examples)
    model = next(each for each in models if not all(isinstance(part, keras.Layer) for part in each.operations))
    assert f"- {name}" in spec_of(model)
