"""Document -> Spec: the page as items, blocks and variants, every name in it known.

What the JSON Schema cannot say is checked here, for the whole page at once: one head an item, heads that
exist, rows as long as the variants, calls that fit the arguments of their block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from archspec.diagnostics import ArchspecError, Diagnostic, Source, Span, did_you_mean, listed
from archspec.lang import source
from archspec.lang.expr import is_expression
from archspec.lang.schema import MERGES, MODIFIERS
from archspec.lang.validate import validate
from archspec.ops import OPS

STRUCTURES = ("row", "residual")


@dataclass(frozen=True)
class Item:
    """One item of a list of layers: its head with what stands after it, and its modifiers."""

    head: str
    span: Span
    value: source.Node | None = None
    name: str | None = None
    origin: tuple[source.Scalar, ...] = ()
    """The names that `from` reads."""
    repeat: source.Scalar | None = None
    first: source.Mapping | None = None
    when: source.Scalar | None = None
    cells: tuple[Item | None, ...] = ()
    """The cells of a `row`."""
    branches: dict[str, tuple[Item, ...]] | None = None
    """Of a merge with named branches; of `residual`: body and project."""


@dataclass(frozen=True)
class Parameter:
    """An argument of a block; `default` is None where it is required."""

    name: str
    default: source.Node | None
    span: Span


@dataclass(frozen=True)
class Block:
    name: str
    span: Span
    parameters: tuple[Parameter, ...]
    layers: tuple[Item, ...]


@dataclass(frozen=True)
class Spec:
    """A page that is well formed. `variants` is empty for a page without any."""

    document: source.Mapping = field(repr=False)
    name: str
    input: source.Sequence
    params: dict[str, Any]
    variants: dict[str, dict[str, Any]]
    blocks: dict[str, Block]
    layers: tuple[Item, ...]

    @property
    def default(self) -> str | None:
        """The variant that the family's name alone stands for."""
        node = self.document.get("default")
        return node.text if isinstance(node, source.Scalar) else None

    @property
    def text(self) -> str:
        return self.document.span.source.text

    @property
    def title(self) -> str:
        """Where the page comes from: `source:`, or else the comment at its top, in one line."""
        given = self.document.get("source")
        if isinstance(given, source.Scalar):
            return given.text
        if isinstance(given, source.Mapping):
            return listed(source.plain(value) for _, value in given)
        comments = (line[1:].strip() for line in self.text.splitlines() if line.startswith("# "))
        return next((line for line in comments if not line.startswith("yaml-language-server")), "")

    def outputs(self) -> dict[str, tuple[float, Span]] | None:
        """Name -> (weight of its loss, place) of each output, or None for the last layer alone."""
        node = self.document.get("outputs")
        if node is None:
            return None
        if isinstance(node, source.Sequence):
            return {item.text: (1.0, item.span) for item in node.items if isinstance(item, source.Scalar)}
        assert isinstance(node, source.Mapping)
        return {key.text: (float(source.plain(value)), key.span) for key, value in node.entries.values()}


def parse(text: Source) -> Spec:
    """The page. Raises ArchspecError with every mistake that can be seen without expanding it."""
    document = source.parse(text)
    diagnostics = validate(document)
    if diagnostics:
        raise ArchspecError(*diagnostics)
    return _Parser(document).spec()


class _Parser:
    def __init__(self, document: source.Mapping) -> None:
        self.document = document
        self.diagnostics: list[Diagnostic] = []
        blocks = document.get("blocks")
        self.block_nodes = blocks if isinstance(blocks, source.Mapping) else source.Mapping({}, document.span)
        self.variants = self._variants()
        self.parameters = {name: self._parameters(node) for name, node in self.block_nodes}

    def spec(self) -> Spec:
        name, input_, params = (self.document.get(key) for key in ("name", "input", "params"))
        assert isinstance(name, source.Scalar)
        assert isinstance(input_, source.Sequence)
        blocks = {}
        for block, (key, node) in self.block_nodes.entries.items():
            assert isinstance(node, source.Mapping)
            if block in OPS or block in STRUCTURES or block in MODIFIERS:
                what = "an operator" if block in OPS else "a word of the language"
                self._wrong(
                    "name-taken", f"the block `{block}` has the name of {what}", key.span, "choose another name"
                )
            blocks[block] = Block(block, key.span, self.parameters[block], self._layers(node.get("layers")))
        layers = self._layers(self.document.get("layers"))
        self._expectations()
        default = self.document.get("default")
        if isinstance(default, source.Scalar) and default.text not in self.variants:
            code, message, remedy = self._no_variant(default.text)
            self._wrong(code, message, default.span, remedy)
        self._merge_repeated()
        if self.diagnostics:
            raise ArchspecError(*self.diagnostics)
        return Spec(
            self.document,
            name.text,
            input_,
            source.plain(params) if params else {},
            self.variants,
            blocks,
            layers,
        )

    def _merge_repeated(self) -> None:
        """The same mistake on several lines is one diagnostic: a misspelt operator is often used often."""
        merged: dict[tuple[str, str], list[Diagnostic]] = {}
        for diagnostic in self.diagnostics:
            merged.setdefault((diagnostic.code, diagnostic.message), []).append(diagnostic)
        self.diagnostics = []
        for first, *others in merged.values():
            lines = listed(dict.fromkeys(each.span.line for each in others if each.span))
            self.diagnostics.append(first.with_notes(f"also on line {lines}") if others else first)

    def _wrong(self, code: str, message: str, span: Span, help: str | None = None, notes: tuple[str, ...] = ()) -> None:
        self.diagnostics.append(Diagnostic(code, message, span, notes, help))

    def _variants(self) -> dict[str, dict[str, Any]]:
        node = self.document.get("variants")
        if isinstance(node, source.Sequence):
            names = [item for item in node.items if isinstance(item, source.Scalar)]
            for i, item in enumerate(names):
                if item.text in [other.text for other in names[:i]]:
                    self._wrong("duplicate-variant", f"the variant `{item.text}` appears twice", item.span)
            return {item.text: {} for item in names}
        if isinstance(node, source.Mapping):
            return {name: source.plain(params) or {} for name, params in node}
        return {}

    def _parameters(self, block: source.Node) -> tuple[Parameter, ...]:
        assert isinstance(block, source.Mapping)
        args = block.get("args")
        parameters: list[Parameter] = []
        for item in args.items if isinstance(args, source.Sequence) else ():
            if isinstance(item, source.Mapping):
                ((key, default),) = item.entries.values()
            else:
                assert isinstance(item, source.Scalar)
                key, default = item, None
            if not key.text.isidentifier() or key.text == "channels":
                self._wrong("bad-name", f"`{key.text}` cannot be the name of an argument", key.span)
            if default is None and any(parameter.default is not None for parameter in parameters):
                message = f"the argument `{key.text}` has no default, and stands after one that has"
                self._wrong("bad-signature", message, key.span, "put the arguments without a default first")
            if key.text in [parameter.name for parameter in parameters]:
                self._wrong("duplicate-key", f"the argument `{key.text}` appears twice", key.span)
            parameters.append(Parameter(key.text, default, key.span))
        return tuple(parameters)

    def _layers(self, node: source.Node | None) -> tuple[Item, ...]:
        assert isinstance(node, source.Sequence)
        return tuple(self._items(node.items))

    def _items(self, nodes: tuple[source.Node, ...]) -> Iterator[Item]:
        for node in nodes:
            item = self._item(node)
            if item:
                yield item

    def _item(self, node: source.Node) -> Item | None:
        if isinstance(node, source.Scalar):
            return self._known(Item(node.text, node.span))
        assert isinstance(node, source.Mapping)
        heads = [(key, value) for word, (key, value) in node.entries.items() if word not in MODIFIERS]
        if len(heads) != 1:
            found = listed(f"`{key.text}`" for key, _ in heads)
            message = f"an item has one head, and this has {len(heads)}: {found}" if heads else "this item has no head"
            at = heads[1][0].span if heads else next(iter(node.entries.values()))[0].span
            self._wrong("one-head", message, at, "write each layer as an item of its own, after its own `-`")
            return None
        ((key, value),) = heads
        name, origin, repeat, first, when = (node.get(word) for word in ("name", "from", "repeat", "first", "when"))
        names = origin.items if isinstance(origin, source.Sequence) else (origin,) if origin else ()
        item = Item(
            key.text,
            key.span,
            None if isinstance(value, source.Scalar) and value.value is None else value,
            name.text if isinstance(name, source.Scalar) else None,
            tuple(each for each in names if isinstance(each, source.Scalar)),
            self._scalar("repeat", repeat),
            first if isinstance(first, source.Mapping) else None,
            self._scalar("when", when),
        )
        return self._known(item)

    def _scalar(self, word: str, node: source.Node | None) -> source.Scalar | None:
        if node is None or isinstance(node, source.Scalar):
            return node
        self._wrong("wrong-type", f"`{word}` must be a single value", node.span)
        return None

    def _known(self, item: Item) -> Item | None:
        """The item with its cells or branches, if its head exists and is called as it can be."""
        head, value = item.head, item.value
        if head == "row":
            return self._row(item)
        if head == "residual":
            assert isinstance(value, source.Mapping)
            branches = {part: self._layers(value.get(part)) for part in ("body", "project") if value.get(part)}
            return Item(**{**vars(item), "branches": branches})
        if is_expression(head):
            return item
        if head in self.parameters:
            self._call(item)
            return item
        if head in MERGES:
            branches = {}
            for key, node in value.entries.values() if isinstance(value, source.Mapping) else ():
                if isinstance(node, source.Sequence) and key.text not in _names_of_arguments(head):
                    branches[key.text] = self._layers(node)
            if branches and item.origin:
                message = f"`{head}` has both `from` and branches"
                self._wrong("one-input", message, item.span, "keep one of the two")
            if not branches and len(item.origin) < 2:
                self._wrong(
                    "one-input",
                    f"`{head}` has nothing to merge",
                    item.span,
                    f"write `{head}: {{left: [...], right: [...]}}`, or `from: [a, b]` with names of earlier layers",
                )
            if len(branches) == 1:
                self._wrong("one-input", f"`{head}` has a single branch", item.span, "a merge needs at least two")
            return Item(**{**vars(item), "branches": branches or None})
        if head not in OPS:
            known = [*OPS, *self.parameters, *STRUCTURES]
            remedy = did_you_mean(head, known) or "`archspec schema` and docs/language.md list the operators"
            self._wrong("unknown-operator", f"there is no operator or block `{head}`", item.span, remedy)
            return None
        if len(item.origin) > 1:
            remedy = f"merge them first, with one of: {listed(MERGES)}"
            self._wrong(
                "one-input", f"`{head}` reads one layer, and `from` gives it {len(item.origin)}", item.span, remedy
            )
        return item

    def _row(self, item: Item) -> Item | None:
        if not isinstance(item.value, source.Sequence):
            return None
        cells = item.value.items
        if len(cells) != len(self.variants):
            number = f"{len(cells)} cell{'s' * (len(cells) != 1)} for {len(self.variants)} variants"
            notes = (
                (f"the variants are {listed(self.variants)}",) if self.variants else ("this page has no `variants`",)
            )
            self._wrong("row", f"this row has {number}", item.span, "write `~` for an empty cell", notes)
            return None
        parsed = []
        for cell in cells:
            empty = isinstance(cell, source.Scalar) and cell.value is None
            parsed.append(None if empty else self._item(cell))
        return Item(**{**vars(item), "cells": tuple(parsed)})

    def _call(self, item: Item) -> None:
        """A call of a block: known arguments, and all that have no default."""
        parameters = self.parameters[item.head]
        names = [parameter.name for parameter in parameters]
        given: set[str] = set()
        for mapping in (item.value, item.first):
            if isinstance(mapping, source.Mapping):
                for key, _ in mapping.entries.values():
                    given.add(key.text)
                    if key.text not in names:
                        signature = (
                            f"its arguments are: {listed(names)}" if names else f"`{item.head}` takes no arguments"
                        )
                        message = f"the block `{item.head}` has no argument `{key.text}`"
                        self._wrong("unknown-argument", message, key.span, did_you_mean(key.text, names) or signature)
        if item.value is not None and not isinstance(item.value, source.Mapping):
            if not names:
                self._wrong("unknown-argument", f"the block `{item.head}` takes no arguments", item.value.span)
            else:
                given.add(names[0])
        for parameter in parameters:
            if parameter.default is None and parameter.name not in given:
                message = f"the block `{item.head}` needs the argument `{parameter.name}`"
                notes = (f"`{item.head}` is defined on line {self.block_nodes.entries[item.head][0].span.line}",)
                self._wrong("missing-argument", message, item.span, None, notes)

    def _expectations(self) -> None:
        expect = self.document.get("expect")
        for _, figures in expect if isinstance(expect, source.Mapping) else ():
            if isinstance(figures, source.Mapping) and "value" not in figures.entries:
                for key, _ in figures.entries.values():
                    if key.text not in self.variants:
                        code, message, remedy = self._no_variant(key.text)
                        self._wrong(code, message, key.span, remedy)

    def _no_variant(self, name: str) -> tuple[str, str, str]:
        known = f"the variants are: {listed(self.variants)}" if self.variants else "this page has no variants"
        return "unknown-variant", f"there is no variant `{name}`", did_you_mean(name, self.variants) or known


def _names_of_arguments(head: str) -> list[str]:
    from archspec.declare import arguments

    return [argument.name for argument in arguments(OPS[head])]
