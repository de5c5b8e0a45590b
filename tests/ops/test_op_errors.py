"""What operators refuse, in which words, and where they point."""

import pytest

from archspec.ops import OPS, OpError

REFUSED = [
    ("add", {}, [(32, 32, 64), (16, 16, 128)], "cannot add (32, 32, 64) and (16, 16, 128)", None),
    ("multiply", {}, [(9, 8, 4), (1, 1, 3)], "cannot multiply (9, 8, 4) and (1, 1, 3)", None),
    ("average", {}, [(7,), (7,), (6,)], "cannot average (7,), (7,) and (6,)", None),
    ("maximum", {}, [(5, 4), (5, 3)], "cannot take the maximum of (5, 4) and (5, 3)", None),
    ("add", {}, [(5, 4)], "`add` needs at least two inputs, but has 1", None),
    ("concat", {}, [(14, 13, 64), (7, 6, 32)], "cannot concatenate (14, 13, 64) and (7, 6, 32) along axis -1", None),
    ("concat", {}, [(6, 32), (32,)], "cannot concatenate (6, 32) and (32,) along axis -1", None),
    ("concat", {}, [(6, 32)], "`concat` needs at least two inputs, but has 1", None),
    ("concat", {"axis": 0}, [(6,), (5,)], "`axis: 0` is the batch axis", "axis"),
    ("concat", {"axis": -3}, [(6, 2), (5, 2)], "`axis: -3` is the batch axis", "axis"),
    (
        "same_pad",
        {"kernel_size": 3, "strides": 2},
        [(None, 6, 3)],
        "`same_pad` with `strides` above 1 needs known sizes, but its input is (None, 6, 3)",
        None,
    ),
    ("layer_scale", {}, [(5, None)], "`layer_scale` needs a known number of channels, but got (5, None)", None),
    ("softmax", {"axis": 2}, [(6,)], "`axis: 2` is not an axis of (6,)", "axis"),
    ("softmax", {"axis": -4}, [(6, 2)], "`axis: -4` is not an axis of (6, 2)", "axis"),
    ("softmax", {}, [(1,)], "`softmax` of a single value is constant: the input is (1,)", "axis"),
    ("glu", {}, [(4, 5)], "`glu` needs an even size along its axis, but the input is (4, 5)", "axis"),
    ("conv", {"filters": 10, "groups": 5}, [(9, 8, 96)], "96 input channels cannot be split into 5 groups", "groups"),
    ("conv", {"filters": 9, "groups": 4}, [(9, 8, 96)], "9 filters cannot be split into 4 groups", "groups"),
    (
        "conv",
        {"filters": 5, "kernel_size": 7},
        [(9, 5, 3)],
        "a window of 7 does not fit into 5: the input is (9, 5, 3)",
        "kernel_size",
    ),
    (
        "conv",
        {"filters": 5, "kernel_size": 4, "dilation_rate": 3, "padding": 1},
        [(6, 3)],
        "a window of 10 does not fit into 6 padded to 8: the input is (6, 3)",
        "kernel_size",
    ),
    (
        "conv",
        {"filters": 5, "strides": 2, "dilation_rate": [1, 2]},
        [(9, 8, 3)],
        "`strides` and `dilation_rate` cannot both be greater than 1",
        "dilation_rate",
    ),
    (
        "conv",
        {"filters": 5, "padding": "causal"},
        [(9, 8, 3)],
        "`padding: causal` needs a 1-D input, but the input has 2 spatial axes",
        "padding",
    ),
    (
        "conv",
        {"filters": 5, "strides": [1, 2]},
        [(9, 3)],
        "`strides` has 2 values for 1 spatial axis",
        "strides",
    ),
    ("conv", {"filters": 5, "padding": [1]}, [(9, 8, 3)], "`padding` has 1 value for 2 spatial axes", "padding"),
    (
        "conv",
        {"filters": 5},
        [(3,)],
        "`conv` needs (length, channels), (height, width, channels) or (depth, height, width, channels), "
        "but got (3,): a vector",
        None,
    ),
    ("conv", {"filters": 5}, [(9, 8, None)], "`conv` needs a known number of channels, but got (9, 8, None)", None),
    (
        "depthwise_conv",
        {},
        [(9, 8, 7, 3)],
        "`depthwise_conv` is 1-D or 2-D, but its input (9, 8, 7, 3) has 3 spatial axes",
        None,
    ),
    (
        "separable_conv",
        {"filters": 4, "strides": [1, 2]},
        [(9, 8, 3)],
        "`separable_conv` needs equal `strides` along both axes: [1, 2]",
        "strides",
    ),
    ("dense", {"units": 4}, [(None,)], "`dense` needs a known number of channels, but got (None,)", None),
    (
        "maxpool",
        {"pool_size": 3},
        [(2, 7, 5)],
        "a window of 3 does not fit into 2: the input is (2, 7, 5)",
        "pool_size",
    ),
    (
        "maxpool",
        {"pool_size": 2, "padding": 2},
        [(8, 7, 5)],
        "a window of 2 would cover only padding, which is 2 wide",
        "padding",
    ),
    (
        "global_avgpool",
        {},
        [(5, 6, 7, 8, 9)],
        "`global_avgpool` needs (length, channels), (height, width, channels) or (depth, height, width, channels), "
        "but got (5, 6, 7, 8, 9): 5 axes",
        None,
    ),
    ("flatten", {}, [(None, 7, 3)], "cannot flatten (None, 7, 3): a size is free", None),
    (
        "reshape",
        {"target_shape": [5, 10]},
        [(4, 2, 3)],
        "cannot reshape (4, 2, 3) into (5, 10): the input has 24 values, but the new shape has 50",
        "target_shape",
    ),
    (
        "reshape",
        {"target_shape": [-1, 7]},
        [(4, 2, 3)],
        "cannot reshape (4, 2, 3) into (-1, 7): 24 values cannot be divided into rows of 7",
        "target_shape",
    ),
    (
        "reshape",
        {"target_shape": [-1, 7, -1]},
        [(4, 2, 3)],
        "`target_shape` has more than one -1: (-1, 7, -1)",
        "target_shape",
    ),
    ("reshape", {"target_shape": [0, 7]}, [(4, 3)], "`target_shape` has a size of 0: (0, 7)", "target_shape"),
    (
        "reshape",
        {"target_shape": [6]},
        [(None, 3)],
        "cannot reshape (None, 3) into (6,): a size is free",
        "target_shape",
    ),
    ("crop", {"cropping": 2}, [(4, 7, 3)], "cannot crop 4 pixels from 4: the input is (4, 7, 3)", "cropping"),
    ("crop", {"cropping": [1]}, [(4, 7, 3)], "`cropping` has 1 value for 2 spatial axes", "cropping"),
    ("pad_channels", {"channels": 3}, [(4, 7, 5)], "cannot pad 5 channels to 3", "channels"),
    (
        "upsample",
        {"interpolation": "bilinear"},
        [(4, 3)],
        "`interpolation: bilinear` needs a 2-D input, but the input has 1 spatial axis",
        "interpolation",
    ),
    ("group_norm", {"groups": 5}, [(9, 8, 96)], "96 input channels cannot be split into 5 groups", "groups"),
    ("group_norm", {"groups": 0}, [(9, 8, 96)], "96 input channels cannot be split into 0 groups", "groups"),
    ("group_norm", {}, [(9, 8, 16)], "16 input channels cannot be split into 32 groups", "groups"),
    (
        "layer_norm",
        {"axis": 1},
        [(None, 3)],
        "`layer_norm` needs a known size along its axis, but its input is (None, 3)",
        "axis",
    ),
    (
        "unit_norm",
        {"axis": (-1, 3)},
        [(9, 8, 1)],
        "`axis` contains an axis of (9, 8, 1) twice",
        "axis",
    ),
    ("layer_norm", {"axis": [-1, 2]}, [(4, 3)], "`axis` contains an axis of (4, 3) twice", "axis"),
    (
        "prelu",
        {},
        [(None, 5, 3)],
        "`prelu` needs known sizes, but its input is (None, 5, 3)",
        "shared_axes",
    ),
    (
        "prelu",
        {"shared_axes": [4]},
        [(6, 5, 3)],
        "`shared_axes: 4` is not an axis of (6, 5, 3)",
        "shared_axes",
    ),
    (
        "dropout",
        {"rate": 0.5, "noise_shape": [None, 2, 1]},
        [(5, 3)],
        "`noise_shape` (None, 2, 1) does not fit the input (None, 5, 3)",
        "noise_shape",
    ),
    (
        "dropout",
        {"rate": 0.5, "noise_shape": [2, 1]},
        [(3,)],
        "`noise_shape` (2, 1) does not fit the input (None, 3)",
        "noise_shape",
    ),
    ("rescale", {"scale": [1, 2]}, [(5, 4, 3)], "`scale` has 2 values for 3 input channels", "scale"),
    ("normalize", {"mean": 1, "variance": [4]}, [(5, 3)], "`variance` has 1 value for 3 input channels", "variance"),
    ("lrn", {}, [(5, None)], "`lrn` needs a known number of channels, but got (5, None)", None),
]


@pytest.mark.parametrize(("op", "given", "inputs", "message", "argument"), REFUSED, ids=[row[3] for row in REFUSED])
def test_the_message_states_the_fact(op, given, inputs, message, argument) -> None:
    with pytest.raises(OpError) as caught:
        OPS[op].make(given).shape(*inputs)
    assert caught.value.message == message
    assert caught.value.arg == argument


def test_the_help_states_the_remedy() -> None:
    with pytest.raises(OpError) as caught:
        OPS["flatten"].make({}).shape((None, 3))
    assert caught.value.help == "use `global_avgpool`, or give `input` a fixed size"
    with pytest.raises(OpError) as caught:
        OPS["prelu"].make({}).shape((None, 5, 3))
    remedy = OPS["prelu"].make({"shared_axes": [1, 2]})
    assert caught.value.help == "share alpha along it: `shared_axes: [1, 2]`"
    assert remedy.shape((None, 5, 3)) == (None, 5, 3)
