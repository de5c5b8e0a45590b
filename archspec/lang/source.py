"""Text -> Document: YAML 1.2 scalars, every value with its place, nothing that can surprise.

Built on PyYAML's events, so that anchors, tags and duplicate keys are seen (a loader hides them), and in
a loop, so that deep nesting cannot exhaust the stack. Size, depth and number of values are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from archspec.diagnostics import ArchspecError, Source, Span, fail

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_VALUES = 100_000

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value: None, bool, int, float or str."""

    value: Any
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys are text, in the order of the source: `18:` is the key "18"."""

    entries: dict[str, tuple[Scalar, Node]]
    span: Span

    def get(self, key: str) -> Node | None:
        entry = self.entries.get(key)
        return entry[1] if entry else None

    def __iter__(self) -> Iterator[tuple[str, Node]]:
        return ((key, value) for key, (_, value) in self.entries.items())


Node = Scalar | Sequence | Mapping


def plain(node: Node) -> Any:
    """The node as Python values: dicts, lists and scalars."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node}


def read(path: Path | str) -> Source:
    """The text of a page. Raises ArchspecError when it is no readable text file of a sensible size."""
    path = Path(path)
    try:
        if path.is_dir():
            raise fail("page-not-found", f"`{path}` is a folder, not a page", help="give the path of a .yaml file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise fail(
            "page-not-found", f"there is no file `{path}`", help="`archspec list` shows the shipped pages"
        ) from None
    except OSError as error:
        raise fail("page-not-found", f"`{path}` cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise fail(
            "page-too-large",
            f"`{path}` is larger than {MAX_BYTES:,} bytes, the limit for a page",
            help="a page is text of a few kilobytes; is this another kind of file?",
        )
    try:
        return Source(str(path), data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise fail(
            "not-text",
            f"`{path}` is not UTF-8 text (byte {error.start + 1})",
            help="save the page as UTF-8; a .keras model goes to `archspec evaluate` or `export`",
        ) from None


def parse(source: Source) -> Mapping:
    """The document, whose top level must be a mapping.

    Raises ArchspecError: yaml-syntax, duplicate-key, anchor, tag, too-deep, page-too-large, empty-page,
    not-a-mapping, several-documents.
    """
    root = _compose(source)
    start = Span(source, 1, 1, 1, 2)
    keys = "a page is a mapping with the keys `name`, `input` and `layers`"
    if root is None or (isinstance(root, Scalar) and root.value is None):
        raise fail("empty-page", "this page is empty", start, help=keys)
    if not isinstance(root, Mapping):
        kind = "a list" if isinstance(root, Sequence) else "a single value"
        raise fail("not-a-mapping", f"the top level of this page is {kind}", root.span, help=keys)
    return root


def parse_value(text: str, name: str) -> Any:
    """The value of `--set NAME=VALUE`: a scalar, or a list or mapping in YAML's flow form."""
    node = _compose(Source(name, text))
    return None if node is None else plain(node)


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet. `key` waits for its value."""

    event: Any
    items: list[Node]
    entries: dict[str, tuple[Scalar, Node]]
    key: Scalar | None = None


def _compose(source: Source) -> Node | None:
    stack: list[_Open] = []
    root: Node | None = None
    count = documents = 0
    for event in _events(source):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise fail(
                    "several-documents", "a page is one YAML document", _span(source, event), help="remove the `---`"
                )
            continue
        if isinstance(event, yaml.NodeEvent):
            _refuse_anchors_and_tags(source, event)
            count += 1
            if count > MAX_VALUES:
                raise fail("page-too-large", f"this page has more than {MAX_VALUES:,} values", _span(source, event))
        if isinstance(event, yaml.CollectionStartEvent):
            if len(stack) == MAX_DEPTH:
                raise fail(
                    "too-deep",
                    f"this page is nested deeper than {MAX_DEPTH} levels",
                    _span(source, event),
                    help="name the inner layers as a block under `blocks`",
                )
            stack.append(_Open(event, [], {}))
            continue
        if isinstance(event, yaml.ScalarEvent):
            node: Node = Scalar(_resolve(event), event.value, _span(source, event))
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = stack.pop()
            span = _span(source, ended.event, event)
            node = (
                Sequence(tuple(ended.items), span)
                if isinstance(ended.event, yaml.SequenceStartEvent)
                else Mapping(ended.entries, span)
            )
        else:
            continue
        if stack:
            _put(stack[-1], node)
        else:
            root = node
    return root


def _put(into: _Open, node: Node) -> None:
    if isinstance(into.event, yaml.SequenceStartEvent):
        into.items.append(node)
    elif into.key is not None:
        into.entries[into.key.text] = (into.key, node)
        into.key = None
    elif not isinstance(node, Scalar):
        raise fail("yaml-syntax", "a key must be a single word", node.span)
    elif node.text in into.entries:
        first = into.entries[node.text][0].span.line
        raise fail(
            "duplicate-key",
            f"the key `{node.text}` appears twice",
            node.span,
            notes=[f"it was first given on line {first}"],
            help="remove one of the two: YAML would silently keep the last",
        )
    else:
        into.key = node


def _events(source: Source) -> Iterator[Any]:
    try:
        yield from yaml.parse(source.text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        span = Span(source, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2) if mark else None
        context = f" {error.context}" if error.context else ""
        raise fail(
            "yaml-syntax", f"this is not YAML: {error.problem}{context}", span, help=_syntax_help(source, span)
        ) from None
    except yaml.reader.ReaderError as error:
        raise fail(
            "yaml-syntax",
            f"this is not YAML: character #x{ord(error.character):04x} is not allowed"
            if isinstance(error.character, str)
            else f"this is not YAML: {error.reason}",
        ) from None


def _syntax_help(source: Source, span: Span | None) -> str | None:
    if span is None:
        return None
    # libyaml often notices a mistake on the line after it
    near = [source.line(span.line), source.line(span.line - 1)]
    if any("\t" in line[: len(line) - len(line.lstrip())] for line in near):
        return "indent with spaces: YAML does not allow tabs"
    for line in near:
        if re.search(r"[{\[,]\s*[\w$]+:\s*\$\([^)]*[\[\],{}]", line):
            return 'quote an expression with a comma or bracket inside braces: "$(min(a, b))"'
        if line.count("{") != line.count("}") or line.count("[") != line.count("]"):
            return "are the braces and brackets of this line closed?"
        if re.search(r"[{,]\s*\w+:[^\s,}]", line):
            return "put a space after each colon: `{filters: 64}`"
    return None


def _span(source: Source, start: Any, end: Any = None) -> Span:
    a, b = start.start_mark, (end or start).end_mark
    return Span(source, a.line + 1, a.column + 1, b.line + 1, b.column + 1)


def _refuse_anchors_and_tags(source: Source, event: Any) -> None:
    if event.anchor is not None:
        sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
        raise fail(
            "anchor",
            f"`{sign}{event.anchor}`: anchors and aliases are not part of the language",
            _span(source, event),
            help="name the repeated layers as a block under `blocks`",
        )
    if getattr(event, "tag", None) is not None:
        raise fail(
            "tag", f"`{event.tag}`: tags are not part of the language", _span(source, event), help="remove the tag"
        )


# YAML 1.2, core schema (section 10.3.2).
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OTHER_BASE = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
MAX_DIGITS = 300  # Python refuses to parse integers of more than 4,300 digits, and no page needs one


def _resolve(event: Any) -> Any:
    text: str = event.value
    if not event.implicit[0] or text[:1] == "$":  # quoted, or an expression
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789" or len(text) > MAX_DIGITS:
        return text
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    if _OTHER_BASE.match(text):
        return int(text, 0)
    return text


__all__ = ["ArchspecError", "Mapping", "Node", "Scalar", "Sequence", "parse", "parse_value", "plain", "read"]
