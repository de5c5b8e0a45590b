"""The kernels of the first convolution (Krizhevsky et al. 2012, figure 3)."""

from __future__ import annotations

from typing import Any

import numpy as np

from archspec.declare import arg, declared
from archspec.diagnostics import fail
from archspec.runtime.data.images import Report
from archspec.runtime.explain.explain_method import TEXT, ExplainMethod
from archspec.runtime.explain.explanation import Findings, Panel
from archspec.runtime.explain.image_batches import ImageBatches
from archspec.runtime.explain.map_scaling import Array
from archspec.runtime.explain.mosaic import mosaic
from archspec.runtime.explain.open_layer import OpenLayer
from archspec.runtime.explain.open_network import OpenNetwork


@declared
class Filters(ExplainMethod):
    """Filters: the kernels of the first convolution as pictures (Krizhevsky et al. 2012, figure 3).

    All kernels have one scale, with mid-grey for a weight of 0. It takes no images.
    """

    name = "filters"
    takes = "nothing"

    layer: str | None = arg(TEXT, "path of a convolution on the grey or RGB image; by default the first one", None)

    def check(self, network: OpenNetwork) -> None:
        self._kernels(network)

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return self._kernels(network)[0].path

    def _kernels(self, network: OpenNetwork) -> tuple[OpenLayer, Array]:
        """The layer, and its kernels (filters, h, w, 1 or 3).

        Raises:
            ArchspecError: `unknown-layer`, `method-not-applicable`.
        """
        places = network.places if self.layer is None else [network.place(self.layer)]
        for place in places:
            layer: Any = network.calls[place.call].operation
            if type(layer).__name__ != "Conv2D":
                continue
            kernels = np.moveaxis(np.asarray(layer.kernel, np.float32), -1, 0)
            if kernels.shape[-1] in (1, 3) and layer.groups == 1:
                return place, kernels
            fact = (
                f"the kernels of `{place.path}` have {kernels.shape[-1]} input channels, and cannot be drawn as colors"
            )
            raise fail("method-not-applicable", fact, help="only kernels with 1 or 3 input channels are pictures")
        if self.layer is None:
            help = "use a method of the input, such as `saliency`"
            raise fail("method-not-applicable", "the network has no convolution", help=help)
        fact = f"`{self.layer}` is not a convolution"
        raise fail("method-not-applicable", fact, help="`--layer` names a convolution on the image")

    def explain(self, network: OpenNetwork, images: ImageBatches, report: Report) -> Findings:
        place, kernels = self._kernels(network)
        count, height, width = kernels.shape[:3]

        def draw() -> Any:
            from archspec.runtime.explain.picture import contact_sheet, panel_cell

            panel = Panel(f"{count} kernels of {height} x {width}", mosaic(kernels), "image", "weight")
            return contact_sheet([panel_cell(panel, np.zeros((1, 1, 3), np.uint8))], f"filters at {place.path}")

        norms = np.sqrt((kernels.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))
        numbers = {"kernels": count, "kernel_size": [height, width], "norms": norms.tolist()}
        lines = (f"{count} kernels of {height} x {width}; largest weight {np.abs(kernels).max():.3g}",)
        return Findings(pictures={"filters": draw}, arrays={"kernels": kernels}, numbers=numbers, lines=lines)
