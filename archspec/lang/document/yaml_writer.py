"""Values -> compact YAML in the spec language: short lists and mappings on one line, long ones on several."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

WIDTH = 116  # of a line, comments left out

_WORD = re.compile(r"([A-Za-z_$]|[1-9]\d*x)[\w$ .+*/()-]*(?<! )\Z")
_RESERVED = {"~", "null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that YAML forbids in quoted text or treats as line ends, besides those that JSON escapes."""


def dump(values: Mapping[str, Any]) -> str:
    """A document with these keys, in their order."""
    return "\n".join(block(values, 0)) + "\n"


def scalar(value: Any) -> str:
    """One value; text is quoted if YAML would read it as something else."""
    if value is None:
        return "~"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return re.sub(r"e([-+])0*(\d)", r"e\1\2", repr(value)).replace("e+", "e")  # 1e-5, not 1e-05
    text = str(value)
    if _WORD.match(text) and text.lower() not in _RESERVED:
        return text
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def flow(value: Any) -> str:
    """The value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(word))}: {flow(each)}" for word, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_listed, value)) + "]"
    return scalar(value)


def _listed(value: Any) -> str:
    """In a flow list, `{conv: 64}` is written `conv: 64`, and `{relu: None}` is `relu`."""
    if isinstance(value, Mapping) and len(value) == 1:
        ((word, each),) = value.items()
        return scalar(str(word)) if each is None else f"{scalar(str(word))}: {flow(each)}"
    return flow(value)


def block(value: Any, indent: int, width: int = WIDTH) -> Iterator[str]:
    """The lines of a mapping or list at an indentation, each entry in one line where it fits."""
    space = " " * indent
    if isinstance(value, Mapping):
        for word, each in value.items():
            yield from _entry(f"{space}{scalar(str(word))}:", each, indent, width)
        return
    for each in value:
        if isinstance(each, Mapping) and len(each) == 1:
            ((word, inner),) = each.items()
            if inner is None:
                yield f"{space}- {scalar(str(word))}"
            else:
                yield from _entry(f"{space}- {scalar(str(word))}:", inner, indent + 2, width)
        elif isinstance(each, Mapping) and len(space) + 2 + len(flow(each)) > width:
            lines = block(each, indent + 2, width)
            yield f"{space}- {next(iter(lines)).lstrip()}"
            yield from lines
        else:
            yield f"{space}- {flow(each)}"


def _entry(start: str, value: Any, indent: int, width: int) -> Iterator[str]:
    line = f"{start} {flow(value)}"
    if len(line) <= width or not isinstance(value, (Mapping, list, tuple)) or not value:
        yield line if value is not None else start
    else:
        yield start
        yield from block(value, indent + 2, width)
