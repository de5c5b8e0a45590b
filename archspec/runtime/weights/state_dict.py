"""A PyTorch state dict as units in the layout of Keras. Names are as in torchvision and timm: `layer1.0.conv1.weight`.

Convolution kernels are transposed from (out, in, H, W) to (H, W, in, out), dense kernels from (out, in) to (in, out).
The rows of a dense layer after a flattened map remain in the order (C, H, W): see `Unit.channels_first`.

Layers on a shortcut can have the shapes of layers of the body, and libraries register them before, after or between the
other layers, so the order says nothing. Only the names tell them apart: see `told_apart`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from itertools import chain, takewhile
from typing import Any

from archspec.runtime.models.keras_graph import KerasGraph
from archspec.runtime.weights.matching import Layers, Signature, Slot, Tensor, Unit

ORDER = ("weight", "bias", "running_mean", "running_var")
"""Order of the tensors of a module, the same as that of Keras's weights."""
COUNTERS = ("num_batches_tracked",)
GAIN = "gain"
"""The factor of each filter of a convolution with standardized weights."""
AFFINE = {"gamma": "weight", "beta": "bias"}
"""Other names of a factor and a bias for each channel (GRN of ConvNeXt V2); `gamma` alone is a layer scale."""
ATTENTION = {"in_proj": "out_proj", "qkv": "proj"}
"""Joint projection of query, key and value -> output projection: torch.nn.MultiheadAttention, timm."""


def torch_units(state: Mapping[str, Tensor]) -> list[Unit]:
    """The units of a state dict in its order. Counters are left out."""
    modules: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        module, _, last = name.rpartition(".")
        if last in COUNTERS:
            continue
        if last.startswith("in_proj_"):
            module, last = f"{module}.in_proj", last.removeprefix("in_proj_")
        if last in AFFINE and _is_affine(module, state):
            last, tensor = AFFINE[last], _vector(tensor)
        if last not in ORDER:
            module, last = name, ""  # a parameter without a module
        modules.setdefault(module, {})[last] = tensor
    units = []
    own = {module.rpartition(".")[0] for module, tensors in modules.items() if "" in tensors}
    partners = {module: _attention(module, tensors, modules, own) for module, tensors in modules.items()}
    outputs = set(partners.values())
    gains = {f"{module}.{GAIN}" for module, tensors in modules.items() if _is_standardized(module, tensors, modules)}
    for module, tensors in modules.items():
        partner = partners[module]
        if partner is not None:
            units.append(_attention_unit(module, tensors, modules[partner]))
        elif f"{module}.{GAIN}" in gains:
            units += _standardized_units(module, tensors, modules[f"{module}.{GAIN}"][""])
        elif module not in outputs | gains:
            units.append(_unit(module, [tensors[last] for last in ("", *ORDER) if last in tensors], set(tensors)))
    return units


def _is_standardized(module: str, tensors: Mapping[str, Tensor], modules: Mapping[str, Any]) -> bool:
    """Whether it is a convolution with scaled weight standardization, timm's ScaledStdConv2d."""
    return f"{module}.{GAIN}" in modules and "weight" in tensors and len(tensors["weight"].shape) > 2


def _standardized_units(module: str, tensors: Mapping[str, Tensor], gain: Tensor) -> list[Unit]:
    """The filters, the bias and the gain, each a layer of Keras."""
    vectors = [tensors["bias"], gain] if "bias" in tensors else [gain]
    return [
        Unit("conv", module, (_kernel(tensors["weight"]),), channels_first=True),
        *(Unit("param", each.name, (each,), channels_first=True) for each in vectors),
    ]


def _unit(module: str, tensors: list[Tensor], roles: set[str]) -> Unit:
    first = tensors[0]
    if "" in roles:
        kind = "param"
    elif "running_mean" in roles:
        kind = "bn"
    elif len(first.shape) < 2:
        kind = "norm" if len(tensors) > 1 else "param"
    else:
        kind = "dense" if len(first.shape) == 2 else "conv"
        tensors = [_kernel(first), *tensors[1:]]
    return Unit(kind, module, tuple(tensors), channels_first=True)


def _is_affine(module: str, state: Mapping[str, Tensor]) -> bool:
    return all(f"{module}.{one}" in state and f"{module}.{other}" not in state for one, other in AFFINE.items())


def _vector(tensor: Tensor) -> Tensor:
    """(1, 1, 1, C) -> (C,)."""
    return Tensor(tensor.name, (math.prod(tensor.shape),), lambda: tensor.read().reshape(-1), tensor.dtype)


def _kernel(weight: Tensor) -> Tensor:
    """(out, in, H, W) -> (H, W, in, out)."""
    leaving, entering, *window = weight.shape

    def read() -> Any:
        import numpy as np

        return np.moveaxis(weight.read(), (0, 1), (-1, -2))

    return Tensor(weight.name, (*window, entering, leaving), read, weight.dtype)


def _attention(
    module: str, tensors: Mapping[str, Tensor], modules: Mapping[str, Mapping[str, Tensor]], own: Set[str]
) -> str | None:
    """The name of the output projection if `module` is the joint projection of an attention.

    An attention among `own`, the modules with parameters of their own, is not Keras's MultiHeadAttention (Swin's table
    of relative positions): its projections are dense layers.
    """
    before, _, last = module.rpartition(".")
    if last not in ATTENTION or "weight" not in tensors or before in own:
        return None
    partner = f"{before}.{ATTENTION[last]}" if before else ATTENTION[last]
    output = modules.get(partner, {}).get("weight")
    if output is None or len(output.shape) != 2 or len(tensors["weight"].shape) != 2:
        return None
    rows = 3 * tensors["weight"].shape[1]
    return partner if all(tensor.shape[0] == rows for tensor in tensors.values()) else None


def _attention_unit(module: str, joint: Mapping[str, Tensor], output: Mapping[str, Tensor]) -> Unit:
    """Kernel and bias of query, key, value and output, as Keras's MultiHeadAttention has them, heads side by side."""
    tensors = []
    size = joint["weight"].shape[1]
    for part, name in enumerate(("query", "key", "value")):
        rows = slice(part * size, (part + 1) * size)
        read = _cut(joint["weight"].read, rows, transpose=True)
        tensors.append(Tensor(name, (size, size), read, joint["weight"].dtype))
        if "bias" in joint:
            tensors.append(Tensor(name, (size,), _cut(joint["bias"].read, rows)))
    tensors.append(_kernel(output["weight"]))
    tensors += [output["bias"]] if "bias" in output else []
    return Unit("attention", module, tuple(tensors), channels_first=True)


def _cut(read: Callable[[], Any], rows: slice, *, transpose: bool = False) -> Callable[[], Any]:
    return lambda: read()[rows].T if transpose else read()[rows]


MODULES = {"downsample", "shortcut", "skip", "skipbn", "project", "projection"}
"""Names of modules on a shortcut in torchvision, timm and common ResNets for CIFAR."""
SEQUENCES = {"proj"}
"""Names of shortcuts that contain other modules (RegNet of torchvision). A layer of that name ends an attention."""


def told_apart(slots: dict[int, Slot], graph: KerasGraph, units: list[Unit]) -> tuple[dict[int, Slot], list[Unit]]:
    """Slots and units with `shortcut` set, if the names of a state dict tell which layers are on a shortcut."""
    named = called_shortcut(unit.name for unit in units)
    if not named:
        return slots, units
    branches = shortcuts(slots, graph)
    if len(set(chain.from_iterable(branches))) != len(named):
        # other additions have no shortcut, such as those of two resolutions (HRNet) or of a bias to scores (CoAtNet)
        blocks: dict[tuple[str, ...], list[Unit]] = {}
        for unit in units:
            if unit.name in named:
                blocks.setdefault(_block(unit.name), []).append(unit)
        alike = {_contents(layers) for layers in blocks.values()}
        branches = [branch for branch in branches if _contents([slots[index] for index in branch]) in alike]
    found = set(chain.from_iterable(branches))
    return (
        {index: replace(slot, shortcut=index in found) for index, slot in slots.items()},
        [replace(unit, shortcut=unit.name in named) for unit in units],
    )


def called_shortcut(names: Iterable[str]) -> set[str]:
    """The names, such as `layer1.0.downsample.0`, of layers on a shortcut."""
    paths = [tuple(name.split(".")) for name in names]
    children: dict[tuple[str, ...], set[str]] = {}
    for path in paths:
        for end in range(len(path)):
            children.setdefault(path[:end], set()).add(path[end])

    def stage(parent: tuple[str, ...]) -> bool:
        """Whether it contains a list of blocks; such a name next to it is between stages (ConvNeXt, Swin)."""
        lists = ((*parent, child) for child in children[parent])
        return any(
            number.isdecimal() and (*each, number) in children for each in lists for number in children.get(each, ())
        )

    return {
        ".".join(path)
        for path in paths
        if any(
            (word in MODULES or (word in SEQUENCES and end + 1 < len(path))) and not stage(path[:end])
            for end, word in enumerate(path)
        )
    }


def _block(name: str) -> tuple[str, ...]:
    """The module that contains the shortcut: `layer1.0` of `layer1.0.downsample.1`."""
    return tuple(takewhile(lambda word: word not in MODULES | SEQUENCES, name.split(".")))


def _contents(layers: Layers) -> tuple[Signature, ...]:
    return tuple(sorted((layer.signature for layer in layers), key=repr))


def shortcuts(slots: Mapping[int, Slot], graph: KerasGraph) -> list[list[int]]:
    """The positions of slots on the smaller branch of each addition: fewer layers, then fewer weights."""
    reached: list[int] = []  # for each call, a bit set of the calls that it depends on, and itself
    found: list[list[int]] = []
    for index, call in enumerate(graph.calls):
        sources = [position for position, _ in call.inputs]
        bits = 1 << index
        for source in sources:
            bits |= reached[source]
        reached.append(bits)
        if call.kind == "Add" and len(sources) == 2:
            one, other = (reached[source] for source in sources)
            branches = [_slots_of(one & ~other, slots), _slots_of(other & ~one, slots)]
            less, more = sorted(branches, key=lambda branch: (len(branch), _size(branch, slots)))
            if less and (len(less), _size(less, slots)) < (len(more), _size(more, slots)):
                found.append(less)
    return found


def _slots_of(bits: int, slots: Mapping[int, Slot]) -> list[int]:
    found = []
    while bits:
        last = bits & -bits
        if (index := last.bit_length() - 1) in slots:
            found.append(index)
        bits ^= last
    return found


def _size(positions: Iterable[int], slots: Mapping[int, Slot]) -> int:
    return sum(math.prod(shape) for index in positions for shape in slots[index].shapes)
