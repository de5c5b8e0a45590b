"""Learned vectors for a sequence: class_token, position_embedding. Both build Keras's Embedding layer."""

from __future__ import annotations

from typing import Any

from archspec.declare import declared
from archspec.ops.base import EVERYTHING, Layer, Op, OpError, Shape, View, Weight, channels, show


class Embedded(Op):
    """Base of the learned vectors. They use the shape of their input, not its values."""

    def sizes(self, x: Shape) -> tuple[int, int]:
        """Number of vectors and of their channels. Raises OpError when the input is not a sequence."""
        if len(x) != 2:
            help = "turn a feature map into a sequence with `reshape: [-1, $channels]`"
            raise OpError(f"`{self.name}` needs (length, channels), but its input is {show(x)}", help=help)
        return self.length(x), channels(x, self.name)

    def length(self, x: Shape) -> int:
        """Number of vectors."""
        raise NotImplementedError

    def shape(self, *inputs: Shape) -> Shape:
        return self.sizes(inputs[0])

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("embeddings", self.sizes(inputs[0])),)

    def view(self, *inputs: Shape) -> View:
        return EVERYTHING

    def embedding(self, keras: Any, x: Any, name: str) -> Layer:
        """The Keras layer: positions (batch, length) -> vectors (batch, length, channels)."""
        normal = keras.initializers.RandomNormal(stddev=0.02)
        layer: Layer = keras.layers.Embedding(*self.sizes(tuple(x.shape)[1:]), embeddings_initializer=normal, name=name)
        return layer


@declared
class ClassToken(Embedded):
    """One learned vector that is prepended to the sequence; the classifier reads the output at its position.

    Shapes: (L, C) -> (1, C).
    Weights: embeddings (1, C).
    Dosovitskiy et al. 2021, section 3.1, x_class of equation 1: `concat: {axis: 1, token: [class_token], patches: []}`.
    """

    name = "class_token"
    keeps = ()
    examples = (
        ({}, [(5, 4)]),
        ({}, [(None, 3)]),
    )

    def length(self, x: Shape) -> int:
        return 1

    def build(self, keras: Any, name: str) -> Layer:
        return lambda x: self.embedding(keras, x, name)(keras.ops.zeros_like(x[:, 0, :1], dtype="int32"))


@declared
class PositionEmbedding(Embedded):
    """A learned vector for each position, which is added to the sequence.

    Shapes: (L, C) -> (L, C).
    Weights: embeddings (L, C).
    Dosovitskiy et al. 2021, section 3.1, E_pos of equation 1: `add: {x: [], position: [position_embedding]}`.
    """

    name = "position_embedding"
    keeps = ()
    examples = (({}, [(5, 4)]),)

    def length(self, x: Shape) -> int:
        if x[0] is None:
            raise OpError(
                f"`{self.name}` needs a known length, but its input is {show(x)}", help="give `input` a fixed size"
            )
        return x[0]

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            positions = keras.ops.cumsum(keras.ops.ones_like(x[:, :, 0], dtype="int32"), axis=1) - 1
            return self.embedding(keras, x, name)(positions)

        return call
