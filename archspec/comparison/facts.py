"""What a comparison knows of a network: its cost from the graph, error rates with their origin, and its speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import mean
from typing import Any

from archspec.diagnostics import counted
from archspec.graph.analysis.weight_layers import depth
from archspec.graph.ir import Graph
from archspec.lang.spec.published import Published


@dataclass(frozen=True)
class ErrorFigure:
    """Error rates in percent, and where they come from."""

    top1_error: float | None
    """None if it is unknown."""
    top5_error: float | None
    """None if it is unknown."""
    protocol: str
    """`center`, `ten-crop`, ..."""
    data: str
    """The data set and its part."""
    source: str
    """The publication, or the run directory or evaluation."""
    measured: bool
    """Measured by archspec on this or another machine; False: published by others."""
    ensemble: bool = False
    """Whether several models were averaged."""
    year: int | None = None
    """Of a challenge."""

    @property
    def accuracy(self) -> float | None:
        """Top-1 accuracy in percent."""
        return None if self.top1_error is None else 100 - self.top1_error


@dataclass(frozen=True)
class MeasuredSpeed:
    """Inference on this machine."""

    batch_size: int
    images_per_second: float
    bound: float
    """The most images per second by the roofline of the device, as in `archspec plan`, forward pass only."""
    device: str
    """The device of the bound."""


@dataclass(frozen=True)
class NetworkFacts:
    """A network of a comparison."""

    name: str
    """`vgg-D`."""
    reference: str
    """As it was given: `vgg:D`, a run directory."""
    params: int
    """The number of parameters."""
    macs: int | None
    """Multiply-accumulates for one image; None if a size is free."""
    depth: int
    """Layers with kernels on the longest way from input to output."""
    activation_bytes: int | None
    """Memory of the outputs of all layers for one image in float32."""
    figures: tuple[ErrorFigure, ...] = ()
    """Error rates, measured ones first."""
    speeds: tuple[MeasuredSpeed, ...] = ()
    """Inference on this machine, if it was measured."""

    def figure(self, data: str) -> ErrorFigure | None:
        """The top-1 error of one model on a data set that pictures show: measured before published, one crop first.

        Of several runs it is the mean.
        """
        found = [
            each for each in self.figures if each.data == data and not each.ensemble and each.top1_error is not None
        ]
        best = min(found, key=lambda each: (not each.measured, each.protocol != "center"), default=None)
        if best is None or not best.measured:
            return best
        same = [each for each in found if each.measured and each.protocol == best.protocol]
        if len(same) == 1:
            return best
        top1 = mean([each.top1_error for each in same if each.top1_error is not None])
        top5 = [each.top5_error for each in same if each.top5_error is not None]
        return replace(
            best,
            top1_error=top1,
            top5_error=mean(top5) if top5 else None,
            source=f"mean of {counted(len(same), 'run')}",
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def facts_of(
    graph: Graph, reference: str, published: Sequence[Published], measured: Sequence[ErrorFigure]
) -> NetworkFacts:
    """The facts of a network; measured figures come first."""
    stated = [
        ErrorFigure(
            each.top1_error,
            each.top5_error,
            each.protocol,
            each.data,
            each.source,
            measured=False,
            ensemble=each.ensemble,
            year=each.year,
        )
        for each in published
    ]
    return NetworkFacts(
        graph.name,
        reference,
        graph.params,
        graph.macs,
        depth(graph),
        graph.activation_bytes,
        (*measured, *stated),
    )
