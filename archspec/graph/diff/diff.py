"""The difference of two networks: their layers aligned, those changed, removed and added, and the totals.

The alignment is the cheapest one (Needleman & Wunsch 1970) when a layer that is missing costs 1/2, one that is changed
somewhat less than two that are missing, and an equal one nothing; layers of the same path, and those whose maps have
the same size, attract each other.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from archspec.arguments import NonNegativeInt, public
from archspec.declare import arguments
from archspec.diagnostics import fail
from archspec.graph.analysis.receptive_field import last_moving
from archspec.graph.ir import Graph, Node

Pair = tuple[int | None, int | None]
"""Positions in the two lists; None for a layer that is only in the other list."""
Key = tuple[Hashable, str, Hashable, str]
"""The features of a layer that are compared: its arguments, operator, feature map size and path."""

MAX_LAYERS = 5_000
MAX_TOGETHER = 80_000  # of a Budget: layers of both networks; those that are no copies count more
MAX_CELLS = 500_000  # of all cost tables; longer stretches are aligned by their equal layers first
MAX_LEVELS = 8  # how often a stretch is divided
MISSING, CHANGED, RESIZED, RENAMED = 50, 30, 45, 3
"""Costs of an unmatched layer, of a changed one (with equal, with another feature map size), and of another path."""


def key_of(graph: Graph, index: int) -> Key:
    """The features by which layers are compared. Padding is compared by its effect: `same` equals `1` for 3x3."""
    node = graph.nodes[index]
    arguments = tuple((name, value) for name, value in vars(node.op).items() if name != "padding")
    effect = (node.op.name, arguments, graph.view(node), graph.shapes_into(node), node.shape, node.shared is None)
    return effect, node.op.name, node.shape[:-1], node.path


def align(left: Sequence[Key], right: Sequence[Key]) -> list[Pair]:
    """The pairs in order; every position of both lists is in one of them."""
    start = 0
    while start < min(len(left), len(right)) and _equal(left[start], right[start]):
        start += 1
    end = 0
    while end < min(len(left), len(right)) - start and _equal(left[-1 - end], right[-1 - end]):
        end += 1
    stop, other = len(left) - end, len(right) - end
    pairs: list[Pair] = [(i, i) for i in range(start)]
    pairs += _between(left, right, range(start, stop), range(start, other), MAX_CELLS)
    return pairs + [(stop + i, other + i) for i in range(end)]


def _equal(one: Key, other: Key) -> bool:
    return one[0] == other[0] and one[3] == other[3]


def _between(
    left: Sequence[Key], right: Sequence[Key], here: range, there: range, cells: int, levels: int = MAX_LEVELS
) -> Iterator[Pair]:
    """The pairs of two stretches, with cost tables of at most `cells` cells together.

    Longer stretches are divided at layers that occur once in both, as patience diff does (Cohen 2003).
    """
    if len(here) * len(there) <= cells:
        found = _cheapest([left[i] for i in here], [right[j] for j in there])
        yield from ((i and here[i - 1], j and there[j - 1]) for i, j in found)
        return
    anchors = _anchors(left, right, here, there) if levels else []
    if not anchors:
        yield from ((i, None) for i in here)
        yield from ((None, j) for j in there)
        return
    i, j = here.start, there.start
    for k, m in [*anchors, (here.stop, there.stop)]:
        gap, other = range(i, k), range(j, m)
        yield from _between(left, right, gap, other, cells, levels - 1)
        cells -= min(cells, len(gap) * len(other))
        if k < here.stop:
            yield k, m
        i, j = k + 1, m + 1


def _anchors(left: Sequence[Key], right: Sequence[Key], here: range, there: range) -> list[tuple[int, int]]:
    """The longest list of pairs, in the order of both, that are equal and each the only one of its kind.

    Layers are of one kind if they have the same path and arguments, or, where there are none, the same arguments.
    """
    for feature in (lambda key: (key[0], key[3]), lambda key: key[0]):
        ours, theirs = (
            _places([feature(keys[i]) for i in place], place) for keys, place in ((left, here), (right, there))
        )
        pairs = [(i, theirs[kind]) for kind, i in ours.items() if kind in theirs]
        if pairs:
            return _increasing(pairs)
    return []


def _places(kinds: Sequence[Hashable], places: range) -> dict[Hashable, int]:
    """The places of the kinds that occur once, in order."""
    counts = Counter(kinds)
    return {kind: place for kind, place in zip(kinds, places, strict=True) if counts[kind] == 1}


def _increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of pairs, whose first numbers increase, in which the second ones increase too (Fredman 1975)."""
    ends: list[int] = []  # the least second number that ends an increasing list of each length
    last: list[int] = []  # which pair that is
    before: list[int | None] = []
    for index, (_, number) in enumerate(pairs):
        length = bisect_left(ends, number)
        before.append(last[length - 1] if length else None)
        ends[length : length + 1] = [number]
        last[length : length + 1] = [index]
    found: list[tuple[int, int]] = []
    at: int | None = last[-1] if last else None
    while at is not None:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]


def _cheapest(left: Sequence[Key], right: Sequence[Key]) -> list[tuple[int | None, int | None]]:
    """The pairs, positions counted from 1."""
    columns = len(right) + 1
    above = [j * MISSING for j in range(columns)]
    choices = [bytearray(b"\x02" * columns)]  # 0 a pair, 1 only left, 2 only right
    for i, (key, op, size, path) in enumerate(left, 1):
        row, choice = [i * MISSING], bytearray(b"\x01" * columns)
        best = i * MISSING
        for j, (other, other_op, other_size, other_path) in enumerate(right, 1):
            best, kind = best + MISSING, 2
            if above[j] + MISSING < best:
                best, kind = above[j] + MISSING, 1
            if op == other_op:
                cost = above[j - 1] + (0 if path == other_path else RENAMED)
                if key != other:
                    cost += CHANGED if size == other_size else CHANGED + RESIZED
                if cost <= best:
                    best, kind = cost, 0
            row.append(best)
            choice[j] = kind
        above = row
        choices.append(choice)
    pairs: list[tuple[int | None, int | None]] = []
    i, j = len(left), len(right)
    while i or j:
        kind = choices[i][j] if i and j else 1 if i else 2
        pairs.append((None if kind == 2 else i, None if kind == 1 else j))
        i, j = i - (kind != 2), j - (kind != 1)
    return pairs[::-1]


@dataclass(frozen=True)
class Change:
    """A layer of both networks (`left` and `right`), or of one of them, where the other is None."""

    left: Node | None
    right: Node | None
    arguments: Mapping[str, tuple[Any, Any]]
    """The arguments that differ in effect, with both values."""
    reads: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    """The paths of the inputs, if the layer now reads other layers and its previous inputs still exist."""

    @property
    def sign(self) -> str:
        """`-` is removed, `+` added, `~` changed, `=` unchanged."""
        if self.left is None or self.right is None:
            return "+" if self.left is None else "-"
        same = self.left.shape == self.right.shape and self.left.facts.weights == self.right.facts.weights
        return "=" if same and not self.arguments and self.reads is None else "~"


@dataclass(frozen=True)
class Totals:
    """Totals of a network. Memory: outputs of all layers for one sample in float32, in bytes."""

    layers: int
    params: int
    trainable_params: int
    macs: int | None
    activation_bytes: int | None
    receptive_field: tuple[float, ...] | None
    """Of the last layer whose units do not all see the same, pixels."""
    stride: tuple[float, ...] | None
    """Of the same layer: pixels of the input from one unit to the next."""


@dataclass(frozen=True)
class Difference:
    """The layers of two networks, aligned and compared."""

    left: Graph
    """The first network."""
    right: Graph
    """The second network."""
    changes: tuple[Change, ...]
    """All layers in order, equal ones included; `sign` says how they differ."""

    def __repr__(self) -> str:
        changed = sum(change.sign != "=" for change in self.changes)
        return (
            f"<Difference of {self.left.name} and {self.right.name}: {changed} of {len(self.changes):,} layers differ>"
        )

    def __str__(self) -> str:
        return self.render()

    @property
    def identical(self) -> bool:
        """Whether the networks have the same input, layers and outputs; their names may differ."""
        left, right = self.left, self.right
        same = [(each.signature, each.outputs) for each in (left, right)]
        equal = same[0] == same[1]
        return equal and all(change.sign == "=" for change in self.changes)

    @public()
    def render(self, format: Literal["text", "json", "markdown"] = "text", *, context: NonNegativeInt = 1) -> str:
        """The changed layers and the totals as text, JSON or Markdown, with `context` equal layers around changes."""
        from archspec.graph.diff.formats import FORMATS

        return FORMATS[format](self, context)


def difference(left: Graph, right: Graph) -> Difference:
    """Align the layers of two networks and compare them pair by pair.

    Raises ArchspecError (too-many-layers) for a network of more than MAX_LAYERS layers.
    """
    for graph in (left, right):
        if len(graph.layers) > MAX_LAYERS:
            fact = f"`{graph.name}` has {len(graph.layers):,} layers, but `diff` compares at most {MAX_LAYERS:,}"
            raise fail("too-many-layers", fact, help="compare them with fewer copies of a block")
    keys = [[key_of(graph, index) for index in range(graph.input_count, len(graph.nodes))] for graph in (left, right)]
    pairs: list[Pair] = [
        (i if i is None else i + left.input_count, j if j is None else j + right.input_count) for i, j in align(*keys)
    ]
    partner = {**_inputs(left, right), **{i: j for i, j in pairs if i is not None and j is not None}}
    known = set(partner.values())
    return Difference(left, right, tuple(_change(left, right, i, j, partner, known) for i, j in pairs))


def _inputs(left: Graph, right: Graph) -> dict[int, int]:
    """The inputs of both networks: those of the same name, and where no name is the same, those at the same place."""
    names = {node.path: index for index, node in enumerate(right.inputs)}
    same = {index: names[node.path] for index, node in enumerate(left.inputs) if node.path in names}
    return same or {index: index for index in range(min(left.input_count, right.input_count))}


def _change(
    left: Graph, right: Graph, i: int | None, j: int | None, partner: Mapping[int, int], known: Collection[int]
) -> Change:
    if i is None or j is None:
        return Change(None if i is None else left.nodes[i], None if j is None else right.nodes[j], {})
    one, other = left.nodes[i], right.nodes[j]
    return Change(
        one, other, dict(_arguments(left, right, one, other)), _reads(left, right, one, other, partner, known)
    )


def _arguments(left: Graph, right: Graph, one: Node, other: Node) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for argument in arguments(type(one.op)):
        a, b = getattr(one.op, argument.name), getattr(other.op, argument.name)
        if a != b and not (argument.name == "padding" and left.view(one) == right.view(other)):
            yield argument.name, (a, b)
    if one.shared != other.shared:
        yield "share", (one.shared, other.shared)


def _reads(
    left: Graph, right: Graph, one: Node, other: Node, partner: Mapping[int, int], known: Collection[int]
) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Both lists of inputs if all inputs have partners in the other network (`known`), but not each other."""
    if any(i not in partner for i in one.inputs) or any(j not in known for j in other.inputs):
        return None  # a layer was inserted between, which is a separate change
    if [partner[i] for i in one.inputs] == list(other.inputs):
        return None
    return tuple(left.nodes[i].path for i in one.inputs), tuple(right.nodes[j].path for j in other.inputs)


def totals(graph: Graph) -> Totals:
    """The totals of a network."""
    field = last_moving(graph)
    return Totals(
        len(graph.layers),
        graph.params,
        graph.trainable_params,
        graph.macs,
        graph.activation_bytes,
        field.size if field else None,
        field.stride if field else None,
    )
