"""Which operators and layers a message of LiteRT's converter is about."""

from __future__ import annotations

from typing import Any

import keras

from archspec.ops import OPS
from archspec.runtime.export.litert_errors import missing_operators, places


def message(name: str, path: str, shape: str) -> str:
    """The lines that the converter of TensorFlow 2.21 writes about one operator, shortened."""
    place = f'loc(callsite(fused["{name}:", "{path}@f_1"] at callsite(fused["PartitionedCall:", "S"])))'
    return (
        f"<unknown>:0: error: {place}: 'tf.{name}' op is neither a custom op nor a flex op\n"
        f'<unknown>:0: note: {place}: see current operation: %45 = "tf.{name}"(%44, %21) {{device = ""}} : '
        f"(tensor<?x8x8x24xf32>, tensor<2xi32>) -> tensor<{shape}xf32>\n"
    )


REST = '"tfl.softmax"(%90) : (tensor<?x4xf32>)\n}) {tf.entry_function = {inputs = "a"}} "net_1/conv/Conv2D"\n'


def network() -> Any:
    x = entry = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", name="conv")(x)
    for name in ("stage.attend", "stage.again"):
        shift = 2 if name == "stage.attend" else 0
        x = OPS["window_attention"].make({"num_heads": 2, "window": 4, "shift": shift}).build(keras, name)(x)
    return keras.Model(entry, keras.layers.Softmax(name="last")(x), name="net")


def test_a_function_is_in_the_operator_that_it_is_part_of() -> None:
    rolled = message("Roll", "net_1/Roll", "?x8x8x24") + REST
    assert missing_operators(rolled) == "operators that LiteRT does not have: Roll"
    assert places(rolled, network()) == ["in the layer `stage/attend`"]
    moved = message("Transpose", "net_1/transpose", "?x2x2x2x4x4x4") + REST
    assert missing_operators(moved) == "operators that LiteRT does not have: Transpose of 7 axes"
    assert places(moved, network()) == ["in the layer `stage/attend`", "in the layer `stage/again`"]


def test_an_operator_of_a_layer_is_in_that_layer() -> None:
    error = message("Conv2D", "net_1/conv_1/Conv2D", "?x8x8x8")
    assert places(error, network()) == ["in the layer `conv`"]


def test_a_function_that_gives_an_output_is_named_itself() -> None:
    entry = keras.Input((2, 2, 2))
    turned = keras.ops.transpose(entry, (0, 3, 2, 1))
    name = turned._keras_history.operation.name  # Keras numbers its functions
    assert places(message("Transpose", "net_1/transpose", "?x2x2x2"), keras.Model(entry, turned)) == [
        f"in the layer `{name}`"
    ]


def test_other_messages_are_quoted() -> None:
    assert missing_operators("no memory\nat all") == "an operator that LiteRT does not have: no memory"
    assert places("no memory", network()) == []
