"""The alignment of the layers of two networks.

The alignment is the cheapest one (Needleman & Wunsch 1970) when a layer that is missing costs 1/2, one that is changed
somewhat less than two that are missing, and an equal one nothing; layers of the same path, and those whose maps have
the same size, attract each other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher

from archspec.graph.ir import Graph

Pair = tuple[int | None, int | None]
"""Positions in the two lists; None where the other list has a layer more."""
Key = tuple[Hashable, str, Hashable, str]
"""Of a layer: what must be equal for it to be unchanged, its operator, the size of its map, its path."""

MAX_CELLS = 1_500_000  # of a table of costs: a second of work; longer stretches are aligned by their equal layers first
MISSING, CHANGED, RESIZED, RENAMED = 50, 30, 45, 3
"""Costs: of a layer without a partner; of a changed one, more where its map has another size; of another path."""


def key_of(graph: Graph, index: int) -> Key:
    """What a layer is compared by. Padding counts by what it does: `same` and `1` are one for a 3x3 window."""
    node = graph.nodes[index]
    shapes = tuple(graph.nodes[i].shape for i in node.inputs)
    arguments = tuple((name, value) for name, value in vars(node.op).items() if name != "padding")
    return (
        (node.op.name, arguments, node.op.view(*shapes), shapes, node.shape),
        node.op.name,
        node.shape[:-1],
        node.path,
    )


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
    pairs += _between(left, right, (start, stop), (start, other))
    return pairs + [(stop + i, other + i) for i in range(end)]


def _equal(one: Key, other: Key) -> bool:
    return one[0] == other[0] and one[3] == other[3]


def _between(
    left: Sequence[Key], right: Sequence[Key], here: tuple[int, int], there: tuple[int, int]
) -> Iterator[Pair]:
    (a, b), (c, d) = here, there
    if (b - a) * (d - c) <= MAX_CELLS:
        yield from ((i and i + a - 1, j and j + c - 1) for i, j in _cheapest(left[a:b], right[c:d]))
        return
    matcher = SequenceMatcher(None, [key[0] for key in left[a:b]], [key[0] for key in right[c:d]], autojunk=True)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            yield from zip(range(a + i, a + j), range(c + k, c + m), strict=True)
        elif (j - i) * (m - k) <= MAX_CELLS:
            yield from _between(left, right, (a + i, a + j), (c + k, c + m))
        else:
            yield from ((n, None) for n in range(a + i, a + j))
            yield from ((None, n) for n in range(c + k, c + m))


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
