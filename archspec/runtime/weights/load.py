"""Match the weights of a source with the layers of a model, read all of them, then set them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.graph.ir import Graph
from archspec.runtime.models.keras_graph import KerasGraph, keras_graph
from archspec.runtime.weights.keras_units import in_spec_order, model_slots
from archspec.runtime.weights.matching import Matching, Sizes, Slot, Unit, by_name, by_order, head_of, mismatch
from archspec.runtime.weights.state_dict import told_apart
from archspec.runtime.weights.structure import by_graph, by_tree
from archspec.runtime.weights.weight_file import WeightSource, open_source

AUXILIARY = "aux"
"""Prefix, in lower case, of auxiliary classifiers in state dicts; they are left out if the spec has none."""


def load_weights(model: Any, source: str | Path, *, graph: Graph | None = None, new_head: bool = False) -> Matching:
    """Set the weights of a keras.Model from a file, or from `keras:imagenet` and `keras:NAME`.

    Args:
        model: of `archspec.build`, or any functional Keras model.
        source: .keras, .weights.h5, .h5, .pth, .pt, .bin or .safetensors; `keras:NAME` downloads.
        graph: of the spec; gives the order of the layers when the model was loaded from a file.
        new_head: keep the classifier of the model if the file has another number of classes.

    Returns how the layers were matched; `Matching.describe` summarizes it in one line. Raises ArchspecError:
        weights-mismatch with a table of the layers that match and those that do not, weights-not-found,
        weights-unknown, not-weights, weights-unsafe, unknown-application, download. The model is unchanged on errors.
    """
    text, keras = str(source), keras_graph(model)
    slots = model_slots(keras)
    with open_source(text, model.name, {slot.name for slot in slots.values()}) as opened:
        if not opened.as_run:
            slots, units = told_apart(slots, keras, opened.units)
            opened = replace(opened, units=units)
        matching = _match(keras, slots, graph, opened)
        if matching is None and new_head:
            matching = _match_without_head(keras, slots, graph, opened)
        if matching is None:
            order = list(slots.values()) if opened.as_run else in_spec_order(slots, keras, graph)
            raise fail(
                "weights-mismatch",
                f"the weights of `{text}` do not fit `{model.name}`",
                notes=mismatch(order, opened.units),
                help=_remedy(order, opened.units, new_head=new_head),
            )
        assign(matching.pairs)
    return matching


def _remedy(slots: Sequence[Slot], units: Sequence[Unit], *, new_head: bool) -> str:
    here, there = head_of(slots), head_of(units)
    if here is not None and there is not None and len(slots) == len(units):
        wanted, given = slots[here].shapes[0], units[there].shapes[0]
        others = Counter(slot.signature for i, slot in enumerate(slots) if i != here)
        if not new_head and others == Counter(unit.signature for i, unit in enumerate(units) if i != there):
            return f"use `--set classes={given[-1]}`: the file has {given[-1]} classes, and the network {wanted[-1]}"
    return "check that the weights are of this variant; `archspec list` shows all variants"


def _match(
    keras: KerasGraph,
    slots: dict[int, Slot],
    graph: Graph | None,
    source: WeightSource,
    heads: tuple[int | None, int | None] = (None, None),
) -> Matching | None:
    """The matching by name, else by graph, else by order. `heads`: see `by_graph`."""
    ordered = in_spec_order(slots, keras, graph)
    found = by_name(ordered, source.units)
    if found is None and source.graph is not None:
        found = by_graph(keras, slots, source.graph, dict(zip(source.positions, source.units, strict=True)), heads)
    return found or _match_by_order(list(slots.values()), ordered, source)


def _match_by_order(as_run: list[Slot], ordered: list[Slot], source: WeightSource) -> Matching | None:
    if source.as_run:
        return by_order(as_run, source.units)
    for chosen, unused in _choices(source.units, len(ordered)):
        found = None if source.sorted_by_name else by_order(ordered, chosen)
        found = found or by_tree(ordered, chosen)
        if found is not None:
            return replace(found, unused=tuple(unused))
    return None


def _choices(units: list[Unit], wanted: int) -> Iterator[tuple[list[Unit], list[Unit]]]:
    """Units to match and to leave out: all and none; then without auxiliary classifiers, if there are too many."""
    yield units, []
    auxiliary = [unit for unit in units if any(word.lower().startswith(AUXILIARY) for word in unit.name.split("."))]
    if auxiliary and len(units) > wanted:
        yield [unit for unit in units if unit not in auxiliary], auxiliary


def _match_without_head(
    keras: KerasGraph, slots: dict[int, Slot], graph: Graph | None, source: WeightSource
) -> Matching | None:
    """The matching without the classifiers, or without that of the model alone, for files without a classifier."""
    ordered = in_spec_order(slots, keras, graph)
    index = head_of(ordered)
    if index is None:
        return None
    head = ordered[index]
    place = next(position for position, slot in slots.items() if slot is head)
    body = {position: slot for position, slot in slots.items() if slot is not head}
    there = head_of(source.units)
    if there is not None:
        other = source.positions[there] if source.positions else None
        found = _match(keras, body, graph, source.without(there), (place, other))
        if found is not None:
            return replace(found, kept=(head,), unused=(*found.unused, source.units[there]))
    found = _match(keras, body, graph, source, (place, None))
    return found and replace(found, kept=(head,))


def assign(pairs: Iterable[tuple[Slot, Unit]]) -> None:
    """Set the weights of layers to those of units. All are read, with their errors, before any is set."""
    arrays = [
        (variable, _array_of(slot, unit, index))
        for slot, unit in pairs
        for index, variable in enumerate(slot.variables)
    ]
    for variable, array in arrays:
        variable.assign(array)


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
