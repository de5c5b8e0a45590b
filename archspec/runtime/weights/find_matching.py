"""Find the set of weights in a source that fits the network, and the matching of their layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from archspec.diagnostics import fail, listed
from archspec.graph.ir import Graph
from archspec.runtime.models.keras_graph import KerasGraph
from archspec.runtime.weights.input_channels import adapted, first_convolution
from archspec.runtime.weights.keras_units import in_spec_order
from archspec.runtime.weights.leftovers import choices, groups, without
from archspec.runtime.weights.matching import Matching, Slot, Unit, by_kind, by_name, by_order, head_of
from archspec.runtime.weights.shared_names import contradicts, in_alphabetical_order, names_first
from archspec.runtime.weights.state_dict import told_apart
from archspec.runtime.weights.structure import by_graph, by_tree
from archspec.runtime.weights.weight_file import WeightSource
from archspec.runtime.weights.weight_sets import RANKS, rank


@dataclass(frozen=True)
class WeightTarget:
    """The model whose weights are to be set: its graph, its layers with weights, and the graph of its spec."""

    keras: KerasGraph
    slots: dict[int, Slot]
    """The layers with weights by the position of their call."""
    graph: Graph | None

    def ordered(self) -> list[Slot]:
        return in_spec_order(self.slots, self.keras, self.graph)


class Fit(NamedTuple):
    """A set of weights that fits the network. `key` selects it in its file."""

    key: str
    matching: Matching


def find(
    target: WeightTarget, source: WeightSource, text: str, *, new_head: bool, adapt_input: bool
) -> Matching | None:
    """The matching of the set that fits: as it is, with a new classifier, or with an adapted first convolution.

    Raises:
        ArchspecError: `several-weights` if several sets fit and their keys do not tell which is meant.
    """
    for head in (False, True) if new_head else (False,):
        found = _in_sets(target, source, text, new_head=head, adapt=False)
        if found is None and adapt_input:
            found = _in_sets(target, source, text, new_head=head, adapt=True)
        if found is not None:
            return found
    return None


def _in_sets(target: WeightTarget, source: WeightSource, text: str, *, new_head: bool, adapt: bool) -> Matching | None:
    """The matching of the set of lowest rank; the file as a whole comes last."""
    sets = (source, *source.others)
    for wanted in (*RANKS, None):
        fits = [
            Fit(each.key, found)
            for each in sets
            if (None if each.whole else rank(each.key)) == wanted
            and (found := _in_set(target, each, text, new_head=new_head, adapt=adapt)) is not None
        ]
        if fits:
            chosen = _only(fits, text)
            key = chosen.matching.chosen or chosen.key
            others = tuple(each.key for each in sets if each.key and not f"{key}.".startswith(f"{each.key}."))
            found = replace(chosen.matching, chosen=key, others=() if wanted is None else others)
            without_key = [each for each in sets if chosen.key and not each.key and not each.whole]
            beside = [unit for each in without_key for unit in each.units]
            found = replace(found, unused=(*found.unused, *without(beside, [unit for _, unit in found.pairs])))
            return _with_copies(found, found.chosen or chosen.key)
    return None


def _with_copies(matching: Matching, key: str) -> Matching:
    """The matching whose `others` also names what is a copy of the network in the same set: `model_ema.module`.

    Beside copies, `chosen` names the module that was taken, if its layers are all in one.
    """
    wanted = Counter(unit.signature for _, unit in matching.pairs)
    words: dict[str, list[Unit]] = {}
    for unit in matching.unused:
        words.setdefault(unit.name.partition(".")[0], []).append(unit)
    above = key.rpartition(".")[0]
    copies = [word for word, units in words.items() if Counter(unit.signature for unit in units) == wanted]
    keys = [f"{above}.{word}" if above else word for word in copies]
    rest = tuple(unit for unit in matching.unused if unit.name.partition(".")[0] not in copies)
    taken = {unit.name.partition(".")[0] for _, unit in matching.pairs}
    if keys and not matching.chosen and len(taken) == 1 and all("." in unit.name for _, unit in matching.pairs):
        matching = replace(matching, chosen=f"{key}.{taken.pop()}".lstrip("."))
    return replace(matching, unused=rest, others=(*matching.others, *(each for each in keys if each != key)))


def _only(fits: Sequence[Fit], text: str) -> Fit:
    if len(fits) > 1:
        raise fail(
            "several-weights",
            f"`{text}` has several sets of weights that fit the network: {listed([f'`{fit.key}`' for fit in fits], 8)}",
            help="choose one: " + listed([f"`{text}#{fit.key}`" for fit in fits], 8),
        )
    return fits[0]


def _in_set(target: WeightTarget, source: WeightSource, text: str, *, new_head: bool, adapt: bool) -> Matching | None:
    for changed, what in _adapted(target, source) if adapt else [(source, "")]:
        found = _without_head(target, changed, text) if new_head else _match(target, changed, text)
        if found is not None:
            return replace(found, adapted=what)
    return None


def _adapted(target: WeightTarget, source: WeightSource) -> Iterator[tuple[WeightSource, str]]:
    slot = first_convolution(target.keras, target.slots)
    if slot is not None:
        for units, what in adapted(source.units, slot):
            yield replace(source, units=units), what


def _match(
    target: WeightTarget, source: WeightSource, text: str, heads: tuple[int | None, int | None] = (None, None)
) -> Matching | None:
    """The matching by name, else by graph, else by order. `heads`: see `by_graph`."""
    if not source.as_run:
        slots, units = told_apart(target.slots, target.keras, source.units)
        target, source = replace(target, slots=slots), replace(source, units=units)
    slots, ordered = target.slots, target.ordered()
    found = by_name(ordered, source.units)
    if found is None and source.graph is not None:
        found = by_graph(
            target.keras, slots, source.graph, dict(zip(source.positions, source.units, strict=True)), heads
        )
    if found is None and source.as_run:
        run = list(slots.values())
        return by_order(run, source.units) or by_kind(run, source.units)
    return found or _in_order(ordered, source, source.units) or _in_group(ordered, source, text)


def _in_order(ordered: list[Slot], source: WeightSource, units: list[Unit]) -> Matching | None:
    def match(slots: Sequence[Slot], units: Sequence[Unit]) -> Matching | None:
        if source.sorted_by_name:
            return by_tree(slots, units)
        # in the order of the file; modules whose layers are apart in the network can only be matched by kind
        return by_order(slots, units) or by_tree(slots, units, in_order=True) or by_kind(slots, units)

    for chosen, unused in choices(units, ordered, in_order=not source.sorted_by_name):
        found = match(ordered, chosen)
        if found is not None and contradicts(found):
            found = names_first(ordered, chosen, match)
        if found is not None:
            other = [unit for slot, unit in found.pairs if slot.name != unit.name]
            guessed = in_alphabetical_order(other) if source.sorted_by_name else ()
            return replace(found, unused=tuple(unused), alphabetical=guessed)
    return None


def _in_group(ordered: list[Slot], source: WeightSource, text: str) -> Matching | None:
    """The matching of the layers below one module, such as `student`; the others are not used.

    Layers outside of such modules are preferred, if they are a network themselves: PyTorch loads those names as well.
    """
    fits = []
    rest = list(source.units)
    for word, units in groups(source.units).items():
        found = _in_order(ordered, source, units) if len(units) >= len(ordered) else None
        if found is not None:
            rest = without(rest, units)
            key = f"{source.key}.{word}" if source.key else word
            beside = without(source.units, units)
            fits.append(Fit(key, replace(found, chosen=key, unused=(*found.unused, *beside))))
    if not fits:
        return None
    known = {slot.signature for slot in ordered}
    rest = [unit for unit in rest if unit.kind != "param" or unit.signature in known]  # without steps and flags
    if len(rest) >= len(ordered) and (found := _in_order(ordered, source, rest)) is not None:
        return replace(found, unused=(*found.unused, *without(source.units, rest)))
    ranks = {fit.key: rank(fit.key.removeprefix(source.key)) for fit in fits}
    first = next(each for each in RANKS if each in ranks.values())
    return _only([fit for fit in fits if ranks[fit.key] == first], text).matching


def _without_head(target: WeightTarget, source: WeightSource, text: str) -> Matching | None:
    """The matching without the classifiers, or without that of the model alone, for files without a classifier."""
    ordered = target.ordered()
    index = head_of(ordered)
    if index is None:
        return None
    head = ordered[index]
    place = next(position for position, slot in target.slots.items() if slot is head)
    body = replace(target, slots={position: slot for position, slot in target.slots.items() if slot is not head})
    there = head_of(source.units)
    if there is not None:
        other = source.positions[there] if source.positions else None
        found = _match(body, source.without(there), text, (place, other))
        if found is not None:
            return replace(found, kept=(head,), unused=(*found.unused, source.units[there]))
    found = _match(body, source, text, (place, None))
    return found and replace(found, kept=(head,))
