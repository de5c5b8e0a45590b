"""Match the weights of a source with the layers of a model, read all of them, then set them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from archspec.diagnostics import fail
from archspec.graph.ir import Graph
from archspec.runtime.models.keras_graph import KerasGraph, keras_graph
from archspec.runtime.weights.keras_units import in_spec_order, model_slots
from archspec.runtime.weights.match import Matching, by_name, by_order, head_of
from archspec.runtime.weights.report import mismatch
from archspec.runtime.weights.shortcut import told_apart
from archspec.runtime.weights.skeleton import by_graph
from archspec.runtime.weights.tree import by_tree
from archspec.runtime.weights.unit import Sizes, Slot, Unit
from archspec.runtime.weights.weight_file import WeightSource, open_source

AUXILIARY = "aux"
"""Prefix, in lower case, of auxiliary classifiers in state dicts; they are left out if the spec has none."""


def load_into(model: Any, text: str, graph: Graph | None, *, new_head: bool) -> Matching:
    """See `load_weights`."""
    keras = keras_graph(model)
    slots = model_slots(keras)
    with open_source(text, model.name, {slot.name for slot in slots.values()}) as source:
        if not source.as_run:
            slots, units = told_apart(slots, keras, source.units)
            source = replace(source, units=units)
        ordered = in_spec_order(slots, keras, graph)
        as_run = list(slots.values())
        matching = _strict(keras, slots, as_run, ordered, source)
        if matching is None and new_head:
            matching = _without_head(keras, slots, as_run, ordered, source)
        if matching is None:
            order = as_run if source.as_run else ordered
            raise fail(
                "weights-mismatch",
                f"the weights of `{text}` do not fit `{model.name}`",
                notes=mismatch(order, source.units),
                help=_remedy(order, source.units, new_head=new_head),
            )
        arrays = [
            (variable, array_of(slot, unit, index))
            for slot, unit in matching.pairs
            for index, variable in enumerate(slot.variables)
        ]
    for variable, array in arrays:
        variable.assign(array)
    return matching


def _remedy(slots: Sequence[Slot], units: Sequence[Unit], *, new_head: bool) -> str:
    here, there = head_of(slots), head_of(units)
    if here is not None and there is not None and len(slots) == len(units):
        wanted, given = slots[here].shapes[0], units[there].shapes[0]
        others = Counter(slot.signature for i, slot in enumerate(slots) if i != here)
        if not new_head and others == Counter(unit.signature for i, unit in enumerate(units) if i != there):
            return f"use `--set classes={given[-1]}`: the file has {given[-1]} classes, and the network {wanted[-1]}"
    return "check that the weights are of this variant; `archspec list` shows all variants"


def _strict(
    keras: KerasGraph, slots: dict[int, Slot], as_run: list[Slot], ordered: list[Slot], source: WeightSource
) -> Matching | None:
    named = by_name(ordered, source.units)
    if named is not None:
        return named
    if source.graph is not None:
        units = dict(zip(source.positions, source.units, strict=True))
        found = by_graph(keras, slots, source.graph, units)
        if found is not None:
            return found
    return _by_order(as_run, ordered, source, source.units)


def _by_order(as_run: list[Slot], ordered: list[Slot], source: WeightSource, units: list[Unit]) -> Matching | None:
    if source.as_run:
        return by_order(as_run, units)
    for chosen, unused in _choices(units, len(ordered)):
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


def _without_head(
    keras: KerasGraph, slots: dict[int, Slot], as_run: list[Slot], ordered: list[Slot], source: WeightSource
) -> Matching | None:
    """The matching without the classifiers, or without that of the model alone, for files without a classifier."""
    index = head_of(ordered)
    if index is None:
        return None
    head = ordered[index]
    place = next(position for position, slot in slots.items() if slot is head)
    there = head_of(source.units)
    for other in [there, None] if there is not None else [None]:
        units = [unit for i, unit in enumerate(source.units) if i != other]
        found = None
        if source.graph is not None:
            placed = {
                at: unit for i, (at, unit) in enumerate(zip(source.positions, source.units, strict=True)) if i != other
            }
            rest = {at: slot for at, slot in slots.items() if slot is not head}
            found = by_graph(
                keras, rest, source.graph, placed, (place, None if other is None else source.positions[other])
            )
        run, headless = ([slot for slot in order if slot is not head] for order in (as_run, ordered))
        found = by_name(headless, units) or found or _by_order(run, headless, source, units)
        if found is not None:
            unused = () if other is None else (source.units[other],)
            return replace(found, kept=(head,), unused=(*found.unused, *unused))
    return None


def array_of(slot: Slot, unit: Unit, index: int) -> Any:
    """The array for a variable. Both shapes hold the same numbers in the same order: see `unit`."""
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
