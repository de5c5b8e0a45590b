"""HiResCAM (Draelos & Carin 2020)."""

from __future__ import annotations

import numpy as np

from archspec.declare import declared
from archspec.runtime.explain.class_activation import ClassActivation
from archspec.runtime.explain.map_scaling import Array


def hirescam_maps(features: Array, gradients: Array) -> Array:
    """Sum over channels of the features times their gradients, position by position.

    Shapes: (B, h, w, C), (k, B, h, w, C) -> (k, B, h, w).
    """
    found: Array = np.einsum("bhwc,kbhwc->kbhw", features, gradients).astype(np.float32)
    return found


@declared
class HiResCam(ClassActivation):
    """HiResCAM: features times gradients at each position, without averaging the gradients (Draelos & Carin 2020).

    Where the rest of the network is linear, as after the last convolution of a network that flattens its features, the
    map adds up to the logit without its bias. With global average pooling it equals Grad-CAM.
    """

    name = "hirescam"

    def combine(self, features: Array, gradients: Array) -> Array:
        return hirescam_maps(features, gradients)
