"""Feature maps (Zeiler & Fergus 2014)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archspec.declare import POSITIVE, arg, declared
from archspec.diagnostics import counted
from archspec.runtime.explain.class_activation import spatial_layer
from archspec.runtime.explain.explain_method import CHANNELS, SPATIAL_LAYER, ExplainMethod
from archspec.runtime.explain.explanation import ExplainedImage, Panel
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.mosaic import mosaic
from archspec.runtime.explain.open_layer import check_channels
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.explain.unit_projection import strongest


@declared
class Features(ExplainMethod):
    """Features: the feature maps of a layer as a grid, all on one scale.

    Read the grid from left to right and from top to bottom. The channels are in their order; of a layer with many, the
    most active ones are shown.
    """

    name = "features"

    layer: str | None = SPATIAL_LAYER
    channels: tuple[int, ...] = CHANNELS
    count: int = arg(POSITIVE, "largest number of channels to show, where none are chosen", 64)

    def check(self, network: OpenNetwork) -> None:
        check_channels(spatial_layer(network, self.layer), self.channels)

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return spatial_layer(network, self.layer).path

    def explain_batch(self, network: OpenNetwork, batch: ImageBatch) -> Sequence[ExplainedImage]:
        place = spatial_layer(network, self.layer)
        features = place.maps(network.activations(batch.x, place))
        found = []
        for row, name in enumerate(batch.names):
            maps = np.moveaxis(features[row], -1, 0)
            chosen = np.array(self.channels) if self.channels else np.sort(strongest(features[row], self.count))
            title = (
                f"{len(chosen)} of {counted(len(maps), 'channel')}"
                if len(chosen) < len(maps)
                else counted(len(maps), "channel")
            )
            numbers = {
                "channels": chosen.tolist(),
                "largest_of_each": maps[chosen].max(axis=(1, 2)).tolist(),
                "never_active": int((maps <= 0).all(axis=(1, 2)).sum()),
            }
            panel = Panel(title, mosaic(maps[chosen]), "heat", "activation", features[row], numbers)
            notes = ["all features are zero"] if not features[row].any() else []
            found.append(ExplainedImage(name, batch.labels[row], batch.pixels[row], (panel,), notes=tuple(notes)))
        return found
