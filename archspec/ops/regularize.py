"""Dropout, of units, of whole channels and of whole samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.declare import FRACTION, POSITIVE, Schema, arg, declared
from archspec.ops.base import Layer, Op, OpError, Shape, product, ranks, show, spatial

NOISE_SHAPE: Schema = {"type": ["array", "null"], "items": {**POSITIVE, "type": ["integer", "null"]}, "minItems": 1}


@declared
class Dropout(Op):
    """In training, zero a share of the units and scale up the rest (Srivastava et al. 2014, section 4).

    Shapes: as its input. It does nothing at inference.
    """

    name = "dropout"
    keras_layers = ("Dropout",)
    keeps = ()
    examples = (
        ({"rate": 0.5}, [(5, 4, 3)]),
        ({"rate": 0.25, "noise_shape": [None, 1, 1, 3]}, [(5, 4, 3)]),
        ({"rate": 0}, [(7,)]),
    )

    rate: float = arg(FRACTION, "share of the units that is zeroed")
    noise_shape: tuple[int | None, ...] | None = arg(
        NOISE_SHAPE, "shape of the mask, the batch first: 1 where units share it, null for the input's own size", None
    )

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if self.noise_shape is not None:
            batch, *sizes = self.noise_shape
            fits = len(sizes) == len(x) and all(noise in (None, 1, size) for noise, size in zip(sizes, x, strict=True))
            if not fits or batch not in (None, 1):
                raise OpError(
                    f"a mask of {show(self.noise_shape)} does not fit {show((None, *x))}",
                    "noise_shape",
                    "each value is null or 1, or the size of the input there; the first is that of the batch",
                )
        return x

    def workspace(self, *inputs: Shape) -> float | None:
        size = product(inputs[0])
        return None if size is None else size / 4  # the mask, a byte for each value

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        given = super().from_keras(layer)
        return None if given and _drops_samples(layer) else given


@declared
class SpatialDropout(Op):
    """In training, zero a share of the channels, each at all its positions (Tompson et al. 2015, section 3.2).

    Shapes: as its input, which has spatial axes. It does nothing at inference.
    """

    name = "spatial_dropout"
    keras_layers = ranks("SpatialDropout")
    keeps = ()
    examples = (
        ({"rate": 0.5}, [(5, 4, 3)]),
        ({"rate": 0.25}, [(None, 3)]),
        ({"rate": 0.25}, [(5, 4, 2, 3)]),
    )

    rate: float = arg(FRACTION, "share of the channels that is zeroed")

    def shape(self, *inputs: Shape) -> Shape:
        spatial(inputs[0], self.name)
        return inputs[0]


@declared
class StochasticDepth(Op):
    """In training, zero all of a sample with probability `rate` and scale up the others: the last layer of a branch.

    Huang et al. 2016, section 3, which draws once for a whole batch and scales at test time; as drop path (Larsson et
    al. 2017) it is usual today for each sample by itself.

    Shapes: as its input. It does nothing at inference.
    """

    name = "stochastic_depth"
    keras_layers = ("Dropout",)
    keeps = ()
    examples = (
        ({"rate": 0.2}, [(5, 4, 3)]),
        ({"rate": 0.5}, [(7,)]),
        ({"rate": 0}, [(None, None, 3)]),
    )

    rate: float = arg(FRACTION, "probability that a sample loses the branch")

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            one_draw_a_sample = (None, *(1,) * (len(x.shape) - 1))
            return keras.layers.Dropout(self.rate, noise_shape=one_draw_a_sample, name=name)(x)

        return call

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        given = super().from_keras(layer)
        return given if given and _drops_samples(layer) else None


def _drops_samples(dropout: Any) -> bool:
    """Whether Keras's Dropout has one draw for each sample: a mask of (batch, 1, ..., 1)."""
    first, *others = dropout.noise_shape or (1,)
    return first is None and set(others) <= {1}
