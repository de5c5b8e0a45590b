"""HDF5 files of Keras: `.weights.h5` of Keras 3, and the `.h5` that keras.applications downloads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.models.keras_file import is_hdf5
from archspec.runtime.models.untrusted.file_limits import MEMBERS
from archspec.runtime.models.untrusted.h5_dataset import damaged, is_group, read_array, stored_dataset, strings
from archspec.runtime.weights.keras_units import kind_of
from archspec.runtime.weights.matching import Tensor, Unit

HELP = "give a file that `model.save_weights(...)` or `archspec build` wrote"
MAX_DEPTH = 50
"""Of nested models."""


@contextmanager
def h5_file(path: Path) -> Iterator[list[Unit]]:
    """The units of the file in its order, readable until the end of the block. Raises ArchspecError (not-weights)."""
    import h5py

    if not is_hdf5(path):
        raise fail("not-weights", f"`{path}` is not an HDF5 file", help=HELP)
    with ExitStack() as stack:
        with damaged(path):
            units = _units(path, stack.enter_context(h5py.File(path, "r")))
        yield units


def _units(path: Path, file: Any) -> list[Unit]:
    root = file["model_weights"] if is_group(file, "model_weights") else file
    if strings(root.attrs, "layer_names"):
        units = _legacy(path, root)
    elif is_group(file, "layers"):
        units = list(_keras3(path, file["layers"], ""))
    else:
        raise fail("not-weights", f"`{path}` contains no Keras weights", help=HELP)
    if not units:
        raise fail("not-weights", f"`{path}` contains no weights", help=HELP)
    return units


# ---- the format before Keras 3: a list of layers, each with a list of weights ----------------------------------------


def _legacy(path: Path, root: Any) -> list[Unit]:
    units = []
    for layer in strings(root.attrs, "layer_names")[:MEMBERS]:
        if not is_group(root, layer):
            raise fail("not-weights", f"`{path}` lists the layer `{layer}`, but does not contain it", help=HELP)
        group = root[layer]
        tensors = [_tensor(path, group, name) for name in strings(group.attrs, "weight_names")]
        units += _sublayers(layer, tensors)
    return units


def _sublayers(layer: str, tensors: list[Tensor]) -> list[Unit]:
    """One unit for a layer, several for a nested model."""
    parts: dict[str, list[Tensor]] = {}
    for tensor in tensors:
        parts.setdefault(tensor.name.rpartition("/")[0], []).append(tensor)
    if "attention" in layer or len(parts) < 2:
        parts = {layer: tensors}
    else:
        parts = {f"{layer}/{prefix.rpartition('/')[2]}": given for prefix, given in parts.items()}
    found = [(name, _kind(given), given) for name, given in parts.items() if given]
    return [Unit(kind, name, tuple(given)) for name, kind, given in found if kind != "statistics"]


TELLING = {
    "pointwise_kernel": "separable",
    "depthwise_kernel": "depthwise",
    "moving_mean": "bn",
    "running_mean": "bn",
}
"""Name of a weight -> kind of the layers that have it."""


def _kind(tensors: list[Tensor]) -> str:
    words = {re.sub(r"(_\d+)?(:0)?$", "", tensor.name.rpartition("/")[2]) for tensor in tensors}
    if {"count", "mean"} <= words:
        return "statistics"
    told = next((kind for word, kind in TELLING.items() if word in words), None)
    if told or len(tensors) > 2:
        return told or "attention"
    return {1: "norm", 2: "dense"}.get(len(tensors[0].shape), "conv")


# ---- the format of Keras 3: layers/conv2d_7/vars/0, named by class and number --------------


def _keras3(path: Path, layers: Any, prefix: str, depth: int = 0) -> Iterator[Unit]:
    """The units class by class, each class in the order of the model."""
    if depth > MAX_DEPTH:
        raise ValueError("its layers are nested too deeply")
    for key in sorted((key for key in layers if is_group(layers, key)), key=_place):
        group, word = layers[key], _place(key)[0]
        name = f"{prefix}{_named(group, key)}"
        if is_group(group, "layers"):
            yield from _keras3(path, group["layers"], f"{name}/", depth + 1)
            continue
        tensors = _variables(path, group, word)
        if tensors and word != "normalization":
            yield Unit(kind_of(word.replace("_", "")), name, tuple(tensors))


def _place(key: str) -> tuple[str, int]:
    """conv2d_12 -> (conv2d, 12)."""
    word, _, number = key.rpartition("_")
    return (word, int(number)) if number.isdecimal() else (key, 0)


def _named(group: Any, key: str) -> str:
    """The name of the layer, an attribute of its variables."""
    name = group["vars"].attrs.get("name") if is_group(group, "vars") else None
    return name if isinstance(name, str) else key


def _variables(path: Path, group: Any, word: str) -> list[Tensor]:
    """The variables of a layer; those of an attention are in nested layers."""
    parts = [group]
    if word == "multi_head_attention":
        inner = ("query_dense", "key_dense", "value_dense", "output_dense")
        parts = [group[name] for name in inner if is_group(group, name)]
    return [
        _tensor(path, part["vars"], name)
        for part in parts
        if is_group(part, "vars")
        for name in sorted(part["vars"], key=lambda name: (len(name), name))
    ]


def _tensor(path: Path, group: Any, name: str) -> Tensor:
    """A dataset inside the file. Raises ArchspecError for one that links to another file."""
    dataset = stored_dataset(group, name)
    if dataset is None:
        raise fail("not-weights", f"`{name}` in `{path}` is not an array of numbers stored in this file", help=HELP)
    dtype = dataset.dtype.name if dataset.dtype.kind in "fiu" else "bfloat16"
    return Tensor(name, tuple(dataset.shape), partial(_read, path, name, dataset), dtype)


def _read(path: Path, name: str, dataset: Any) -> Any:
    with damaged(path):
        return read_array(dataset)
