"""A PyTorch state dict as units in the layout of Keras. Names are as in torchvision and timm: `layer1.0.conv1.weight`.

Convolution kernels are transposed from (out, in, H, W) to (H, W, in, out), dense kernels from (out, in) to (in, out).
The rows of a dense layer after a flattened map remain in the order (C, H, W): see `Unit.channels_first`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archspec.runtime.weights.unit import Tensor, Unit

ORDER = ("weight", "bias", "running_mean", "running_var")
"""Order of the tensors of a module, the same as that of Keras's weights."""
COUNTERS = ("num_batches_tracked",)
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
        if last not in ORDER:
            module, last = name, ""  # a parameter of its own
        modules.setdefault(module, {})[last] = tensor
    units = []
    for module, tensors in modules.items():
        partner = _attention(module, tensors, modules)
        if partner is not None:
            units.append(_attention_unit(module, tensors, modules[partner]))
        elif not any(module == _attention(other, given, modules) for other, given in modules.items()):
            units.append(_unit(module, [tensors[last] for last in ("", *ORDER) if last in tensors], set(tensors)))
    return units


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


def _kernel(weight: Tensor) -> Tensor:
    """(out, in, H, W) -> (H, W, in, out)."""
    leaving, entering, *window = weight.shape

    def read() -> Any:
        import numpy as np

        return np.moveaxis(weight.read(), (0, 1), (-1, -2))

    return Tensor(weight.name, (*window, entering, leaving), read)


def _attention(module: str, tensors: Mapping[str, Tensor], modules: Mapping[str, Mapping[str, Tensor]]) -> str | None:
    """The name of the output projection if `module` is the joint projection of an attention."""
    before, _, last = module.rpartition(".")
    if last not in ATTENTION or "weight" not in tensors:
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
        tensors.append(Tensor(name, (size, size), _cut(joint["weight"].read, rows, transpose=True)))
        if "bias" in joint:
            tensors.append(Tensor(name, (size,), _cut(joint["bias"].read, rows)))
    tensors.append(_kernel(output["weight"]))
    tensors += [output["bias"]] if "bias" in output else []
    return Unit("attention", module, tuple(tensors), channels_first=True)


def _cut(read: Callable[[], Any], rows: slice, *, transpose: bool = False) -> Callable[[], Any]:
    return lambda: read()[rows].T if transpose else read()[rows]
