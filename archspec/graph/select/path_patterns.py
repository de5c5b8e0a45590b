"""Path patterns, which select layers for `init`, `freeze`, `rate_multipliers` and `--init-map`.

`*` stands for any letters within a word of the path, `?` for one, `[45]` for one of them, `**` for any words:
`conv1/**` is `conv1` and all that is inside it, `**/bn` every layer whose last word is `bn`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from archspec.diagnostics import ArchspecError, Span, did_you_mean, fail, listed

MAX_LENGTH = 200
MAX_WILDCARDS = 8
TOKENS = re.compile(r"/\*\*$|\*\*/|\*\*|\*|\?|\[[^\]/]+\]|.", re.DOTALL)
PARTS = {"/**": "(/.*)?", "**/": "(.*/)?", "**": "(.*)", "*": "([^/]*)", "?": "([^/])"}


@lru_cache(maxsize=1024)
def regular(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression with a group for each wildcard. Raises ArchspecError (bad-pattern)."""
    tokens = TOKENS.findall(pattern)
    wild = sum(map(_wild, tokens))
    if not pattern or len(pattern) > MAX_LENGTH or wild > MAX_WILDCARDS:
        fact = "is empty" if not pattern else f"has more than {MAX_WILDCARDS} wildcards or {MAX_LENGTH} letters"
        raise fail("bad-pattern", f"the pattern `{pattern[:MAX_LENGTH]}` {fact}", help="for example, `conv1/**`")
    try:
        return re.compile("".join(map(_part, tokens)) + r"\Z")
    except re.error as error:
        message = f"the pattern `{pattern}` has an invalid character class: {error.msg}"
        raise fail("bad-pattern", message, help="for example, `conv[245]`") from None


def _wild(token: str) -> bool:
    return token in PARTS or (token[0] == "[" and len(token) > 1)


def _part(token: str) -> str:
    if token in PARTS:
        return PARTS[token]
    if _wild(token):
        inside = token[1:-1]
        negated = "^" if inside[:1] == "!" and inside[1:] else ""
        letters = re.sub(r"([\\^\]])", r"\\\1", inside[len(negated) :])
        return f"([{negated}{letters}])"
    return re.escape(token)


def matches(pattern: str, path: str) -> bool:
    """Whether a path matches the pattern."""
    return regular(pattern).match(path) is not None


def partner(path: str, pattern: str, other: str) -> str | None:
    """The path that `other` gives for a path of `pattern`: its wildcards are replaced by the matches of `pattern`.

    None where the path is none of the pattern. Raises ArchspecError (bad-pattern) when the two have other wildcards.
    """
    found = regular(pattern).match(path)
    if found is None:
        return None
    words = [each or "" for each in found.groups()]
    tokens = TOKENS.findall(other)
    wild = [i for i, token in enumerate(tokens) if _wild(token)]
    if len(wild) > len(words):
        fact = f"`{other}` has more wildcards than `{pattern}`, whose matches fill them"
        raise fail("bad-pattern", fact, help="for example, `stage1/**=conv1/**`")
    for i, word in zip(wild, words, strict=False):
        tokens[i] = word
    return "".join(tokens)


def unmatched(pattern: str, paths: Iterable[str], span: Span | None = None) -> ArchspecError:
    """The error for a pattern that matches no path."""
    known = list(paths)
    near = did_you_mean(pattern, known) or did_you_mean(pattern.rstrip("*").rstrip("/"), known)
    notes = [f"the layers with weights are: {listed(known, 12)}"]
    return fail("unmatched-pattern", f"no layer with weights matches `{pattern}`", span, notes=notes, help=near)
