"""The training plan: whether a step fits into memory, and an upper bound on its speed.

The bound is that of the roofline model (Williams, Waterman & Patterson 2009): a layer takes as long as its arithmetic
or its memory traffic does, whichever is longer. No kernel reaches that. The figures show what limits each layer, and
what another device can gain at best.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from archspec.arguments import public
from archspec.diagnostics import counted
from archspec.format import byte_size
from archspec.graph.analysis.training_memory import FLOAT32, Precision, TrainingMemory, largest_batch, training_memory
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
    for index, node in enumerate(graph.layers, graph.input_count):
        sizes = [product(graph.nodes[i].shape) or 0 for i in (*node.inputs, index)]
        moved = images * sum(sizes) * precision.bytes + node.facts.params * precision.bytes
        passes = 2 if max(node.inputs) < graph.input_count else 3  # no gradient with respect to the images
        layers += max(passes * 2 * images * (node.facts.macs or 0) / flops, 3 * moved / device.bandwidth)
    update = graph.trainable_params * FLOAT_BYTES * (3 + 2 * slots) / device.bandwidth
    return StepTime(layers, update, exchanged_bytes(graph, devices) / (device.link / 2))


@dataclass(frozen=True)
class Plan:
    """The memory and an upper bound on the speed of a training step."""

    name: str
    """The name of the network."""
    params: int
    """The number of its parameters."""
    batch_size: int
    """Images in a step, over all devices."""
    devices: int
    """The number of devices."""
    images: int
    """Images in a step on one device, at most."""
    memory: TrainingMemory
    """What one device needs, in bytes."""
    available: float | None
    """Memory of a device, in bytes; None if unknown."""
    largest: int | None
    """The largest number of images on one device that fits into its memory; None if that is unknown."""
    exchanged: int
    """Bytes that each device sends in a step."""
    device: Device | None
    """The accelerator, if one was given."""
    step: StepTime | None
    """The time of a step by the roofline of the accelerator, in seconds; None without one."""

    def __repr__(self) -> str:
        fits = (
            "" if self.fits is None else f", {'fits' if self.fits else 'does not fit'} in {byte_size(self.available)}"
        )
        return f"<Plan of {self.name}: batch size {self.batch_size:,}, {byte_size(self.memory.total)} a device{fits}>"

    def __str__(self) -> str:
        return self.render()

    @property
    def fits(self) -> bool | None:
        """Whether the step fits into the memory of a device; None if that is unknown."""
        return None if self.available is None else self.memory.total <= self.available

    @property
    def images_per_second(self) -> float | None:
        """Upper bound on the speed over all devices; None without an accelerator."""
        return None if self.step is None else self.batch_size / self.step.seconds

    @public()
    def render(self, format: Literal["text", "json"] = "text") -> str:
        """The plan as text or JSON."""
        return json.dumps(self.to_json(), indent=2) if format == "json" else "\n".join(_lines(self))

    def to_json(self) -> dict[str, Any]:
        """The values that `--format json` prints, in bytes and seconds."""
        return {
            "name": self.name,
            "params": self.params,
            "batch_size": self.batch_size,
            "devices": self.devices,
            "images_per_device": self.images,
            "memory": {**asdict(self.memory), "headroom": self.memory.headroom, "total": self.memory.total},
            "available": self.available,
            "fits": self.fits,
            "largest_batch_size": None if self.largest is None else self.largest * self.devices,
            "exchanged": self.exchanged,
            "device": self.device and self.device.name,
            "step": self.step and {**asdict(self.step), "seconds": self.step.seconds},
            "images_per_second": self.images_per_second,
        }


def plan(
    graph: Graph,
    batch_size: int,
    devices: int = 1,
    available: float | None = None,
    device: Device | None = None,
    *,
    slots: float = 1.0,
    precision: Precision = FLOAT32,
) -> Plan | None:
    """The plan of a run; None if the graph has free sizes. `available`: bytes of a device, else those of `device`."""
    available = device.memory if available is None and device is not None else available
    images = -(-batch_size // devices)
    memory = training_memory(graph, images, slots, precision)
    if memory is None:
        return None
    return Plan(
        graph.name,
        graph.params,
        batch_size,
        devices,
        images,
        memory,
        available,
        None if available is None else largest_batch(graph, available, slots, precision),
        exchanged_bytes(graph, devices),
        device,
        None
        if device is None
        else training_step(graph, images, device, devices=devices, slots=slots, precision=precision),
    )


def _lines(plan: Plan) -> Iterator[str]:
    """The memory of a device, the largest batch, the all-reduce and the speed, as lines of text."""
    devices = "1 device" if plan.devices == 1 else f"{counted(plan.devices, 'device')} ({plan.images:,} per device)"
    images = "1 image" if plan.batch_size == 1 else counted(plan.batch_size, "image")
    yield f"{plan.name}: {counted(plan.params, 'parameter')}, batches of {images} on {devices}"
    yield "memory per device"
    parts = {
        "weights": plan.memory.weights,
        "optimizer": plan.memory.optimizer,
        "activations": plan.memory.activations,
        "backward pass, update": plan.memory.backward,
        "headroom": plan.memory.headroom,
        "total": plan.memory.total,
    }
    for name, each in parts.items():
        yield f"  {name:22}{byte_size(each):>10}"
    yield from _fit(plan)
    if plan.devices > 1:
        yield f"all-reduce: each device sends {byte_size(plan.exchanged)} per step (ring)"
    if plan.device is not None and plan.step is not None:
        shares = {"layers": plan.step.layers, "update": plan.step.update, "all-reduce": plan.step.exchange}
        shown = ", ".join(f"{name} {_milliseconds(seconds)}" for name, seconds in shares.items() if seconds)
        yield (
            f"at most {plan.images_per_second:,.0f} images/s on {plan.device.name} (roofline): "
            f"{_milliseconds(plan.step.seconds)} per step ({shown})"
        )


def _milliseconds(seconds: float) -> str:
    """`0.251 ms`, `34.5 ms`, `1,197 ms`: at least three significant digits."""
    return f"{1000 * seconds:,.0f} ms" if seconds >= 0.1 else f"{1000 * seconds:.3g} ms"


def _fit(plan: Plan) -> Iterator[str]:
    if plan.available is None or plan.largest is None:
        return
    verdict = "fits" if plan.fits else "does not fit"
    if plan.largest:
        most = f"the largest batch is {plan.largest * plan.devices:,}"
        most += f" ({plan.largest:,} per device)" if plan.devices > 1 else ""
    else:
        most = "not even one image fits"
    yield f"  {verdict} into {byte_size(round(plan.available))}: {most}"
