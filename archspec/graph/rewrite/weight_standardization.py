"""Convolutions with standardized weights (`standardize`) as plain convolutions with the same outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from archspec.graph.compile.inference import changed
from archspec.graph.rewrite.channel_affine import Array
from archspec.ops.base import Op
from archspec.ops.weight_standardization import EPSILON, SCALED


def is_standardized(op: Op) -> bool:
    """Whether it is a convolution that standardizes its filters."""
    return bool(getattr(op, "standardize", False))


def plain_convolution(op: Op) -> Op:
    """The convolution without `standardize`."""
    return changed(op, standardize=False, epsilon=EPSILON)


def plain_weights(op: Any, weights: Sequence[Array]) -> list[Array]:
    """The kernel that the convolution uses, float64, and the bias (filters,) where it has one.

    Args:
        op: a convolution with `standardize`.
        weights: those of its node, in their order: the filters, the bias, the gain.
    """
    kernel, *others = (np.asarray(each, np.float64) for each in weights)
    gain = others.pop() if op.standardize == SCALED else None
    filters = kernel.shape[-1] if op.name == "conv" else math.prod(kernel.shape[-2:])
    columns = kernel.reshape(-1, filters)
    columns = (columns - columns.mean(axis=0)) / np.sqrt(columns.var(axis=0) + op.epsilon)
    if gain is not None:
        columns = columns * gain / math.sqrt(len(columns))
    return [columns.reshape(kernel.shape), *(each.reshape(-1) for each in others)]
