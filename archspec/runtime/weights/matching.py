"""Layers with weights, and how those of a model are matched with those of a file: by name or by order.

The layers of a pair have equal signatures. Some layers of different kinds have the same numbers in the same order: a
1x1 convolution and a dense layer, a depthwise convolution and one with a group for each channel, a factor and a bias
for each channel. Their signatures are equal, and `reshape` converts the weights.
"""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from archspec.diagnostics import counted, listed
from archspec.format import Table

Sizes = tuple[int, ...]
Signature = tuple[Any, ...]

CONVOLUTIONS = ("conv", "depthwise")


@dataclass(frozen=True)
class Tensor:
    """An array of a file or model, in the layout of Keras. `read` returns it as float32."""

    name: str
    shape: Sizes
    read: Callable[[], Any] = field(repr=False)
    dtype: str = "float32"
    """Of the numbers in the file, as NumPy calls it."""

    @property
    def quantized(self) -> bool:
        """Whether the numbers need a scale: integers, or floats of 8 bits or less."""
        return not self.dtype.startswith(("float16", "float32", "float64", "bfloat16"))


@dataclass(frozen=True)
class Unit:
    """The weights of one layer, in the order of Keras's `layer.weights`.

    Kinds: conv, depthwise, dense, separable, bn, norm (layer or group), attention, and param for other arrays (PReLU,
    layer scale, embeddings).
    """

    kind: str
    name: str
    tensors: tuple[Tensor, ...]
    channels_first: bool = False
    """Whether a feature map that is flattened before this layer has its channels first, as in PyTorch."""
    shortcut: bool = False
    """Whether the layer is on a shortcut, if the names of the file tell: see `told_apart`."""

    @property
    def shapes(self) -> tuple[Sizes, ...]:
        return tuple(tensor.shape for tensor in self.tensors)

    @property
    def signature(self) -> Signature:
        return signature(self.kind, self.shapes, shortcut=self.shortcut)


@dataclass(frozen=True)
class Slot:
    """A layer of the model whose weights are to be set."""

    kind: str
    name: str
    variables: tuple[Any, ...] = field(repr=False)
    flattened: Sizes | None = None
    """(H, W, C) of the feature map that was flattened before this layer, if no layer with weights is between."""
    shortcut: bool = False

    @property
    def shapes(self) -> tuple[Sizes, ...]:
        return tuple(tuple(variable.shape) for variable in self.variables)

    @property
    def signature(self) -> Signature:
        return signature(self.kind, self.shapes, shortcut=self.shortcut)


def signature(kind: str, shapes: tuple[Sizes, ...], *, shortcut: bool = False) -> Signature:
    """Equal for layers with exchangeable weights; the first item is the operator class."""
    return (*_signature(kind, shapes), "on a shortcut") if shortcut else _signature(kind, shapes)


def _signature(kind: str, shapes: tuple[Sizes, ...]) -> Signature:
    if kind == "param" or (len(shapes) == 1 and sum(size > 1 for size in shapes[0]) <= 1):
        return ("param", *map(math.prod, shapes))
    if kind == "attention":
        return (kind, *map(math.prod, shapes))
    if kind not in (*CONVOLUTIONS, "dense") or len(shapes[0]) < 2:  # quantized layers of Keras have the bias first
        return (kind, *shapes)
    kernel, *others = shapes
    *window, entering, leaving = kernel
    if kind == "depthwise" or leaving == 1:  # not every file tells which of the two a kernel belongs to
        entering, leaving = 1, entering * leaving
    pointwise = all(size == 1 for size in window)
    if kind != "dense" and pointwise and entering == 1 < leaving and others == [(leaving,)]:
        return ("norm", (leaving,), (leaving,))  # a factor and a bias for each channel
    return ("kernel", *(() if pointwise else window), entering, leaving, *others)


def shown(shapes: tuple[Sizes, ...]) -> str:
    """3x3x64x128 + 128."""
    return " + ".join("x".join(map(str, shape)) or "scalar" for shape in shapes)


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
    chosen: str = ""
    """The key of the set of weights that was taken, where the file has several: `model`."""
    others: tuple[str, ...] = ()
    """The keys of the other sets in the file: `model_ema`. `FILE#model_ema` selects that one."""
    adapted: str = ""
    """How the kernel of the first convolution was adapted to another number of input channels."""
    alphabetical: tuple[str, ...] = ()
    """Modules of a file that is sorted by name which are alike: only the alphabet tells their order."""
    not_finite: tuple[str, ...] = ()
    """The arrays that contain NaN or infinity."""
    negative: tuple[str, ...] = ()
    """The variances of batch normalizations that have negative values, whose roots are NaN."""
    different: tuple[str, ...] = ()
    """Settings of layers that are others in the Keras model of the file: `epsilon`, `strides`."""

    def __repr__(self) -> str:
        layers = counted(len(self.pairs), "layer")
        return f"<Matching of {layers} {self.how}, {len(self.kept)} new, {len(self.unused)} not used>"

    def describe(self, source: str) -> str:
        """One line, such as `weights of r50.pth, matched by order: 53 conv, 53 bn, 1 dense`.

        It names the set of weights that was taken and the others, what is not used, and arrays with NaN or infinity.
        """
        kinds = Counter(slot.kind for slot, _ in self.pairs)
        counts = listed(f"{count} {kind}" for kind, count in kinds.items())
        key = "" if not self.chosen or source.endswith(f"#{self.chosen}") else f"`{self.chosen}` of "
        return "; ".join([f"weights {key or 'of '}{source}, matched {self.how}: {counts}", *self.remarks(source)])

    def remarks(self, source: str) -> list[str]:
        """What a user should know about the weights beside their number: see `describe`."""
        found = []
        if self.others:
            keys = [f"`{source.partition('#')[0]}#{key}`" for key in self.others]
            found.append(f"not taken: {listed(keys, 8)}")
        if self.unused:
            found.append(f"not used: {listed(summary(self.unused, [unit for _, unit in self.pairs]), 8)}")
        if self.kept:
            found.append(f"new: {listed([f'`{layer.name}`' for layer in self.kept], 3)}")
        if self.adapted:
            found.append(f"adapted {self.adapted}")
        if self.alphabetical:
            found.append(
                f"check the order of {listed([f'`{each}`' for each in self.alphabetical], 6)}: they are alike, "
                "and the file is sorted by name"
            )
        if self.different:
            found.append(f"the network of the file differs: {listed(self.different, 4)}")
        if self.not_finite:
            found.append(f"warning: NaN or infinity in {listed(self.not_finite, 4)}")
        if self.negative:
            found.append(f"warning: negative values in {listed(self.negative, 4)}")
        return found


COUNTERS = {"total_ops", "total_params", "n_averaged"}
"""Last words of buffers that tools add to every module (thop) or model (torch.optim.swa_utils)."""


def summary(units: Sequence[Unit], used: Sequence[Unit]) -> list[str]:
    """The names of unused units: a counter of many modules once, a module that is not used at all once."""
    taken = {unit.name.partition(".")[0] for unit in used}
    found: dict[str, list[str]] = {}
    for unit in units:
        first, last = unit.name.partition(".")[0], unit.name.rpartition(".")[2]
        word = last if last in COUNTERS else f"{first}.*" if first not in taken and first != last else unit.name
        found.setdefault(word, []).append(unit.name)
    return [f"`{names[0]}`" if len(names) == 1 else f"`{word}` ({len(names)})" for word, names in found.items()]


def by_name(slots: Sequence[Slot], units: Sequence[Unit]) -> Matching | None:
    """The matching if the file has exactly the layers of the model, under the same names."""
    found = {unit.name: unit for unit in units}
    wanted, given = ({each.name: signature(each.kind, each.shapes) for each in layers} for layers in (slots, units))
    if len(units) != len(slots) or wanted != given:
        return None
    return Matching(tuple((slot, found[slot.name]) for slot in slots), "by name")


def by_order(slots: Sequence[Slot], units: Sequence[Unit]) -> Matching | None:
    """The matching if all layers have the same order."""
    if [slot.signature for slot in slots] == [unit.signature for unit in units]:
        return Matching(tuple(zip(slots, units, strict=True)), "by order")
    return None


def by_kind(slots: Sequence[Slot], units: Sequence[Unit]) -> Matching | None:
    """The matching if the layers of each kind, or those of each operator class, have the same order."""
    # convolutions, depthwise convolutions and dense layers are one class: a file may have one in place of another
    return _within(slots, units, lambda layer: layer.kind) or _within(slots, units, lambda layer: layer.signature[0])


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
    return Matching(tuple((slot, pairs[i]) for i, slot in enumerate(slots)), "by order among layers of one kind")


def _positions(layers: Layers, key: Callable[[Slot | Unit], str]) -> dict[str, list[int]]:
    classes: dict[str, list[int]] = {}
    for index, layer in enumerate(layers):
        classes.setdefault(key(layer), []).append(index)
    return classes


HEADS = {"fc", "head", "heads", "classifier", "last_linear"}
"""Names of the classifier in torchvision and timm."""


def head_of(layers: Layers) -> int | None:
    """The position of the classifier: the last dense layer or convolution, preferably with one of the names HEADS."""
    found = [index for index, layer in enumerate(layers) if layer.signature[0] == "kernel"]
    called = [
        index for index in found if isinstance(layers[index], Unit) and HEADS & set(layers[index].name.split("."))
    ]
    return next(reversed(called or found), None)


MAX_LINES = 24
"""Of a table of mismatches; the last line counts the rest."""
AROUND = 2
"""Rows of matching layers before and after a mismatch."""

Row = tuple[str, str, str]
"""A sign, empty if the layers fit; the layer of the network; the layer in the file."""


def mismatch(slots: Sequence[Slot], units: Sequence[Unit]) -> list[str]:
    """The notes of the error: counts by class, then a table around the first mismatches."""
    fit, rows = _aligned(slots, units)
    notes = [f"{fit} of the network's {counted(len(slots), 'layer')} with weights fit; the file has {len(units)}"]
    wanted, given = (Counter(layer.kind for layer in layers) for layers in (slots, units))
    notes.append(f"the network has {_counts(wanted)}; the file has {_counts(given)}")
    return [
        *notes,
        "in order (-: missing in the file, +: missing in the network, ≠: different shape):",
        *Table(("", "", ""), [(sign or "=", here, there) for sign, here, there in _around(rows)]).lines(),
    ]


def _counts(kinds: Counter[str]) -> str:
    return listed(f"{count} {kind}" for kind, count in kinds.items()) or "nothing"


def _aligned(slots: Sequence[Slot], units: Sequence[Unit]) -> tuple[int, list[Row]]:
    """The number of layers that fit, and the rows, class by class."""
    rows: list[Row] = []
    fit = 0
    layers: list[Slot | Unit] = [*slots, *units]
    for operator_class in dict.fromkeys(layer.signature[0] for layer in layers):
        here = [slot for slot in slots if slot.signature[0] == operator_class]
        there = [unit for unit in units if unit.signature[0] == operator_class]
        wanted, given = ([layer.signature for layer in layers] for layers in (here, there))
        matcher = difflib.SequenceMatcher(None, wanted, given, autojunk=False)
        for tag, a, b, c, d in matcher.get_opcodes():
            fit += b - a if tag == "equal" else 0
            for slot, unit in zip_longest(here[a:b], there[c:d]):
                sign = "" if tag == "equal" else "≠" if slot and unit else "-" if slot else "+"
                rows.append((sign, _here(slot), _here(unit)))
    return fit, rows


def _here(layer: Slot | Unit | None) -> str:
    return f"{layer.name} ({layer.kind} {shown(layer.shapes)})" if layer else "(nothing)"


def _around(rows: Sequence[Row]) -> list[Row]:
    """The mismatches with some rows around them, and the number of rows left out."""
    near = {j for i, row in enumerate(rows) if row[0] for j in range(i - AROUND, i + AROUND + 1)}
    chosen: list[Row] = []
    last = -1
    for index in sorted(near & set(range(len(rows)))):
        if index != last + 1:
            chosen.append(("…", f"({index - last - 1} that fit)", ""))
        chosen.append(rows[index])
        last = index
    if len(chosen) > MAX_LINES:
        rest = sum(1 for row in chosen[MAX_LINES:] if row[0] not in ("", "…"))
        chosen = [*chosen[:MAX_LINES], ("…", f"({rest} more that do not fit)", "")]
    return chosen
