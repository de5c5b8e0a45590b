"""Multiply-accumulates against TensorFlow's own count of floating-point operations."""

from typing import Any

import keras
import pytest
import tensorflow as tf

from archspec.ops import OPS
from archspec.ops.base import Shape


def floating_point_operations(layer: Any, shape: Shape) -> int:
    """What TensorFlow's profiler counts for one sample."""
    traced = tf.function(layer).get_concrete_function(tf.TensorSpec((1, *shape)))
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    return int(tf.compat.v1.profiler.profile(traced.graph, options=options).total_float_ops)


@pytest.mark.parametrize(
    ("op", "given", "shape"),
    [
        ("conv", {"filters": 6, "kernel_size": [5, 3], "strides": 2, "padding": 1}, (11, 7, 4)),
        ("conv", {"filters": 5, "kernel_size": 3, "padding": "same"}, (9, 8, 3)),
        ("conv", {"filters": 5, "kernel_size": 3, "padding": "causal", "strides": 2}, (9, 2)),
        ("depthwise_conv", {"kernel_size": 3, "depth_multiplier": 2, "strides": 2, "padding": 1}, (9, 8, 3)),
        ("separable_conv", {"filters": 7, "kernel_size": 3, "depth_multiplier": 2, "padding": "same"}, (9, 8, 3)),
        ("dense", {"units": 7}, (9,)),
        ("dense", {"units": 7}, (5, 4, 3)),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the profiler is of TensorFlow 1
def test_two_operations_are_one_multiply_accumulate(op: str, given: dict[str, Any], shape: Shape) -> None:
    made = OPS[op].make({**given, "use_bias": False})
    tensor = keras.Input(shape)
    model = keras.Model(tensor, made.build(keras, "a.b")(tensor))
    assert floating_point_operations(model, shape) == 2 * made.macs(shape)
    assert OPS[op].make(given).macs(shape) == made.macs(shape)  # the bias does not count


def test_groups_cost_what_each_costs_by_itself() -> None:
    grouped = OPS["conv"].make({"filters": 6, "kernel_size": [3, 2], "groups": 3})
    one = OPS["conv"].make({"filters": 2, "kernel_size": [3, 2]})
    assert grouped.macs((9, 7, 12)) == 3 * one.macs((9, 7, 4))


def test_convolution_in_three_dimensions() -> None:
    conv = OPS["conv"].make({"filters": 5, "kernel_size": [2, 3, 1]})
    assert conv.macs((4, 6, 7, 3)) == (3 * 4 * 7) * 5 * (2 * 3 * 1) * 3


def test_a_free_size_leaves_the_cost_open() -> None:
    for op, given in [("conv", {"filters": 5}), ("depthwise_conv", {}), ("separable_conv", {"filters": 5})]:
        assert OPS[op].make(given).macs((None, 7, 3)) is None
    assert OPS["dense"].make({"units": 5}).macs((None, 3)) is None


def test_attention_counts_its_projections_and_its_two_products() -> None:
    length, entering, heads, key_dim = 7, 8, 3, 4
    inner = heads * key_dim
    attention = OPS["attention"].make({"num_heads": heads, "key_dim": key_dim})
    projections = 3 * length * entering * inner + length * inner * entering
    products = length * length * inner + length * length * inner  # queries by keys, attention by values
    assert attention.macs((length, entering)) == projections + products
    assert attention.macs((None, entering)) is None


def test_only_convolutions_dense_layers_attention_and_products_count() -> None:
    """He et al. 2016, Table 1, counts the first two."""
    counted = {op.name for op in OPS.values() for given, inputs in op.examples if op.make(given).macs(*inputs) != 0}
    attention = {"attention", "window_attention"}
    assert counted == {
        "conv",
        "conv_transpose",
        "depthwise_conv",
        "separable_conv",
        "dense",
        "dot",
        "matmul",
        *attention,
    }


def test_attention_of_dots_counts_the_products_of_attention() -> None:
    """The scores (5, 7) of queries (5, 3) and keys (7, 3), and their sums of the values (7, 4)."""
    scores, sums = OPS["dot"].make({"axes": -1}), OPS["dot"].make({"axes": [2, 1]})
    assert scores.macs((5, 3), (7, 3)) == 5 * 7 * 3
    assert sums.macs((5, 7), (7, 4)) == 5 * 7 * 4
    assert scores.macs((None, 3), (7, 3)) is None
    matmul = OPS["matmul"].make({})  # with two heads
    assert matmul.macs((2, 5, 3), (2, 3, 7)) == 2 * 5 * 7 * 3
    assert matmul.macs((2, 5, 7), (1, 7, 4)) == 2 * 5 * 7 * 4


def test_windows_of_attention_count_the_positions_inside() -> None:
    """Liu et al. 2021, equation 2: 4 h w C^2 + 2 M^2 h w C for windows of M x M."""
    windows = OPS["window_attention"].make({"num_heads": 2, "window": 3})
    assert windows.macs((6, 9, 4)) == 4 * 6 * 9 * 4**2 + 2 * 3**2 * 6 * 9 * 4
    cross = OPS["attention"].make({"num_heads": 2, "key_dim": 3})
    projections = 5 * 8 * 6 + 2 * 7 * 4 * 6 + 5 * 6 * 8
    assert cross.macs((5, 8), (7, 4)) == projections + 2 * 5 * 7 * 6
