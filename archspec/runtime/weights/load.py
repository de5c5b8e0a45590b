"""Match the weights of a source with the layers of a model, read all of them, then set them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from archspec.diagnostics import counted, fail, listed
from archspec.graph.ir import Graph
from archspec.runtime.models.finite_weights import is_negative_variance
from archspec.runtime.models.keras_graph import KerasGraph, keras_graph
from archspec.runtime.weights.different_settings import different_settings
from archspec.runtime.weights.factored import factored
from archspec.runtime.weights.find_matching import WeightTarget, find
from archspec.runtime.weights.keras_units import in_spec_order, model_slots, statistics
from archspec.runtime.weights.matching import Matching, Sizes, Slot, Unit, head_of, mismatch
from archspec.runtime.weights.quantized import check_pairs, packed, quantized
from archspec.runtime.weights.weight_file import WeightSource, open_source


def load_weights(
    model: Any, source: str | Path, *, graph: Graph | None = None, new_head: bool = False, adapt_input: bool = False
) -> Matching:
    """Set the weights of a keras.Model from a file, or from `keras:imagenet` and `keras:NAME`.

    Args:
        model: of `archspec.build`, or any functional Keras model.
        source: a file of Keras, PyTorch or safetensors; `FILE#KEY` selects one of several sets of weights in it;
            `keras:NAME` downloads.
        graph: of the spec; gives the order of the layers when the model was loaded from a file.
        new_head: keep the classifier of the model if the file has another number of classes.
        adapt_input: if the file is for another number of input channels, sum or repeat the first kernel.

    Returns how the layers were matched; `Matching.describe` summarizes it in one line. Raises ArchspecError:
        weights-mismatch with a table of the layers that match and those that do not, several-weights,
        weights-not-found, weights-unknown, not-weights, weights-damaged, weights-unsafe, weights-quantized,
        unknown-application, download.
        The model is unchanged on errors.
    """
    text, keras = str(source), keras_graph(model)
    slots = model_slots(keras)
    with open_source(text, model.name, {slot.name for slot in slots.values()}) as opened:
        target = WeightTarget(keras, slots, graph)
        matching = find(target, opened, text, new_head=new_head, adapt_input=adapt_input)
        if matching is None:
            if fact := packed(opened.units):
                raise quantized(text, fact)
            adaptable = not adapt_input and find(target, opened, text, new_head=new_head, adapt_input=True)
            order = list(slots.values()) if opened.as_run else in_spec_order(slots, keras, graph)
            keys = [f"`{each.key}`" for each in (opened, *opened.others) if each.key]
            raise fail(
                "weights-mismatch",
                f"the weights of `{text}` do not fit `{model.name}`",
                notes=[
                    *([f"the file has several sets of weights: {listed(keys, 8)}"] if len(keys) > 1 else []),
                    *mismatch(order, opened.units),
                ],
                help=ADAPT.format(adaptable.adapted) if adaptable else _remedy(order, opened.units, new_head=new_head),
            )
        check_pairs(matching.pairs, text)
        not_finite, negative = assign(matching.pairs)
        different = () if opened.graph is None else different_settings(matching.pairs, keras, opened.graph)
    unused = (*matching.unused, *_other_statistics(keras, opened))
    return replace(matching, not_finite=not_finite, negative=negative, unused=unused, different=different)


def _other_statistics(keras: KerasGraph, source: WeightSource) -> list[Unit]:
    """The layers of the source with a mean and variance of the input that no layer of the model has."""
    import numpy as np

    own = list(statistics(keras).values())
    return [
        Unit("statistics", path, ())
        for path, (mean, variance) in source.statistics.items()
        if not any(
            (mean.size == other.size or mean.size == 1)  # one number for all channels, as of `axis=None`
            and np.allclose(mean, other)
            and np.allclose(variance, spread)
            for other, spread in own
        )
    ]


ADAPT = "add `--adapt-input`, which adapts {}"


def _remedy(slots: Sequence[Slot], units: Sequence[Unit], *, new_head: bool) -> str:
    if parts := factored(units):
        return parts
    here, there = head_of(slots), head_of(units)
    if here is not None and there is not None and len(slots) == len(units):
        wanted, given = slots[here].shapes[0], units[there].shapes[0]
        others = Counter(slot.signature for i, slot in enumerate(slots) if i != here)
        if not new_head and others == Counter(unit.signature for i, unit in enumerate(units) if i != there):
            fact = f"the file has {counted(given[-1], 'class')}, and the network {wanted[-1]}"
            return f"use `--set classes={given[-1]}`: {fact}"
    return "check that the weights are of this variant; `archspec list` shows all variants"


def assign(pairs: Iterable[tuple[Slot, Unit]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Set the weights of layers to those of units. All are read, with their errors, before any is set.

    Returns which arrays contain NaN or infinity, and which variances are negative.
    """
    import numpy as np

    arrays = [
        (variable, _array_of(slot, unit, index), unit)
        for slot, unit in pairs
        for index, variable in enumerate(slot.variables)
    ]
    for variable, array, _ in arrays:
        variable.assign(array)
    named = [(f"{variable.path.rpartition('/')[2]} of `{unit.name}`", array) for variable, array, unit in arrays]
    found = [name for name, array in named if not np.isfinite(array).all()]
    negative = tuple(name for name, array in named if is_negative_variance(name.partition(" ")[0], array))
    return ("every array",) if len(found) == len(arrays) > 1 else tuple(found), negative


def _array_of(slot: Slot, unit: Unit, index: int) -> Any:
    """The array for a variable. Both shapes hold the same numbers in the same order: see `matching`."""
    array = unit.tensors[index].read()
    if unit.channels_first and slot.flattened is not None:
        array = _channels_last(array, slot, slot.flattened)
    return array.reshape(slot.shapes[index])


def _channels_last(array: Any, slot: Slot, flattened: Sizes) -> Any:
    """Reorder the rows of a dense layer after a flattened feature map from (C, H, W) to (H, W, C).

    All vectors of a batch normalization after the flattened map are in that order; the bias of a dense layer is not.
    """
    if slot.kind == "dense" and array.ndim == 1:
        return array
    *spatial, channels = flattened
    rest = array.shape[1:]
    moved = array.reshape(channels, *spatial, *rest)
    axes = range(1, len(spatial) + 1)
    return moved.transpose(*axes, 0, *range(len(spatial) + 1, moved.ndim)).reshape(-1, *rest)
