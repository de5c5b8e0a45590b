"""Set the weights of a model of Keras 2 from its file: by layer names in .h5, by class and number in .keras."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from archspec.runtime.models.untrusted.h5_dataset import is_group, read_array, stored_dataset, strings


def set_by_name(model: Any, root: Any) -> None:
    """From the group `model_weights` of an .h5 file: each layer, or nested model, has a list of arrays.

    Raises:
        ValueError: the arrays do not fit the layers.
    """
    for layer in model.layers:
        weights = [*layer.trainable_weights, *layer.non_trainable_weights]
        if weights:
            if not is_group(root, layer.name):
                raise ValueError(f"it has no weights of the layer `{layer.name}`")
            group = root[layer.name]
            _assign(layer.name, weights, [stored_dataset(group, name) for name in strings(group.attrs, "weight_names")])


def set_by_class(model: Any, config: Any, root: Any) -> None:
    """From model.weights.h5 of a .keras file: `layers/conv2d_1/vars/0`, numbered in the order of the configuration.

    Raises:
        ValueError: the arrays do not fit the layers.
    """
    inner = config["config"]
    entries = inner if isinstance(inner, list) else inner["layers"]
    used: Counter[str] = Counter()
    for entry in entries:
        word = snake_case(entry["class_name"])
        name = f"{word}_{used[word]}" if used[word] else word
        used[word] += 1
        if entry["class_name"] in ("InputLayer", "TFOpLambda", "SlicingOpLambda"):
            continue
        layer = model.get_layer(entry["config"].get("name") or entry.get("name"))
        if not layer.weights:
            continue
        if not is_group(root, "layers") or not is_group(root["layers"], name):
            raise ValueError(f"it has no weights of the layer `{layer.name}`")
        group = root["layers"][name]
        if hasattr(layer, "layers"):
            set_by_class(layer, entry, group)
            continue
        _assign(layer.name, layer.weights, _variables(group))


def snake_case(word: str) -> str:
    """Conv2DTranspose -> conv2d_transpose, as Keras names the groups of a file."""
    word = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", word))
    return re.sub("([a-z])([A-Z])", r"\1_\2", word).lower()


def _variables(group: Any) -> list[Any]:
    """The datasets of a layer, then those of the layers in it."""
    found = []
    if is_group(group, "vars"):
        names = sorted(group["vars"], key=lambda name: (len(name), name))
        found += [stored_dataset(group["vars"], name) for name in names]
    for name in group:
        if name != "vars" and is_group(group, name):
            found += _variables(group[name])
    return found


def _assign(layer: str, weights: list[Any], datasets: list[Any]) -> None:
    shapes = [None if dataset is None else tuple(dataset.shape) for dataset in datasets]
    wanted = [tuple(weight.shape) for weight in weights]
    if shapes != wanted:
        raise ValueError(f"the weights of the layer `{layer}` have the shapes {shapes}, not {wanted}")
    for weight, dataset in zip(weights, datasets, strict=True):
        weight.assign(read_array(dataset))
