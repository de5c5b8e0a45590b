"""Dropout of units, channels and samples: dropout, spatial_dropout, stochastic_depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.declare import FRACTION, POSITIVE, Schema, arg, declared
from archspec.ops.base import Functional, Op, OpError, Shape, product, ranks, show, spatial

NOISE_SHAPE: Schema = {"type": ["array", "null"], "items": {**POSITIVE, "type": ["integer", "null"]}, "minItems": 1}


@declared
class Dropout(Op):
    """In training, set a fraction of the units to zero and scale up the rest (Srivastava et al. 2014, section 4).

    Shapes: as its input. It has no effect at inference.
    """

    name = "dropout"
    keras_layers = ("Dropout",)
    keeps = ()
    examples = (
        ({"rate": 0.5}, [(5, 4, 3)]),
        ({"rate": 0.25, "noise_shape": [None, 1, 1, 3]}, [(5, 4, 3)]),
        ({"rate": 0}, [(7,)]),
    )

    rate: float = arg(FRACTION, "fraction of the units set to zero")
    noise_shape: tuple[int | None, ...] | None = arg(
        NOISE_SHAPE,
        "shape of the mask, batch axis first: 1 to drop whole axes together, null for the size of the input",
        None,
    )

    def shape(self, x: Shape, *others: Shape) -> Shape:
        if self.noise_shape is not None:
            batch, *sizes = self.noise_shape
            fits = len(sizes) == len(x) and all(noise in (None, 1, size) for noise, size in zip(sizes, x, strict=True))
            if not fits or batch not in (None, 1):
                raise OpError(
                    f"`noise_shape` {show(self.noise_shape)} does not fit the input {show((None, *x))}",
                    "noise_shape",
                    "each value must be null, 1 or the size of the input along that axis; the first is the batch axis",
                )
        return x

    def workspace(self, x: Shape, *others: Shape) -> float | None:
        size = product(x)
        return None if size is None else size / 4  # the mask: one byte for each value

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        given = super().from_keras(layer)
        return None if given and _drops_samples(layer) else given


@declared
class SpatialDropout(Op):
    """In training, set a fraction of the channels to zero, at all positions (Tompson et al. 2015, section 3.2).

    Shapes: as its input, which must have spatial axes. It has no effect at inference.
    """

    name = "spatial_dropout"
    keras_layers = ranks("SpatialDropout")
    keeps = ()
    examples = (
        ({"rate": 0.5}, [(5, 4, 3)]),
        ({"rate": 0.25}, [(None, 3)]),
        ({"rate": 0.25}, [(5, 4, 2, 3)]),
    )

    rate: float = arg(FRACTION, "fraction of the channels set to zero")

    def shape(self, x: Shape, *others: Shape) -> Shape:
        spatial(x, self.name)
        return x


@declared
class StochasticDepth(Functional):
    """In training, set a whole sample to zero with probability `rate` and scale up the others (drop path).

    It is the last layer of a residual branch (Huang et al. 2016, section 3; Larsson et al. 2017). The paper draws once
    for each batch and scales at test time; this operator draws for each sample, as is common today.

    Shapes: as its input. It has no effect at inference.
    """

    name = "stochastic_depth"
    keras_layers = ("Dropout",)
    keeps = ()
    examples = (
        ({"rate": 0.2}, [(5, 4, 3)]),
        ({"rate": 0.5}, [(7,)]),
        ({"rate": 0}, [(None, None, 3)]),
    )

    rate: float = arg(FRACTION, "probability that the branch of a sample is set to zero")

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        one_draw_a_sample = (None, *(1,) * (len(x.shape) - 1))
        return keras.layers.Dropout(self.rate, noise_shape=one_draw_a_sample, name=name)(x)

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        given = super().from_keras(layer)
        return given if given and _drops_samples(layer) else None


def _drops_samples(dropout: Any) -> bool:
    """Whether Keras's Dropout has one draw for each sample: a mask of (batch, 1, ..., 1)."""
    first, *others = dropout.noise_shape or (1,)
    return first is None and set(others) <= {1}
