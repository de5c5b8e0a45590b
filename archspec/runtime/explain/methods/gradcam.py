"""Grad-CAM (Selvaraju et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archspec.declare import BOOLEAN, arg, declared
from archspec.runtime.explain.class_activation import ClassActivation, class_activation_maps
from archspec.runtime.explain.explanation import ExplainedImage
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.map_scaling import Array
from archspec.runtime.explain.open_network import OpenNetwork


def gradcam_maps(features: Array, gradients: Array) -> Array:
    """Sum of the feature maps, each weighted by its mean gradient (equations 1 and 2, before the ReLU).

    Shapes: (B, h, w, C), (k, B, h, w, C) -> (k, B, h, w).
    """
    weights = gradients.mean(axis=(2, 3), dtype=np.float64)
    found: Array = np.einsum("bhwc,kbc->kbhw", features.astype(np.float64), weights).astype(np.float32)
    return found


@declared
class GradCam(ClassActivation):
    """Grad-CAM: where a layer finds evidence for a class (Selvaraju et al. 2017, section 3).

    The feature maps of a layer are added up, each weighted by the mean gradient of the class's logit with respect to
    it; then a ReLU. The gradient is that of the logit, before the softmax. The map has the resolution of the layer, and
    is enlarged to the image. The classes share the forward pass.
    """

    name = "gradcam"

    counterfactual: bool = arg(
        BOOLEAN, "negate the gradients: the regions whose removal would raise the class's score (section 3.3)", False
    )

    def combine(self, features: Array, gradients: Array) -> Array:
        return gradcam_maps(features, -gradients if self.counterfactual else gradients)

    def explain_batch(self, network: OpenNetwork, batch: ImageBatch) -> Sequence[ExplainedImage]:
        unit = "against the class, logits" if self.counterfactual else self.unit
        return class_activation_maps(network, batch, self.layer, self.classes, self.combine, unit)
