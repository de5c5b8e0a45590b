"""Upper bound on training speed: the roofline model (Williams, Waterman & Patterson 2009).

A layer takes as long as its arithmetic or its memory traffic does, whichever is longer. No kernel reaches that, so the
figures are upper bounds. They show what limits each layer, and what another device can gain at best.
"""

from __future__ import annotations

from dataclasses import dataclass

from archspec.graph.analysis.training_memory import FLOAT32, Precision
from archspec.graph.ir import FLOAT_BYTES, Graph
from archspec.ops.base import product


@dataclass(frozen=True)
class Device:
    """An accelerator by its data sheet, for dense arithmetic."""

    name: str
    memory: float
    """Bytes."""
    flops: float
    """FLOP/s for float32 tensors: TF32 on tensor cores if there are any."""
    half_flops: float
    """FLOP/s in bfloat16 or float16."""
    bandwidth: float
    """Bytes/s of its memory."""
    link: float
    """Bytes/s to another device, both directions together."""


DEVICES = {
    device.name: device
    for device in (
        # NVIDIA's data sheets: V100 (SXM2), T4, A100 (SXM), L4, H100 (SXM), H200
        Device("v100", 32e9, 15.7e12, 125e12, 900e9, 300e9),
        Device("t4", 16e9, 8.1e12, 65e12, 300e9, 32e9),
        Device("a100-40gb", 40e9, 156e12, 312e12, 1555e9, 600e9),
        Device("a100-80gb", 80e9, 156e12, 312e12, 2039e9, 600e9),
        Device("l4", 24e9, 60e12, 121e12, 300e9, 64e9),
        Device("h100", 80e9, 494e12, 989e12, 3350e9, 900e9),
        Device("h200", 141e9, 494e12, 989e12, 4800e9, 900e9),
    )
}


@dataclass(frozen=True)
class StepTime:
    """Lower bounds on the seconds of a training step: layers, update, and all-reduce of the gradients."""

    layers: float
    update: float
    exchange: float

    @property
    def seconds(self) -> float:
        return self.layers + self.update + self.exchange


def exchanged_bytes(graph: Graph, devices: int) -> int:
    """Bytes that each device sends in a step: a ring all-reduce of the gradients (Patarasuk & Yuan 2009, section 3)."""
    return round(2 * (devices - 1) / devices * graph.trainable_params * FLOAT_BYTES)


def training_step(
    graph: Graph,
    images: int,
    device: Device,
    *,
    devices: int = 1,
    slots: float = 1.0,
    precision: Precision = FLOAT32,
) -> StepTime:
    """The time of a step with `images` images on each device; the backward pass takes twice the forward pass."""
    flops = device.half_flops if precision.mixed else device.flops
    layers = 0.0
    for index, node in enumerate(graph.nodes[1:], 1):
        sizes = [product(graph.nodes[i].shape) or 0 for i in (*node.inputs, index)]
        moved = images * sum(sizes) * precision.bytes + node.facts.params * precision.bytes
        passes = 2 if node.inputs == (0,) else 3  # no gradient with respect to the images
        layers += max(passes * 2 * images * (node.facts.macs or 0) / flops, 3 * moved / device.bandwidth)
    update = graph.trainable_params * FLOAT_BYTES * (3 + 2 * slots) / device.bandwidth
    return StepTime(layers, update, exchanged_bytes(graph, devices) / (device.link / 2))
