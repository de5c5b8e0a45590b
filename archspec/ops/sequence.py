"""Operators on a sequence of vectors: attention, and the learned vectors class_token and position_embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from archspec.declare import BOOLEAN, FRACTION, POSITIVE, Schema, arg, declared
from archspec.ops.base import (
    EVERYTHING,
    Dim,
    Functional,
    Layer,
    Op,
    OpError,
    Shape,
    Weight,
    channels,
    input_shape,
    product,
    show,
)

KEY_DIM: Schema = {"type": ["integer", "null"], "minimum": 1}


def sequence(x: Shape, op: str) -> tuple[Dim, int]:
    """Length and channels of a sequence. Raises OpError for other shapes."""
    if len(x) != 2:
        raise OpError(
            f"`{op}` needs (length, channels), but its input is {show(x)}",
            help="turn a feature map into a sequence with `reshape: [-1, $channels]`",
        )
    return x[0], channels(x, op)


@declared
class Attention(Op):
    """Multi-head attention over a sequence (Vaswani et al. 2017, section 3.2.2).

    With `from: [x, memory]`, the positions of `x` attend to those of `memory` (cross attention), else to each other.
    Shapes: (L, C) -> (L, C); with memory (L, C), (M, D) -> (L, C).
    Weights: kernel (C, num_heads, key_dim) and bias (num_heads, key_dim) of the query, the key and the value, in this
    order, the last two with D; kernel (num_heads, key_dim, C) and bias (C,) of the output.
    MACs: 2 (L C + M D) num_heads key_dim for the projections and 2 L M num_heads key_dim for the two products.
    """

    name = "attention"
    kind = "attention"
    most = 2
    keras_layers = ("MultiHeadAttention",)
    reads = EVERYTHING
    examples = (
        ({"num_heads": 2}, [(5, 6)]),
        ({"num_heads": 3, "key_dim": 4, "use_bias": False, "dropout": 0.25}, [(7, 8)]),
        ({"num_heads": 2}, [(None, 4)]),
        ({"num_heads": 2}, [(5, 6), (7, 4)]),
    )

    num_heads: int = arg(POSITIVE, "number of attention heads")
    key_dim: int | None = arg(KEY_DIM, "channels of each head; by default input channels / `num_heads`", None)
    dropout: float = arg(FRACTION, "fraction of the attention weights set to zero in training", 0.0)
    use_bias: bool = arg(BOOLEAN, "add biases to the projections", True)

    def head(self, x: Shape) -> int:
        """Channels of each head. Raises OpError when the input is not a sequence or its channels cannot be split."""
        _, entering = sequence(x, self.name)
        if self.key_dim is not None:
            return self.key_dim
        if entering % self.num_heads:
            raise OpError(
                f"{entering} input channels cannot be split into {self.num_heads} heads",
                "num_heads",
                f"`num_heads` must divide {entering} (the input channels), or give `key_dim`",
            )
        return entering // self.num_heads

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        heads, entering = (self.num_heads, self.head(x)), channels(x, self.name)
        _, remembered = sequence(others[0] if others else x, self.name)
        bias, last = (Weight("bias", heads),), (Weight("bias", (entering,)),)
        query, key = (
            (Weight("kernel", (size, *heads)), *(bias if self.use_bias else ())) for size in (entering, remembered)
        )
        output = (Weight("kernel", (*heads, entering)), *(last if self.use_bias else ()))
        return (*query, *key, *key, *output)

    def macs(self, x: Shape, *others: Shape) -> int | None:
        memory, inner = others[0] if others else x, self.num_heads * self.head(x)
        counts = (product((*x, 2 * inner)), product((*memory, 2 * inner)), product((x[0], memory[0], 2 * inner)))
        return None if None in counts else sum(filter(None, counts))

    def workspace(self, x: Shape, *others: Shape) -> float | None:
        length, inner = x[0], self.num_heads * self.head(x)
        remembered = (others[0] if others else x)[0]
        if length is None or remembered is None:
            return None
        # query, key, value and the output of the heads; the scores before and after the softmax
        return 2 * (length + remembered) * inner + 2 * self.num_heads * length * remembered

    def build(self, keras: Any, name: str) -> Layer:
        def attend(x: Any, *memory: Any) -> Any:
            layer = keras.layers.MultiHeadAttention(
                self.num_heads, self.head(tuple(x.shape)[1:]), dropout=self.dropout, use_bias=self.use_bias, name=name
            )
            return layer(x, *(memory or (x,)))

        return attend

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        given = super().from_keras(layer)
        if given is None:
            return None
        read = [id(tensor) for tensor in layer._inbound_nodes[0].input_tensors]
        if len(set(read[1:])) > 1 or layer.value_dim != layer.key_dim or getattr(layer, "use_gate", False):
            raise OpError("its keys and values are not of one layer and one size")
        by_default = layer.num_heads * layer.key_dim == input_shape(layer)[-1]
        return {**given, "key_dim": None} if by_default else given


class Embedded(Functional):
    """Base of the learned vectors. They use the shape of their input, not its values."""

    reads = EVERYTHING
    keeps = ()
    last_layers = ("Embedding",)
    vectors: ClassVar[int | None] = None
    """Number of vectors; None for the length of the sequence."""

    def sizes(self, x: Shape) -> tuple[int, int]:
        """Number of vectors and of their channels. Raises OpError when the input is not a sequence."""
        length, entering = sequence(x, self.name)
        count = self.vectors or length
        if count is None:
            raise OpError(
                f"`{self.name}` needs a known length, but its input is {show(x)}", help="give `input` a fixed size"
            )
        return count, entering

    def shape(self, x: Shape, *others: Shape) -> Shape:
        return self.sizes(x)

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        return (Weight("embeddings", self.sizes(x)),)

    def positions(self, keras: Any, x: Any) -> Any:
        """Numbers of the vectors for a sequence (batch, length, channels): int32 (batch, vectors)."""
        raise NotImplementedError

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        normal = keras.initializers.RandomNormal(stddev=0.02)
        layer = keras.layers.Embedding(*self.sizes(tuple(x.shape)[1:]), embeddings_initializer=normal, name=name)
        return layer(self.positions(keras, x))

    @classmethod
    def from_keras_layers(cls, layers: Sequence[Any], x: Shape) -> Mapping[str, Any] | None:
        fits = len(x) == 2 and cls.vectors in (None, layers[-1].input_dim) and layers[-1].output_dim == x[-1]
        return {} if fits else None


@declared
class ClassToken(Embedded):
    """One learned vector that is prepended to the sequence; the classifier reads the output at its position.

    Shapes: (L, C) -> (1, C).
    Weights: embeddings (1, C).
    Dosovitskiy et al. 2021, section 3.1, x_class of equation 1: `concat: {axis: 1, token: [class_token], patches: []}`.
    """

    name = "class_token"
    vectors = 1
    examples = (
        ({}, [(5, 4)]),
        ({}, [(None, 3)]),
    )

    def positions(self, keras: Any, x: Any) -> Any:
        return keras.ops.zeros_like(x[:, 0, :1], dtype="int32")


@declared
class PositionEmbedding(Embedded):
    """A learned vector for each position, which is added to the sequence.

    Shapes: (L, C) -> (L, C).
    Weights: embeddings (L, C).
    Dosovitskiy et al. 2021, section 3.1, E_pos of equation 1: `add: {x: [], position: [position_embedding]}`.
    """

    name = "position_embedding"
    examples = (({}, [(5, 4)]),)

    def positions(self, keras: Any, x: Any) -> Any:
        return keras.ops.cumsum(keras.ops.ones_like(x[:, :, 0], dtype="int32"), axis=1) - 1
