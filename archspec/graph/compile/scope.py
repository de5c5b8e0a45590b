"""Unique layer paths under a prefix."""

from __future__ import annotations

from dataclasses import dataclass, field

from archspec.diagnostics import Span


@dataclass
class Scope:
    """A path prefix, and the names used under it with their places."""

    prefix: str
    given: dict[str, Span] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def inner(self, path: str) -> Scope:
        """The scope of what is inside of a path."""
        return Scope(f"{path}/")

    def claim(self, word: str, span: Span) -> str:
        """A new path under the prefix: `conv`, then `conv_2`, `conv_3`."""
        unique = word
        while unique in self.given:
            count = self.counts[word] = self.counts.get(word, 1) + 1
            unique = f"{word}_{count}"
        self.given[unique] = span
        return self.prefix + unique
