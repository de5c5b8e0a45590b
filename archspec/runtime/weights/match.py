"""Pair the layers of a model with those of a file, by name or by order. The layers of a pair have equal signatures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archspec.diagnostics import listed
from archspec.runtime.weights.unit import Slot, Unit, signature

Layers = Sequence[Slot | Unit]


@dataclass(frozen=True)
class Matching:
    """How the layers of a model were matched with those of a weight file."""

    pairs: tuple[tuple[Slot, Unit], ...]
    """Each layer of the model and the layer of the file that it gets its weights from."""
    how: str
    """`by name`, `by order`, ..."""
    kept: tuple[Slot, ...] = ()
    """Layers of the model that keep their weights."""
    unused: tuple[Unit, ...] = ()
    """Layers of the file that are not used."""

    def describe(self, source: str) -> str:
        """One line, such as `weights of r50.pth, matched by order: 53 conv, 53 bn, 1 dense`."""
        kinds = Counter(slot.kind for slot, _ in self.pairs)
        counts = listed(f"{count} {kind}" for kind, count in kinds.items())
        text = f"weights of {source}, matched {self.how}: {counts}"
        for word, layers in (("not used", self.unused), ("new", self.kept)):
            text += f"; {word}: {listed([f'`{layer.name}`' for layer in layers], 3)}" if layers else ""
        return text


def by_name(slots: Sequence[Slot], units: Sequence[Unit]) -> Matching | None:
    """The matching if the file has exactly the layers of the model, under the same names."""
    found = {unit.name: unit for unit in units}
    wanted, given = ({each.name: signature(each.kind, each.shapes) for each in layers} for layers in (slots, units))
    if len(units) != len(slots) or wanted != given:
        return None
    return Matching(tuple((slot, found[slot.name]) for slot in slots), "by name")


def by_order(slots: Sequence[Slot], units: Sequence[Unit]) -> Matching | None:
    """The matching if all layers have the same order, or those of each kind, or those of each operator class."""
    if [slot.signature for slot in slots] == [unit.signature for unit in units]:
        return Matching(tuple(zip(slots, units, strict=True)), "by order")
    return _within(slots, units, _kind) or _within(slots, units, _operator_class)


def _within(slots: Sequence[Slot], units: Sequence[Unit], key: Callable[[Slot | Unit], str]) -> Matching | None:
    """The matching if the layers of each class have the same order."""
    positions, sources = _positions(slots, key), _positions(units, key)
    if positions.keys() != sources.keys():
        return None
    pairs: dict[int, Unit] = {}
    for each, indices in positions.items():
        others = sources[each]
        if [slots[i].signature for i in indices] != [units[j].signature for j in others]:
            return None
        pairs.update((i, units[j]) for i, j in zip(indices, others, strict=True))
    return Matching(tuple((slot, pairs[i]) for i, slot in enumerate(slots)), "by order within operator classes")


def _positions(layers: Layers, key: Callable[[Slot | Unit], str]) -> dict[str, list[int]]:
    classes: dict[str, list[int]] = {}
    for index, layer in enumerate(layers):
        classes.setdefault(key(layer), []).append(index)
    return classes


def _kind(layer: Slot | Unit) -> str:
    return layer.kind


def _operator_class(layer: Slot | Unit) -> str:
    """Convolutions, depthwise convolutions and dense layers are one class: a file may have one in place of another."""
    return str(layer.signature[0])


HEADS = {"fc", "head", "heads", "classifier", "last_linear"}
"""Names of the classifier in torchvision and timm."""


def _called_head(name: str) -> bool:
    return bool(HEADS & set(name.split(".")))


def head_of(layers: Layers) -> int | None:
    """The position of the classifier: the last dense layer or convolution, preferably with one of the names HEADS."""
    found = [index for index, layer in enumerate(layers) if layer.signature[0] == "kernel"]
    called = [index for index in found if isinstance(layers[index], Unit) and _called_head(layers[index].name)]
    return next(reversed(called or found), None)
