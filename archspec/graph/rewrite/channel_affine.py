"""Layers that multiply and add in each channel, and their absorption by a convolution or dense layer beside them.

All arithmetic is in float64. A layer with kernel W and bias b absorbs x -> s x + t
- behind it: W' = s W, b' = s b + t, by output channel (Jacob et al. 2017, section 3.2);
- before it: W' = W s, b' = b + W t, by input channel, summed over the window. Zero padding comes between the two, so
  this is exact only without padding, or where t = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archspec.graph.ir import Node
from archspec.ops.base import Shape

Array = npt.NDArray[Any]


class ChannelAffine(NamedTuple):
    """x -> scale x + shift, float64 (C,) each."""

    scale: Array
    shift: Array


def of_batch_norm(
    mean: Array, variance: Array, epsilon: float, gamma: Array | None = None, beta: Array | None = None
) -> ChannelAffine:
    """Batch normalization at inference: gamma (x - mean) / sqrt(variance + epsilon) + beta, arrays (C,)."""
    mean, variance = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    scale = 1 / np.sqrt(variance + epsilon)
    if gamma is not None:
        scale = scale * np.asarray(gamma, np.float64)
    shift = -mean * scale
    return ChannelAffine(scale, shift if beta is None else shift + np.asarray(beta, np.float64))


def affine_of(node: Node, weights: Sequence[Array], size: int) -> ChannelAffine | None:
    """What a layer computes in each of `size` channels, the last axis; None for a layer that computes anything else."""
    op = node.op
    match op.name:
        case "bn":
            values = dict(zip((weight.name for weight in node.facts.weights), weights, strict=True))
            return of_batch_norm(
                values["moving_mean"],
                values["moving_variance"],
                op.epsilon,  # type: ignore[attr-defined]
                values.get("gamma"),
                values.get("beta"),
            )
        case "rescale":
            return ChannelAffine(_each(op.scale, size), _each(op.offset, size))  # type: ignore[attr-defined]
        case "normalize":
            mean, variance = _each(op.mean, size), _each(op.variance, size)  # type: ignore[attr-defined]
            scale = 1 / np.maximum(np.sqrt(variance), 1e-7)  # as keras.layers.Normalization
            return ChannelAffine(scale, -mean * scale)
        case "layer_scale":
            return ChannelAffine(np.asarray(weights[0], np.float64).reshape(-1), np.zeros(size))
    return None


def _each(values: Any, size: int) -> Array:
    return np.broadcast_to(np.asarray(values, np.float64), (size,)).copy()


ABSORBING = ("conv", "depthwise_conv", "separable_conv", "dense")
"""Operators that absorb an affine layer beside them."""


def is_padded(node: Node, entering: Shape) -> bool:
    """Whether a layer of ABSORBING reads zeros around its input."""
    op = node.op
    if op.name == "dense" or getattr(op, "padding", "valid") == "valid":
        return False
    padding, kernel = op.padding, node.facts.weights[0].shape[: len(entering) - 1]  # type: ignore[attr-defined]
    if padding in ("same", "causal"):
        return max(kernel) > 1
    return bool(np.any(np.asarray(padding)))


def absorbed_behind(node: Node, weights: Sequence[Array], affine: ChannelAffine) -> list[Array]:
    """The weights, kernels and bias, of the layer with the affine layer behind it; float64."""
    kernels, bias = _split(node, weights)
    if node.op.name == "depthwise_conv":
        kernels[-1] = kernels[-1] * affine.scale.reshape(kernels[-1].shape[-2:])
    else:
        kernels[-1] = kernels[-1] * affine.scale
    return [*kernels, bias * affine.scale + affine.shift]


def absorbed_before(node: Node, weights: Sequence[Array], affine: ChannelAffine) -> list[Array]:
    """The weights, kernels and bias, of the layer with the affine layer before it; float64. See `is_padded`."""
    kernels, bias = _split(node, weights)
    first = kernels[0]
    axes = tuple(range(first.ndim - 2))  # of the window
    if node.op.name == "conv":
        groups = node.op.groups  # type: ignore[attr-defined]
        # (C, 1) -> (C / groups, filters): each filter reads the channels of its group
        scale, shift = (np.repeat(each.reshape(groups, -1).T, first.shape[-1] // groups, axis=1) for each in affine)
        bias = bias + (first * shift).sum(axis=(*axes, first.ndim - 2))
        return [first * scale, bias]
    added = (first * affine.shift[:, None]).sum(axis=axes)
    kernels[0] = first * affine.scale[:, None]
    if node.op.name == "dense":
        return [*kernels, bias + added.sum(axis=0)]
    added = added.reshape(-1)  # by channel and multiplier
    if node.op.name == "separable_conv":
        added = added @ kernels[1].reshape(-1, kernels[1].shape[-1])
    return [*kernels, bias + added]


def _split(node: Node, weights: Sequence[Array]) -> tuple[list[Array], Array]:
    """The kernels, and the bias or zeros."""
    arrays = [np.asarray(each, np.float64) for each in weights]
    if node.op.use_bias:  # type: ignore[attr-defined]
        return arrays[:-1], arrays[-1]
    return arrays, np.zeros(node.shape[-1] or 0)
