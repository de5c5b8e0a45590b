"""Plain scalars as values: YAML 1.2, core schema (section 10.3.2).

`1e-4` is a number, `on` is a string, `010` is ten.
"""

from __future__ import annotations

import re
from typing import Any

LARGEST = 10**18
"""The largest number in a spec: larger than any size, and small enough for fast arithmetic."""

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OTHER_BASE = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MAX_DIGITS = 300  # Python refuses to parse an integer of more than 4,300


class TooLargeError(ValueError):
    """A number larger than LARGEST, or too large for a float."""


def resolve(text: str) -> Any:
    """The value of a plain scalar: None, bool, int, float or str. Raises TooLargeError.

    `.inf` and `.nan` stay strings: no argument takes them.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _INTEGER.match(text):
        return _bounded(int(text) if len(text) <= _MAX_DIGITS else LARGEST + 1)
    if _FLOAT.match(text):
        return _bounded(float(text))
    if _OTHER_BASE.match(text):
        return _bounded(int(text, 0) if len(text) <= _MAX_DIGITS else LARGEST + 1)
    return text


def _bounded(number: float) -> float:
    if abs(number) > LARGEST:
        raise TooLargeError
    return number
