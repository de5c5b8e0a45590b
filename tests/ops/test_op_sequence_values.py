"""Attention, tokens and shuffling, against NumPy and the formulas of the papers."""

import keras
import numpy as np
import pytest

from archspec.ops import OPS, OpError
from tests.ops.test_op_values import normal, run


def test_attention_is_that_of_the_paper() -> None:
    """Vaswani et al. 2017, equation 1 and section 3.2.2."""
    x, tensor = normal(2, 5, 6), keras.Input((5, 6))
    model = keras.Model(tensor, OPS["attention"].make({"num_heads": 2}).build(keras, "a.b")(tensor))
    for number, weight in enumerate(model.weights):
        weight.assign(normal(*weight.shape, seed=number))
    query, key, value = (np.einsum("blc,chd->bhld", x, w) + b[:, None] for w, b in pairs(model.weights[:6]))
    scores = query @ key.transpose(0, 1, 3, 2) / np.sqrt(3)
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    ((kernel, bias),) = pairs(model.weights[6:])
    expected = np.einsum("bhld,hdc->blc", shares @ value, kernel) + bias
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-4)


def pairs(weights: list[object]) -> list[tuple[np.ndarray, np.ndarray]]:
    arrays = [np.asarray(weight) for weight in weights]
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def test_learned_vectors_do_not_depend_on_the_values() -> None:
    x, tensor = normal(2, 5, 4), keras.Input((5, 4))
    for op, length in (("class_token", 1), ("position_embedding", 5)):
        model = keras.Model(tensor, OPS[op].make({}).build(keras, "a.b")(tensor))
        (embeddings,) = model.weights
        expected = np.asarray(embeddings)
        assert expected.shape == (length, 4)
        assert expected.std() > 0
        np.testing.assert_array_equal(model(x), [expected, expected])
        np.testing.assert_array_equal(model(0 * x), [expected, expected])


def test_take_is_one_position() -> None:
    x = normal(2, 5, 4, 3)
    np.testing.assert_array_equal(run("take", {"indices": 0}, x), x[:, 0])
    np.testing.assert_array_equal(run("take", {"indices": -1, "axis": -1}, x), x[..., -1])


def test_channels_are_shuffled_as_in_the_paper() -> None:
    """Zhang et al. 2018, section 3.1: reshape to (g, n), transpose, flatten."""
    x = normal(2, 5, 4, 12)
    expected = x.reshape(2, 5, 4, 3, 4).swapaxes(-1, -2).reshape(x.shape)
    np.testing.assert_array_equal(run("channel_shuffle", {"groups": 3}, x), expected)


def test_split_channels_are_one_group() -> None:
    x = normal(2, 5, 4, 12)
    np.testing.assert_array_equal(run("channel_split", {"index": 1, "groups": 3}, x), x[..., 4:8])


@pytest.mark.parametrize(
    ("op", "given", "shape", "message"),
    [
        ("attention", {"num_heads": 4}, (5, 6), "6 input channels cannot be split into 4 heads"),
        ("attention", {"num_heads": 2}, (5, 4, 6), "needs \\(length, channels\\)"),
        ("position_embedding", {}, (None, 6), "needs a known length"),
        ("take", {"indices": 5}, (5, 6), "no position 5"),
        ("take", {"indices": 0}, (5,), "cannot remove the only axis"),
        ("channel_shuffle", {"groups": 4}, (5, 6), "cannot be split into 4 groups"),
        ("channel_split", {"index": 2}, (5, 6), "no group 2"),
    ],
)
def test_what_does_not_fit_is_refused(op: str, given: dict[str, int], shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(OpError, match=message):
        OPS[op].make(given).shape(shape)
