"""Guided Grad-CAM (Selvaraju et al. 2017, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.declare import declared
from archspec.runtime.explain.backward_rules import GUIDED
from archspec.runtime.explain.class_activation import spatial_layer
from archspec.runtime.explain.explain_method import CLASSES, SAMPLES, SPATIAL_LAYER, ExplainMethod
from archspec.runtime.explain.explanation import ExplainedImage
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.input_gradients import NOISE, averaged_gradient, explained_by_class
from archspec.runtime.explain.map_scaling import Array, upsampled
from archspec.runtime.explain.methods.gradcam import gradcam_maps
from archspec.runtime.explain.methods.guided_backprop import CAVEAT, guided_notes
from archspec.runtime.explain.open_network import OpenNetwork


@declared
class GuidedGradCam(ExplainMethod):
    """Guided Grad-CAM: guided backpropagation times the enlarged Grad-CAM map (Selvaraju et al. 2017, section 3.2).

    Grad-CAM says where, guided backpropagation fills in the edges there.
    """

    name = "guided-gradcam"
    caveat = CAVEAT.format("the fine structure, from guided backpropagation,")

    classes: tuple[str, ...] = CLASSES
    layer: str | None = SPATIAL_LAYER
    samples: int = SAMPLES
    noise: float = NOISE

    def check(self, network: OpenNetwork) -> None:
        spatial_layer(network, self.layer)
        network.targets(self.classes)

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return spatial_layer(network, self.layer).path

    def notes(self, network: OpenNetwork) -> Sequence[str]:
        return guided_notes(network)

    def explain_batch(self, network: OpenNetwork, batch: ImageBatch) -> Sequence[ExplainedImage]:
        place = spatial_layer(network, self.layer)

        def product(classes: npt.NDArray[np.integer[Any]]) -> Array:
            features, gradients = map(place.maps, network.layer_gradients(batch.x, place, classes[:, None]))
            maps = upsampled(np.maximum(gradcam_maps(features, gradients), 0), (batch.x.shape[1], batch.x.shape[2]))
            guided = averaged_gradient(network, batch.x, classes, samples=self.samples, noise=self.noise, rule=GUIDED)
            found: Array = guided * maps[0][..., None]
            return found

        return explained_by_class(network, batch, self.classes, product, lambda values: values, "image", "guided × CAM")
