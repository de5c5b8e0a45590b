"""Grad-CAM++ (Chattopadhay et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archspec.declare import declared
from archspec.runtime.explain.class_activation import class_activation_maps, spatial_layer
from archspec.runtime.explain.explain_method import CLASSES, SPATIAL_LAYER, ExplainMethod
from archspec.runtime.explain.explanation import ExplainedImage
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.map_scaling import Array
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.explain.target_classes import target_classes


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
class GradCamPlusPlus(ExplainMethod):
    """Grad-CAM++: Grad-CAM whose weights favor positions of large gradient (Chattopadhay et al. 2018).

    It covers several objects of one class better than Grad-CAM. Its values have no unit: they compare positions of one
    map only.
    """

    name = "gradcam++"

    classes: tuple[str, ...] = CLASSES
    layer: str | None = SPATIAL_LAYER

    def check(self, network: OpenNetwork) -> None:
        spatial_layer(network, self.layer)
        target_classes(self.classes, network.class_names)

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return spatial_layer(network, self.layer).path

    def explain_batch(self, network: OpenNetwork, batch: ImageBatch) -> Sequence[ExplainedImage]:
        return class_activation_maps(network, batch, self.layer, self.classes, gradcam_plus_plus_maps, "relative")
