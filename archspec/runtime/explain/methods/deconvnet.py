"""The deconvnet (Zeiler & Fergus 2014)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archspec.declare import POSITIVE, arg, declared
from archspec.runtime.explain.explain_method import CHANNELS, LAST_LAYER, ExplainMethod
from archspec.runtime.explain.explanation import ExplainedImage, Panel
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.methods.guided_backprop import CAVEAT
from archspec.runtime.explain.open_layer import OpenLayer, check_channels
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.explain.unit_projection import check_projection, project, projection_notes, strongest


@declared
class Deconvnet(ExplainMethod):
    """Deconvnet: which pixels excite the strongest unit of a channel (Zeiler & Fergus 2014, section 2.1).

    All other units of the layer are set to zero, and the activation goes back through transposed filters, the switches
    of max pooling and a ReLU wherever the network has one. A tie in a pooling window goes to its first maximum, and
    overlapping windows add up. Biases and local response normalization are left out on the way down; batch
    normalization is its scale.
    """

    name = "deconvnet"
    caveat = CAVEAT.format("the deconvnet")

    layer: str | None = LAST_LAYER
    channels: tuple[int, ...] = CHANNELS
    count: int = arg(POSITIVE, "number of most active channels, where none are chosen", 4)

    def check(self, network: OpenNetwork) -> None:
        place = self._place(network)
        check_projection(network, place)
        check_channels(place, self.channels)

    def _place(self, network: OpenNetwork) -> OpenLayer:
        return network.last_spatial if self.layer is None else network.place(self.layer)

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return self._place(network).path

    def notes(self, network: OpenNetwork) -> Sequence[str]:
        return projection_notes(network, self._place(network))

    def explain_batch(self, network: OpenNetwork, batch: ImageBatch) -> Sequence[ExplainedImage]:
        place = self._place(network)
        features = network.activations(batch.x, place)
        chosen = np.stack([self.channels or strongest(each, self.count) for each in features])
        columns = [project(network, batch.x, place, features, column) for column in chosen.T]
        found = []
        for row, name in enumerate(batch.names):
            panels, notes = [], []
            for channel, column in zip(chosen[row], columns, strict=True):
                unit = column[row]
                where = f" at {unit.position[0]}, {unit.position[1]}" if unit.position else ""
                numbers = {"channel": int(channel), "activation": unit.value, "position": list(unit.position)}
                title = f"channel {channel}: {unit.value:.3g}{where}"
                panels.append(Panel(title, unit.pixels, "image", "projection", numbers=numbers))
                if unit.value <= 0:
                    notes.append(
                        f"channel {channel} of `{place.path}` is not active: its largest value is {unit.value:.3g}"
                    )
            found.append(ExplainedImage(name, batch.labels[row], batch.pixels[row], tuple(panels), notes=tuple(notes)))
        return found
