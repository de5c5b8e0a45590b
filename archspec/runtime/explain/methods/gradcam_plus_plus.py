"""Grad-CAM++ (Chattopadhay et al. 2018)."""

from __future__ import annotations

import numpy as np

from archspec.declare import declared
from archspec.runtime.explain.class_activation import ClassActivation
from archspec.runtime.explain.map_scaling import Array


def gradcam_plus_plus_maps(features: Array, gradients: Array) -> Array:
    """Feature maps weighted by the sum of their positive gradients g, each times alpha (equations 5, 6 and 19).

    alpha = g^2 / (2 g^2 + g^3 sum(A)), where A are the features of the channel. The derivatives are those of
    exp(logit), whose common factor exp(logit) is left out. Where all gradients vanish, alpha is 0.

    Shapes: (B, h, w, C), (k, B, h, w, C) -> (k, B, h, w).
    """
    a, g = features.astype(np.float64), gradients.astype(np.float64)
    below = 2 * g**2 + g**3 * a.sum(axis=(1, 2), keepdims=True)
    alpha = np.divide(g**2, below, out=np.zeros_like(g), where=below != 0)
    weights = (alpha * np.maximum(g, 0)).sum(axis=(2, 3))
    found: Array = np.einsum("bhwc,kbc->kbhw", a, weights).astype(np.float32)
    return found


@declared
class GradCamPlusPlus(ClassActivation):
    """Grad-CAM++: Grad-CAM whose weights favor positions of large gradient (Chattopadhay et al. 2018).

    It covers several objects of one class better than Grad-CAM. Its values have no unit: they compare positions of one
    map only.
    """

    name = "gradcam++"
    unit = "relative"

    def combine(self, features: Array, gradients: Array) -> Array:
        return gradcam_plus_plus_maps(features, gradients)
