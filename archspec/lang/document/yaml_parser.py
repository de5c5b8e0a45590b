"""Text -> tree of YAML nodes with their places.

It uses YAML's events, because a loader hides anchors, tags and duplicate keys. It is a loop, so deep nesting cannot
exhaust the stack. Size, depth and number of values are bounded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import yaml

from archspec.diagnostics import Source, Span, fail
from archspec.lang.document.nodes import MappingNode, Node, ScalarNode, SequenceNode, TooLargeError, plain, resolve

if TYPE_CHECKING:
    from pathlib import Path

SPEC_KEYS = "a spec is a mapping with the keys `name`, `input` and `layers`"
BINARY = (b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x80\x02")
"""The first bytes of zip files such as .keras, of HDF5 files, and of pickles."""
MODEL_INSTEAD = "`archspec from-keras` writes the spec of a Keras model; evaluate, predict and export read models"
DOUBLED = "write `$name` for the value of a parameter: `conv: $filters`; other expressions are `$(...)`"
MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_VALUES = 50_000


def read_text(path: Path | str, what: str = "spec") -> Source:
    """The text of a spec, or of a recipe. Raises ArchspecError: page-not-found, page-too-large, not-text."""
    path = os.fspath(path)  # pathlib takes longer to import than a spec to be read
    try:
        if os.path.isdir(path):
            raise fail("page-not-found", f"`{path}` is a folder, not a {what}", help="give the path of a .yaml file")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise fail("page-not-found", f"there is no file `{path}`") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise fail("page-not-found", f"`{path}` cannot be read: {reason}") from None
    if data.startswith(BINARY):
        raise fail("not-text", f"`{path}` is a model or an archive, not a {what}", help=MODEL_INSTEAD)
    if len(data) > MAX_BYTES:
        raise fail(
            "page-too-large",
            f"`{path}` is larger than {MAX_BYTES:,} bytes, the limit for a spec",
            help="a spec is a text file of a few kilobytes; check that this is the right file",
        )
    try:
        return Source(path, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise fail(
            "not-text",
            f"`{path}` is not UTF-8 text: byte {error.start + 1} is invalid",
            help="save the spec as UTF-8",
        ) from None


def parse_document(source: Source, what: str = "spec", keys: str = SPEC_KEYS) -> MappingNode:
    """The document, whose top level must be a mapping; `keys` is the remedy otherwise.

    Raises ArchspecError: yaml-syntax, bad-key, merge-key, duplicate-key, anchor, tag, number-too-large, too-deep,
    page-too-large, empty-page, not-a-mapping, several-documents.
    """
    root = _compose(source)
    if root is None or (isinstance(root, ScalarNode) and root.value is None):
        raise fail("empty-page", f"this {what} is empty", Span(source, 1, 1, 1, 2), help=keys)
    if not isinstance(root, MappingNode):
        kind = "a list" if isinstance(root, SequenceNode) else "a single value"
        raise fail("not-a-mapping", f"the top level of this {what} is {kind}, not a mapping", root.span, help=keys)
    return root


def parse_value(text: str, name: str) -> Any:
    """The value of `--set NAME=VALUE`: a scalar, or a list or mapping in YAML's flow form.

    Raises ArchspecError: those of `parse_document`.
    """
    node = _compose(Source(name, text))
    return None if node is None else plain(node)


_span, _scalar_node = partial(tuple.__new__, Span), partial(tuple.__new__, ScalarNode)  # half the time of the classes


class _Open:
    """A collection that is not complete yet. `key` is a key without its value."""

    def __init__(self, event: Any) -> None:
        self.event, self.listed = event, isinstance(event, yaml.SequenceStartEvent)
        self.items: list[Node] = []
        self.entries: dict[str, tuple[ScalarNode, Node]] = {}
        self.key: ScalarNode | None = None


def _compose(source: Source) -> Node | None:
    stack: list[_Open] = []
    root: Node | None = None
    count = documents = 0
    scalar_event, node_event, end_event = yaml.ScalarEvent, yaml.NodeEvent, yaml.CollectionEndEvent
    for event in events(source):
        if isinstance(event, node_event):
            if event.anchor is not None or getattr(event, "tag", None) is not None:
                raise _anchor_or_tag(source, event)
            count += 1
            if count > MAX_VALUES:
                raise fail("page-too-large", f"this spec has more than {MAX_VALUES:,} values", place(source, event))
            if not isinstance(event, scalar_event):
                if len(stack) == MAX_DEPTH:
                    raise fail(
                        "too-deep",
                        f"this spec is nested more than {MAX_DEPTH} levels deep",
                        place(source, event).first(1),
                        help="move the inner layers to a block under `blocks`",
                    )
                stack.append(_Open(event))
                continue
            node: Node = _scalar(source, event)
        elif isinstance(event, end_event):
            node = _closed(source, stack.pop(), event)
        else:
            documents += isinstance(event, yaml.DocumentStartEvent)
            if documents > 1:
                raise fail(
                    "several-documents",
                    "this file has more than one YAML document",
                    place(source, event),
                    help="put each document in a separate file",
                )
            continue
        if stack:
            _put(stack[-1], node)
        else:
            root = node
    return root


def _scalar(source: Source, event: Any) -> ScalarNode:
    text, span = event.value, place(source, event)
    if not event.implicit[0]:  # quoted
        return _scalar_node((text, text, span))
    if text[:1] == "$":
        _refuse_cut(source, text, span)
        return ScalarNode(text, text, span)
    try:
        return _scalar_node((resolve(text), text, span))
    except TooLargeError:
        raise fail(
            "number-too-large", "this number is larger than 10^18", span, help="if it is a name, put it in quotes"
        ) from None


def _refuse_cut(source: Source, text: str, span: Span) -> None:
    """Raises ArchspecError (expression) if YAML has ended an expression at its comma: `{filters: $(min(a, b))}`."""
    if text.count("(") <= text.count(")") or source.line(span.end_line)[span.end_column - 1 :][:1] != ",":
        return
    at = Span(source, span.end_line, span.end_column, span.end_line, span.end_column + 1)
    from archspec.lang.document.yaml_mistakes import expression_at, quoted

    if whole := expression_at(source, at):
        raise fail("expression", f"in YAML, this expression ends at its comma: `{text}`", whole, help=quoted(whole))


def _closed(source: Source, ended: _Open, event: Any) -> SequenceNode | MappingNode:
    span = place(source, ended.event, event)
    return SequenceNode(tuple(ended.items), span) if ended.listed else MappingNode(ended.entries, span)


def _put(into: _Open, node: Node) -> None:
    if into.listed:
        into.items.append(node)
    elif into.key is not None:
        into.entries[into.key.text] = (into.key, node)
        into.key = None
    elif not isinstance(node, ScalarNode) or not node.text:
        before = node.span.source.line(node.span.line)[: node.span.column - 1]
        raise fail(
            "bad-key",
            "a key must be a single word",
            node.span,
            help=None
            if isinstance(node, ScalarNode)
            else ("remove the `?`" if re.search(r"\?\s+\Z", before) else DOUBLED)
            if isinstance(node, MappingNode)
            else "put the key in quotes if it is an expression or contains brackets",
        )
    elif node.text == "<<":
        raise fail(
            "merge-key",
            "`<<`: YAML merge keys are not supported",
            node.span,
            help="define the repeated layers once, as a block under `blocks`",
        )
    elif node.text in into.entries:
        first = into.entries[node.text][0].span.line
        raise fail(
            "duplicate-key",
            f"the key `{node.text}` appears twice",
            node.span,
            notes=[f"first given on line {first}"],
            help="remove one of them",
        )
    else:
        into.key = node


def _anchor_or_tag(source: Source, event: Any) -> Exception:
    if event.anchor is not None:
        written = f"{'*' if isinstance(event, yaml.AliasEvent) else '&'}{event.anchor}"
        return fail(
            "anchor",
            f"`{written}`: YAML anchors and aliases are not supported",
            place(source, event).first(len(written)),
            help="define the repeated layers once, as a block under `blocks`",
        )
    written = event.tag.replace("tag:yaml.org,2002:", "!!")
    at = place(source, event).first(len(written))
    return fail("tag", f"`{written}`: YAML tags are not supported", at, help="remove the tag")


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def events(source: Source) -> Iterator[Any]:
    """The events of PyYAML's parser, read lazily.

    Raises ArchspecError: yaml-syntax.
    """
    try:
        yield from iter(_Loader(source.text).get_event, None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if "end of stream" in str(error.problem) and error.context_mark:
            mark = error.context_mark  # where the quote or bracket was opened
        context = f" {error.context}" if error.context else ""
        span, help = _at(source, mark), None
        if span is not None:
            from archspec.lang.document.yaml_mistakes import find_mistake

            span, help = find_mistake(source, span, _at(source, error.context_mark), str(error))
        raise fail("yaml-syntax", f"invalid YAML: {error.problem}{context}", span, help=help) from None
    except (yaml.reader.ReaderError, UnicodeEncodeError) as error:  # the second for half of a pair of surrogates
        raise _not_printable(source, error) from None


def _at(source: Source, mark: Any) -> Span | None:
    return Span(source, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2) if mark else None


def place(source: Source, start: Any, end: Any = None) -> Span:
    """From the start of an event to its end, or to the end of another."""
    a, b = start.start_mark, (end or start).end_mark
    return _span((source, a.line + 1, a.column + 1, b.line + 1, b.column + 1))


def _not_printable(source: Source, error: Any) -> Exception:
    found = re.search("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", source.text)
    if not found:
        return fail("yaml-syntax", f"invalid YAML: {error.reason}")
    before = source.text[: found.start()]
    line, column = before.count("\n") + 1, found.start() - before.rfind("\n")
    return fail(
        "yaml-syntax",
        f"invalid YAML: the control character #x{ord(found[0]):02x} is not allowed",
        Span(source, line, column, line, column + 1),
        help="remove it, or check that this is the right file",
    )
