"""HiResCAM (Draelos & Carin 2020)."""

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


def hirescam_maps(features: Array, gradients: Array) -> Array:
    """Sum over channels of the features times their gradients, position by position.

    Shapes: (B, h, w, C), (k, B, h, w, C) -> (k, B, h, w).
    """
    found: Array = np.einsum("bhwc,kbhwc->kbhw", features, gradients).astype(np.float32)
    return found


@declared
class HiResCam(ExplainMethod):
    """HiResCAM: features times gradients at each position, without averaging the gradients (Draelos & Carin 2020).

    Where the rest of the network is linear, as after the last convolution of a network that flattens its features, the
    map adds up to the logit without its bias. With global average pooling it equals Grad-CAM.
    """

    name = "hirescam"

    classes: tuple[str, ...] = CLASSES
    layer: str | None = SPATIAL_LAYER

    def check(self, network: OpenNetwork) -> None:
        spatial_layer(network, self.layer)
        target_classes(self.classes, network.class_names)

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return spatial_layer(network, self.layer).path

    def explain_batch(self, network: OpenNetwork, batch: ImageBatch) -> Sequence[ExplainedImage]:
        return class_activation_maps(network, batch, self.layer, self.classes, hirescam_maps, "logits")
