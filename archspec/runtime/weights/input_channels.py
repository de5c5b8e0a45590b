"""Weights for another number of input channels: the kernel of the first convolution is summed or repeated.

As `adapt_input_conv` of timm: for one channel the kernel is summed over its channels; for other numbers the three
channels are repeated and scaled by 3 / channels. A kernel for one channel is repeated and divided by the number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from archspec.runtime.models.keras_graph import KerasGraph
from archspec.runtime.weights.matching import Slot, Tensor, Unit

CANDIDATES = 8
"""Convolutions of a file that may be the first one, if their shapes do not tell."""


def first_convolution(graph: KerasGraph, slots: Mapping[int, Slot]) -> Slot | None:
    """The only convolution whose input is that of the network, with layers without weights between."""
    reached = set(graph.inputs)
    found = []
    for index, call in enumerate(graph.calls):
        if call.inputs and any(source in reached for source, _ in call.inputs):
            if index in slots:
                found.append(slots[index])
            else:
                reached.add(index)
    convolutions = [slot for slot in found if slot.kind == "conv" and len(slot.shapes[0]) > 2]
    return convolutions[0] if len(found) == len(convolutions) == 1 else None


def adapted(units: list[Unit], slot: Slot) -> Iterator[tuple[list[Unit], str]]:
    """The units with one convolution adapted to the slot, and what was done: one choice for each that fits."""
    *window, wanted, filters = slot.shapes[0]
    count = 0
    for index, unit in enumerate(units):
        shapes = unit.shapes
        if unit.kind != "conv" or shapes[1:] != slot.shapes[1:] or len(shapes[0]) != len(window) + 2:
            continue
        *size, given, leaving = shapes[0]
        text = _text(given, wanted)
        if size == window and leaving == filters and text and count < CANDIDATES:
            count += 1
            kernel = Tensor(unit.tensors[0].name, slot.shapes[0], _reader(unit.tensors[0], wanted))
            changed = replace(unit, tensors=(kernel, *unit.tensors[1:]))
            yield [*units[:index], changed, *units[index + 1 :]], f"`{unit.name}`: {text}"


def _text(given: int, wanted: int) -> str | None:
    if given == wanted:
        return None
    if wanted == 1 and given <= 3:
        return f"kernel summed over its {given} input channels"
    if given == 3:
        return f"kernel for 3 input channels repeated for {wanted} and scaled by 3/{wanted}"
    if given == 1:
        return f"kernel for 1 input channel repeated for {wanted} and divided by {wanted}"
    return None


def _reader(tensor: Tensor, wanted: int) -> Any:
    def read() -> Any:
        import numpy as np

        kernel = tensor.read()  # (H, W, channels, filters)
        given = kernel.shape[-2]
        if wanted == 1:
            return kernel.sum(axis=-2, keepdims=True)
        repeated = np.concatenate([kernel] * -(-wanted // given), axis=-2)[..., :wanted, :]
        return repeated * np.float32(given / wanted)

    return read
