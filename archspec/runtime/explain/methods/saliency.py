"""Saliency maps: the gradient of a class's logit with respect to the pixels (Simonyan et al. 2013)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archspec.declare import declared
from archspec.runtime.explain.explain_method import CLASSES, SAMPLES, ExplainMethod
from archspec.runtime.explain.explanation import ExplainedImage
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.input_gradients import NOISE, averaged_gradient, explained_by_class
from archspec.runtime.explain.open_network import OpenNetwork


@declared
class Saliency(ExplainMethod):
    """Saliency: which pixels change a class's logit the most (Simonyan et al. 2013, section 3.1).

    The largest absolute gradient over the color channels of each pixel.
    """

    name = "saliency"

    classes: tuple[str, ...] = CLASSES
    samples: int = SAMPLES
    noise: float = NOISE

    def check(self, network: OpenNetwork) -> None:
        network.targets(self.classes)

    def explain_batch(self, network: OpenNetwork, batch: ImageBatch) -> Sequence[ExplainedImage]:
        return explained_by_class(
            network,
            batch,
            self.classes,
            lambda classes: averaged_gradient(network, batch.x, classes, samples=self.samples, noise=self.noise),
            lambda gradient: np.abs(gradient).max(axis=-1),
            "heat",
            "|∂ logit / ∂ input|",
        )
