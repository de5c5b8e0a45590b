"""The memory of a training step by layer, from the static graph: feature maps against weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.graph.analysis.training_memory import kept_maps, training_memory
from archspec.graph.ir import FLOAT_BYTES, Graph
from archspec.ops.base import product

if TYPE_CHECKING:
    from archspec.runtime.labs.context import LabContext
    from archspec.runtime.labs.lab import Lab
    from archspec.runtime.labs.result import LabResult

MIB = 2**20


@dataclass(frozen=True)
class LayerMemory:
    """Of a layer, or of a stage of layers with one name, and of what follows it up to the next one."""

    name: str
    maps: int
    """Bytes of the feature maps that the forward pass keeps for the gradients, for one image."""
    weights: int
    """Bytes of the weights."""


@dataclass(frozen=True)
class NetworkMemory:
    """Of a training step."""

    name: str
    batch_size: int
    layers: tuple[LayerMemory, ...]
    """In the order of the network."""
    total: int
    """Bytes of the whole step: weights, momentum, feature maps, gradients."""

    @property
    def maps(self) -> int:
        """Bytes of the kept feature maps of all images."""
        return self.batch_size * sum(layer.maps for layer in self.layers)

    @property
    def weights(self) -> int:
        """Bytes."""
        return sum(layer.weights for layer in self.layers)

    def first_half(self) -> tuple[float, float]:
        """The shares of the feature maps and of the weights in the first half of the layers."""
        first = self.layers[: len(self.layers) // 2]
        maps = self.batch_size * sum(layer.maps for layer in first)
        return maps / self.maps, sum(layer.weights for layer in first) / self.weights

    def equal_from(self) -> float:
        """The batch size from which on the feature maps need more memory than the weights."""
        return self.weights / (self.maps / self.batch_size)


def layer_memory(graph: Graph) -> tuple[LayerMemory, ...]:
    """By the first word of the paths: `conv1_1` of VGG, the stages `conv2_x` of ResNet. The images are not counted."""
    kept = kept_maps(graph)
    maps: dict[str, int] = defaultdict(int)
    weights: dict[str, int] = defaultdict(int)
    name = ""
    for index, node in enumerate(graph.nodes[1:], 1):
        if node.facts.params:
            name = node.path.partition("/")[0]
        weights[name] += node.facts.params * FLOAT_BYTES
        maps[name] += (product(node.shape) or 0) * FLOAT_BYTES * (index in kept)
    return tuple(LayerMemory(each, maps[each], size) for each, size in weights.items())


def network_memory(graph: Graph, batch_size: int) -> NetworkMemory:
    """Of SGD with momentum in float32."""
    memory = training_memory(graph, batch_size)
    assert memory is not None, "the lab's networks have fixed sizes"
    return NetworkMemory(graph.name, batch_size, layer_memory(graph), memory.total)


def run(lab: Lab, context: LabContext) -> LabResult:
    """Count the bytes of each layer, and compare the halves of the networks."""
    from archspec.runtime.labs.result import LabResult

    references, sizes = context.options["networks"], context.options["batch_sizes"]
    networks = [
        network_memory(context.load(reference).graph(), int(size))
        for reference, size in zip(references, sizes, strict=True)
    ]
    halves = [network.first_half() for network in networks]
    more = all(network.maps > network.weights for network in networks)
    true = more and all(maps > 0.5 > weights for maps, weights in halves)
    rows = tuple(
        (
            each.name,
            each.batch_size,
            round(each.maps / MIB),
            round(each.weights / MIB),
            round(each.total / MIB),
            100 * maps,
            100 * weights,
            each.equal_from(),
        )
        for each, (maps, weights) in zip(networks, halves, strict=True)
    )
    parts = [f"{each.name} {each.maps / each.weights:.1f} times at batches of {each.batch_size}" for each in networks]
    return LabResult(
        columns=(
            "network",
            "batch size",
            "feature maps (MiB)",
            "weights (MiB)",
            "whole step (MiB)",
            "feature maps in the first half (%)",
            "weights in the first half (%)",
            "equal at a batch size of",
        ),
        rows=rows,
        verdict="reproduced" if true else "opposite",
        reason=f"the feature maps need more memory than the weights: {', '.join(parts)}",
        figures=(draw(context.out / "memory.png", lab.claim, networks),),
    )


def draw(path: Path, title: str, networks: Sequence[NetworkMemory]) -> Path:
    """The share of each layer in the feature maps and in the weights, from the input at the top to the output."""
    import numpy as np

    from archspec.runtime.labs.figure_style import COLORS, figure

    with figure(path, title, columns=len(networks)) as panels:
        for axes, each in zip(np.ravel(panels), networks, strict=True):
            rows = np.arange(len(each.layers))
            maps = [100 * each.batch_size * layer.maps / each.maps for layer in each.layers]
            weights = [100 * layer.weights / each.weights for layer in each.layers]
            axes.barh(rows - 0.2, maps, 0.4, color=COLORS[0])
            axes.barh(rows + 0.2, weights, 0.4, color=COLORS[1])
            axes.set_yticks(rows, [layer.name for layer in each.layers], fontsize=12)
            axes.invert_yaxis()
            axes.grid(False)
            axes.set_title(f"{each.name}, {each.batch_size} images", fontsize=15, loc="left", pad=48)
            axes.set_xlabel("share of its kind (%)")
            for y, label, color, total in (
                (1.07, "feature maps", COLORS[0], each.maps),
                (1.01, "weights", COLORS[1], each.weights),
            ):
                text = f"{label} {total / MIB:,.0f} MiB"
                axes.text(0, y, text, color=color, transform=axes.transAxes, fontweight="bold", fontsize=14)
    return path
