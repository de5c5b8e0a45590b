"""Large kernels start with the bits that Keras draws, and the layer keeps Keras's initializer."""

import keras
import numpy as np
import pytest

from archspec.runtime.models.fast.initializers import LARGE, call_with_one_pass


@pytest.mark.parametrize("seed", [0, 7, 2**31 - 1, 2**31])
@pytest.mark.parametrize("units", [700, 2000])
def test_a_kernel_has_the_bits_of_keras(seed: int, units: int) -> None:
    assert (1100 * units >= LARGE) == (units == 2000)  # one of each kind
    ours, theirs = (
        keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed=seed)) for _ in range(2)
    )
    stock = ours.kernel_initializer
    call_with_one_pass(keras, ours, [keras.Input((1100,))])
    theirs(keras.Input((1100,)))
    np.testing.assert_array_equal(ours.get_weights()[0], theirs.get_weights()[0])
    assert ours.kernel_initializer is stock
    assert ours.get_config()["kernel_initializer"] == theirs.get_config()["kernel_initializer"]
