"""The training plan: whether a step fits into memory, and an upper bound on its speed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from archspec.format import byte_size
from archspec.graph.analysis.roofline import Device, StepTime, exchanged_bytes, training_step
from archspec.graph.analysis.training_memory import FLOAT32, Precision, TrainingMemory, largest_batch, training_memory
from archspec.graph.ir import Graph


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

    @property
    def fits(self) -> bool | None:
        """Whether the step fits into the memory of a device; None if that is unknown."""
        return None if self.available is None else self.memory.total <= self.available

    @property
    def images_per_second(self) -> float | None:
        """Upper bound on the speed over all devices; None without an accelerator."""
        return None if self.step is None else self.batch_size / self.step.seconds

    def render(self, format: Literal["text", "json"] = "text") -> str:
        """The plan as text or JSON."""
        from archspec.graph.analysis.training_plan import FORMATS

        return FORMATS[format](self)

    def as_json(self) -> dict[str, Any]:
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


def text(plan: Plan) -> str:
    """The memory of a device, the largest batch, the exchange and the speed, as lines of text."""
    return "\n".join(_lines(plan))


def as_json(plan: Plan) -> str:
    return json.dumps(plan.as_json(), indent=2)


def _lines(plan: Plan) -> Iterator[str]:
    devices = "1 device" if plan.devices == 1 else f"{plan.devices} devices, {plan.images:,} on each"
    images = "1 image" if plan.batch_size == 1 else f"{plan.batch_size:,} images"
    yield f"{plan.name}: {plan.params:,} parameters, batches of {images} on {devices}"
    yield "memory of a device"
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
        yield f"exchanged in a step: {byte_size(plan.exchanged)} sent by each device (ring all-reduce)"
    if plan.device is not None and plan.step is not None:
        shares = {"layers": plan.step.layers, "update": plan.step.update, "exchange": plan.step.exchange}
        shown = ", ".join(f"{name} {_milliseconds(seconds)}" for name, seconds in shares.items() if seconds)
        yield (
            f"at most {plan.images_per_second:,.0f} images/s on {plan.device.name} by the roofline: "
            f"{_milliseconds(plan.step.seconds)} a step ({shown})"
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
        most += f", {plan.largest:,} on each" if plan.devices > 1 else ""
    else:
        most = "not even one image does"
    yield f"  {verdict} into {byte_size(round(plan.available))}: {most}"


FORMATS: dict[str, Callable[[Plan], str]] = {"text": text, "json": as_json}
