"""Where an expansion begins and ends: the nodes, names and other things that it adds to a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Expansion(NamedTuple):
    """The expansion of a layer: its path, inputs and output, and the ranges of its nodes and names."""

    path: str
    inputs: tuple[int, ...]
    output: int
    start: int
    stop: int
    named: int
    names_stop: int

    def copied(self, path: str, moved: Mapping[int, int], shift: int, renamed: int) -> Expansion:
        """That of a copy: `moved` has the new indices of nodes; nodes and names come so many places later."""
        inputs = tuple([moved[i] for i in self.inputs])
        nodes = (self.start + shift, self.stop + shift)
        return Expansion(path, inputs, moved[self.output], *nodes, self.named + renamed, self.names_stop + renamed)


class Mark(NamedTuple):
    """How much there was before an expansion: the lengths of the lists of `Builder`, and its counts."""

    start: int
    named: int
    reads: int
    numbered: int
    patches: int
    params: int
    calls: int
    depths: int
