"""The training plan as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from archspec.format import byte_size
from archspec.graph.analysis.training_plan import Plan


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
