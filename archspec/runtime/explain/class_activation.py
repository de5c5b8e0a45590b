"""What Grad-CAM, Grad-CAM++ and HiResCAM share: maps from the features of a layer and the gradients of k classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from archspec.declare import declared
from archspec.runtime.explain.explain_method import CLASSES, SPATIAL_LAYER, ExplainMethod
from archspec.runtime.explain.explanation import ExplainedImage, Panel
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.map_scaling import Array, class_numbers, class_title, upsampled
from archspec.runtime.explain.open_layer import OpenLayer
from archspec.runtime.explain.open_network import OpenNetwork

Combine = Callable[[Array, Array], Array]
"""Features (B, h, w, C) and gradients (k, B, h, w, C) -> maps (k, B, h, w), before their ReLU."""


def spatial_layer(network: OpenNetwork, path: str | None) -> OpenLayer:
    """The layer of that path, or the default. Raises ArchspecError: `unknown-layer`, `not-spatial`."""
    return network.last_spatial if path is None else network.place(path, spatial=True)


def class_activation_maps(
    network: OpenNetwork, batch: ImageBatch, layer: str | None, classes: Sequence[str], combine: Combine, unit: str
) -> list[ExplainedImage]:
    """The rectified map of each class, enlarged to the image."""
    place = spatial_layer(network, layer)
    targets = network.targets(classes)
    features, gradients, logits, probabilities, numbers = network.class_gradients(batch.x, place, targets)
    features, gradients = place.maps(features), place.maps(gradients)
    raw = np.maximum(combine(features, gradients), 0)
    large = upsampled(raw, (batch.x.shape[1], batch.x.shape[2]))
    found = []
    for row, name in enumerate(batch.names):
        panels, notes = [], []
        for column, number in enumerate(numbers[row]):
            title = class_title(network.class_names[number], probabilities[row, number])
            panel = Panel(
                title,
                large[column, row],
                "overlay",
                unit,
                raw[column, row],
                class_numbers(network.class_names, number, logits[row], probabilities[row]),
            )
            if panel.is_zero:
                dead = not gradients[column, row].any()
                silent = not features[row].any()
                notes.append(_zero_note(network.class_names[number], place.path, dead=dead, silent=silent))
                zeros = {"all_gradients_are_zero": dead, "all_features_are_zero": silent}
                panel = replace(panel, numbers={**panel.numbers, **zeros})
            panels.append(panel)
        found.append(ExplainedImage(name, batch.labels[row], batch.pixels[row], tuple(panels), notes=tuple(notes)))
    return found


def _zero_note(name: str, path: str, *, dead: bool, silent: bool) -> str:
    if silent:
        return f"the map of `{name}` is zero everywhere: all features of `{path}` are zero"
    if dead:
        return f"the map of `{name}` is zero everywhere: all gradients at `{path}` are zero"
    return f"the map of `{name}` is zero everywhere: no position of `{path}` speaks for this class"


@declared
class ClassActivation(ExplainMethod):
    """Base of the methods that combine the features of a layer with the gradients of k classes into a map for each."""

    unit: ClassVar[str] = "logits"
    """Of the values of the map."""

    classes: tuple[str, ...] = CLASSES
    layer: str | None = SPATIAL_LAYER

    def combine(self, features: Array, gradients: Array) -> Array:
        """Features (B, h, w, C) and gradients (k, B, h, w, C) -> maps (k, B, h, w), before their ReLU."""
        raise NotImplementedError(f"{type(self).__name__}.combine")

    def check(self, network: OpenNetwork) -> None:
        spatial_layer(network, self.layer)
        network.targets(self.classes)

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return spatial_layer(network, self.layer).path

    def explain_batch(self, network: OpenNetwork, batch: ImageBatch) -> Sequence[ExplainedImage]:
        return class_activation_maps(network, batch, self.layer, self.classes, self.combine, self.unit)
