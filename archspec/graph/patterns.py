"""Patterns of paths: for `init`, `freeze`, `rate_multipliers` and `--init-map`.

`*` matches any characters within a path component, `?` one character, `[45]` one of these, `**` any components:
`conv1/**` matches `conv1` and all layers inside it, `**/bn` every layer whose last component is `bn`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from archspec.diagnostics import ArchspecError, Span, did_you_mean, fail, listed

MAX_LENGTH = 200
MAX_WILDCARDS = 8
MAX_MOVES = 1_000_000  # of the automaton of all patterns of an option, which takes less than a second
TOKENS = re.compile(r"/\*\*$|\*\*/|\*\*|\*|\?|\[[^\]/]+\]|.", re.DOTALL)
SKIPPED = ("/**", "**/", "**", "*")
"""The wildcards that may match nothing."""
EXAMPLE = "for example, `conv1/**`"

State = tuple[int, int, bool]
"""A pattern, one of its tokens, and whether a part of that token is matched already."""


class Matcher:
    """Which of several patterns match a path, in one pass over the path.

    The patterns are a nondeterministic automaton; the sets of its states are numbered as paths reach them, so nothing
    is tried twice and the time does not grow with the number of wildcards.

    Raises ArchspecError (bad-pattern).
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = [[_Token(token) for token in TOKENS.findall(pattern)] for pattern in patterns]
        self.moves = 0
        self._numbers: dict[frozenset[State], int] = {}
        self._sets: list[frozenset[State]] = []
        self.accepted: list[tuple[int, ...]] = []
        """The patterns that match a path which ends at a set of states."""
        self._next: dict[tuple[int, str], int] = {}
        self._nothing = self._number(frozenset())
        self._start = self._number(self._closed((i, 0, False) for i in range(len(patterns))))

    def end(self, path: str) -> int:
        """The number of the set of states at the end of a path."""
        here = self._start
        for letter in path:
            if here == self._nothing:
                break
            after = self._next.get((here, letter))
            here = self._move(here, letter) if after is None else after
        return here

    def of(self, path: str) -> tuple[int, ...]:
        """The positions of the patterns that match a path."""
        return self.accepted[self.end(path)]

    def _move(self, here: int, letter: str) -> int:
        states = self._sets[here]
        self.moves += len(states)
        if self.moves > MAX_MOVES:
            raise fail(
                "bad-pattern",
                f"these {len(self.patterns):,} patterns take too long to match",
                help="use fewer patterns, or fewer wildcards",
            )
        after = self._number(self._closed(each for state in states for each in self._after(state, letter)))
        self._next[here, letter] = after
        return after

    def _after(self, state: State, letter: str) -> Iterator[State]:
        pattern, at, inside = state
        if at == len(self.patterns[pattern]):
            return
        token = self.patterns[pattern][at]
        if token.text == "**" or (token.text == "*" and letter != "/"):
            yield state
        elif token.text == "/**":
            if inside or letter == "/":
                yield (pattern, at, True)
        elif token.text == "**/":
            yield (pattern, at, True)
            if letter == "/":
                yield (pattern, at + 1, False)
        elif token.text != "*" and token.fits(letter):
            yield (pattern, at + 1, False)

    def _closed(self, states: Iterable[State]) -> frozenset[State]:
        """The states, and those after tokens that may match nothing more."""
        found: set[State] = set()
        for pattern, at, inside in states:
            tokens = self.patterns[pattern]
            found.add((pattern, at, inside))
            while at < len(tokens) and tokens[at].text in SKIPPED and not (inside and tokens[at].text == "**/"):
                at, inside = at + 1, False
                found.add((pattern, at, inside))
        return frozenset(found)

    def _number(self, states: frozenset[State]) -> int:
        if states not in self._numbers:
            self._numbers[states] = len(self._sets)
            self._sets.append(states)
            done = {pattern for pattern, at, _ in states if at == len(self.patterns[pattern])}
            self.accepted.append(tuple(sorted(done)))
        return self._numbers[states]


class _Token:
    """A wildcard, a class of letters or a letter. Raises ArchspecError (bad-pattern)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.letters, self.negated = text, False
        if _wild(text) and text[0] == "[":
            inside = text[1:-1]
            self.negated = inside[:1] == "!" and len(inside) > 1
            self.ranges = _ranges(inside[self.negated :], text)

    def fits(self, letter: str) -> bool:
        """Whether one letter matches."""
        if self.text == "?":
            return letter != "/"
        if len(self.text) == 1:
            return letter == self.text
        return any(first <= letter <= last for first, last in self.ranges) != self.negated


def _ranges(inside: str, token: str) -> list[tuple[str, str]]:
    """`a-c4` -> [(a, c), (4, 4)]; every other character stands for itself."""
    found, at = [], 0
    while at < len(inside):
        last = at + 2 if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside) else at
        if inside[last] < inside[at]:
            raise fail("bad-pattern", f"the range in `{token}` is reversed", help="for example, `conv[245]`")
        found.append((inside[at], inside[last]))
        at = last + 1
    return found


@lru_cache(maxsize=64)
def matcher(patterns: tuple[str, ...]) -> Matcher:
    """The matcher of patterns from a spec or the command line. Raises ArchspecError (bad-pattern)."""
    for pattern in patterns:
        check_pattern(pattern)
    return Matcher(patterns)


def check_pattern(pattern: str, span: Span | None = None) -> None:
    """Raises ArchspecError (bad-pattern) for a pattern that is empty, too long or not valid."""
    tokens = TOKENS.findall(pattern)
    if not pattern or len(pattern) > MAX_LENGTH or sum(map(_wild, tokens)) > MAX_WILDCARDS:
        fact = "is empty" if not pattern else f"has more than {MAX_WILDCARDS} wildcards or {MAX_LENGTH} letters"
        raise fail("bad-pattern", f"the pattern `{pattern[:MAX_LENGTH]}` {fact}", span, help=EXAMPLE)
    try:
        _ = [_Token(token) for token in tokens]
    except ArchspecError as error:
        (wrong,) = error.diagnostics
        raise fail(wrong.code, wrong.message, span, help=wrong.help) from None


def _wild(token: str) -> bool:
    return token in SKIPPED or token == "?" or (token[0] == "[" and len(token) > 1)


def matches(pattern: str, path: str) -> bool:
    """Whether a path matches the pattern. Raises ArchspecError (bad-pattern)."""
    return bool(matcher((pattern,)).of(path))


def partner(path: str, pattern: str, other: str) -> str | None:
    """The path that `other` gives for a path of `pattern`: its wildcards are replaced by the matches of `pattern`.

    None if the path does not match. Raises ArchspecError (bad-pattern) if the wildcards of the two differ.
    """
    if not matches(pattern, path):
        return None
    words = _words(pattern, path)
    tokens = TOKENS.findall(other)
    wild = [i for i, token in enumerate(tokens) if _wild(token)]
    if len(wild) > len(words):
        raise fail(
            "bad-pattern",
            f"`{other}` has more wildcards than `{pattern}`, whose matches fill them",
            help="for example, `stage1/**=conv1/**`",
        )
    for i, word in zip(wild, words, strict=False):
        tokens[i] = word
    return "".join(tokens)


def _words(pattern: str, path: str) -> list[str]:
    """What each wildcard of a pattern matches in a path that it matches; the first ones match as much as they can."""
    tokens = TOKENS.findall(pattern)
    words, at = [], 0
    for i, token in enumerate(tokens):
        rest = matcher(("".join(tokens[i + 1 :]),)) if i + 1 < len(tokens) else None
        only = matcher((token,)) if _wild(token) else None
        for end in range(len(path), at - 1, -1) if only else ():
            text = path[at:end]
            whole = (rest.of(path[end:]) if rest else end == len(path)) and only and only.of(text)
            if whole and not (token == "**/" and text and text[-1] != "/"):
                words.append(text)
                at = end
                break
        else:
            at += 1
    return words


def unmatched(pattern: str, paths: Iterable[str], span: Span | None = None) -> ArchspecError:
    """The error for a pattern that matches no path."""
    known = list(paths)
    inside = f"{pattern.rstrip('/')}/**"
    inner = Matcher([inside])
    if any(inner.of(path) for path in known):
        near: str | None = f"a pattern matches whole paths; write `{inside}` for the layers inside"
    else:
        near = did_you_mean(pattern, known) or did_you_mean(pattern.rstrip("*").rstrip("/"), known)
    notes = [f"the layers with weights are: {listed(known, 12)}"]
    return fail("unmatched-pattern", f"no layer with weights matches `{pattern}`", span, notes=notes, help=near)
