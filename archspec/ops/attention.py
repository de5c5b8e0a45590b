"""Attention over a sequence of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.declare import BOOLEAN, FRACTION, POSITIVE, Schema, arg, declared
from archspec.ops.base import EVERYTHING, Layer, Op, OpError, Shape, View, Weight, channels, input_shape, product, show

KEY_DIM: Schema = {"type": ["integer", "null"], "minimum": 1}


@declared
class Attention(Op):
    """Multi-head self-attention over a sequence (Vaswani et al. 2017, section 3.2.2).

    Shapes: (L, C) -> (L, C).
    Weights: kernel (C, num_heads, key_dim) and bias (num_heads, key_dim) of the query, the key and the value, in this
    order; kernel (num_heads, key_dim, C) and bias (C,) of the output.
    MACs: 4 L C num_heads key_dim for the projections and 2 L^2 num_heads key_dim for the two products.
    """

    name = "attention"
    kind = "attention"
    keras_layers = ("MultiHeadAttention",)
    examples = (
        ({"num_heads": 2}, [(5, 6)]),
        ({"num_heads": 3, "key_dim": 4, "use_bias": False, "dropout": 0.25}, [(7, 8)]),
        ({"num_heads": 2}, [(None, 4)]),
    )

    num_heads: int = arg(POSITIVE, "number of attention heads")
    key_dim: int | None = arg(KEY_DIM, "channels of each head; by default input channels / `num_heads`", None)
    dropout: float = arg(FRACTION, "fraction of the attention weights set to zero in training", 0.0)
    use_bias: bool = arg(BOOLEAN, "add biases to the projections", True)

    def head(self, x: Shape) -> int:
        """Channels of each head. Raises OpError when the input is not a sequence or its channels cannot be split."""
        if len(x) != 2:
            help = "turn a feature map into a sequence with `reshape: [-1, $channels]`"
            raise OpError(f"`attention` needs (length, channels), but its input is {show(x)}", help=help)
        entering = channels(x, self.name)
        if self.key_dim is not None:
            return self.key_dim
        if entering % self.num_heads:
            raise OpError(
                f"{entering} input channels cannot be split into {self.num_heads} heads",
                "num_heads",
                f"`num_heads` must divide {entering} (the input channels), or give `key_dim`",
            )
        return entering // self.num_heads

    def shape(self, *inputs: Shape) -> Shape:
        self.head(inputs[0])
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        heads, entering = (self.num_heads, self.head(x)), channels(x, self.name)
        bias, last = (Weight("bias", heads),), (Weight("bias", (entering,)),)
        projection = (Weight("kernel", (entering, *heads)), *(bias if self.use_bias else ()))
        output = (Weight("kernel", (*heads, entering)), *(last if self.use_bias else ()))
        return (*projection * 3, *output)

    def macs(self, *inputs: Shape) -> int | None:
        (x,) = inputs
        length, inner = x[0], self.num_heads * self.head(x)
        projections, products = product((length, x[1], 4 * inner)), product((length, length, 2 * inner))
        return None if projections is None or products is None else projections + products

    def workspace(self, *inputs: Shape) -> float | None:
        length, inner = inputs[0][0], self.num_heads * self.head(inputs[0])
        # query, key, value and the output of the heads; the scores before and after the softmax
        return None if length is None else 4 * length * inner + 2 * self.num_heads * length**2

    def view(self, *inputs: Shape) -> View:
        return EVERYTHING

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            layer = keras.layers.MultiHeadAttention(
                self.num_heads, self.head(tuple(x.shape)[1:]), dropout=self.dropout, use_bias=self.use_bias, name=name
            )
            return layer(x, x)

        return call

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        given = super().from_keras(layer)
        if given is None:
            return None
        several = len({id(tensor) for tensor in layer._inbound_nodes[0].input_tensors}) > 1
        if several or layer.value_dim != layer.key_dim or getattr(layer, "use_gate", False):
            raise OpError("it is not self-attention with keys and values of the same size")
        by_default = layer.num_heads * layer.key_dim == input_shape(layer)[-1]
        return {**given, "key_dim": None} if by_default else given
