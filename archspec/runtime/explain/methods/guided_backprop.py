"""Guided backpropagation (Springenberg et al. 2014)."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.declare import declared
from archspec.runtime.explain.backward_rules import GUIDED, inexact_activations
from archspec.runtime.explain.explain_method import CLASSES, SAMPLES, ExplainMethod
from archspec.runtime.explain.explanation import ExplainedImage
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.input_gradients import NOISE, averaged_gradient, explained_by_class
from archspec.runtime.explain.open_network import OpenNetwork

CAVEAT = (
    "{} changes less than the gradient when the weights are replaced by random ones (Adebayo et al. 2018, Nie et al. "
    "2018): it restores edges of the image, and is weak evidence of what the network has learned"
)


def guided_notes(network: OpenNetwork) -> list[str]:
    """Which activations are not the ReLU of the paper, and what is done with them."""
    kinds = inexact_activations(network)
    if not kinds:
        return []
    return [f"the paper defines the method for ReLU; at {', '.join(kinds)} positive gradients times f'(x) pass"]


@declared
class GuidedBackprop(ExplainMethod):
    """Guided backpropagation: the gradient of which each ReLU passes only positive values (Springenberg et al. 2014).

    A ReLU passes a gradient where its input and the gradient are both positive (section 3.4). The picture is the signed
    result around mid-grey.
    """

    name = "guided-backprop"
    caveat = CAVEAT.format("guided backpropagation")

    classes: tuple[str, ...] = CLASSES
    samples: int = SAMPLES
    noise: float = NOISE

    def check(self, network: OpenNetwork) -> None:
        network.targets(self.classes)

    def notes(self, network: OpenNetwork) -> Sequence[str]:
        return guided_notes(network)

    def explain_batch(self, network: OpenNetwork, batch: ImageBatch) -> Sequence[ExplainedImage]:
        return explained_by_class(
            network,
            batch,
            self.classes,
            lambda classes: averaged_gradient(
                network, batch.x, classes, samples=self.samples, noise=self.noise, rule=GUIDED
            ),
            lambda gradient: gradient,
            "image",
            "guided gradient",
        )
