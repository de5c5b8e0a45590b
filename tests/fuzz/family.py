"""The contract of a kind of file that is fuzzed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random


@dataclass(frozen=True)
class Family:
    """A kind of file. A case is a number: `make` is given a Random of the seed, the family and that number."""

    name: str
    suffix: str
    make: Callable[[Random], bytes]
    """The contents of the hostile file of a case."""
    examine: Callable[[Path], Iterator[object]]
    """What archspec does with the file, one step for each command; it may raise ArchspecError, and nothing else."""
    good: Callable[[], bytes] | None = None
    """The contents of a good file, for a family that needs TensorFlow: no case may take more than twice as much."""
    weight: int = 1
    """How many of the cases are of this family, relative to the others."""

    @property
    def tensorflow(self) -> bool:
        """Whether `examine` imports TensorFlow."""
        return self.good is not None
