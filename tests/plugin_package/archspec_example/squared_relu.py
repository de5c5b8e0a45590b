"""The squared ReLU, as an operator."""

from typing import Any

from archspec.declare import POSITIVE_NUMBER, arg, declared
from archspec.ops.base import Layer, Op


@declared
class SquaredRelu(Op):
    """min(max(x, 0), maximum) squared (So et al. 2021, Primer, section 3.1, where there is no maximum).

    Shapes: as its input.
    """

    name = "squared_relu"
    examples = (({}, [(5, 4, 3)]), ({"maximum": 6}, [(7,)]))

    maximum: float | None = arg(POSITIVE_NUMBER, "larger values are cut to it before they are squared", None)

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            rectified = keras.layers.ReLU(self.maximum, name=f"{name}.relu")(x)
            return keras.layers.Multiply(name=name)([rectified, rectified])

        return call
