"""Document -> Spec: layers, blocks and variants, with every name resolved.

Rules that JSON Schema cannot express are checked here and in layers.py and names.py. All errors are reported together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from archspec.diagnostics import ArchspecError, Diagnostic, Source, Span, did_you_mean, listed, merged
from archspec.lang.declarations import VARIANT
from archspec.lang.document.nodes import MappingNode, Node, ScalarNode, SequenceNode, plain
from archspec.lang.document.yaml_parser import parse_document
from archspec.lang.schema.messages import NAMES, UNKNOWN
from archspec.lang.schema.spec_schema import FIGURE_KEYS
from archspec.lang.schema.structures import MODIFIERS
from archspec.lang.schema.validate import validate
from archspec.lang.schema.validator import MAX_MISTAKES
from archspec.lang.spec.layer_spec import STRUCTURES, BlockArgument, BlockSpec, LayerSpec, OutputSpec
from archspec.lang.spec.layers import Layers
from archspec.lang.spec.names import RESERVED, check_names
from archspec.ops import OPS
from archspec.plugins import load_all_plugins


@dataclass(frozen=True)
class Spec:
    """A well-formed spec. `variants` is empty for a spec without variants."""

    document: MappingNode = field(repr=False)
    name: str
    params: dict[str, Any]
    variants: dict[str, dict[str, Any]]
    blocks: dict[str, BlockSpec]
    layers: tuple[LayerSpec, ...]

    @property
    def inputs(self) -> dict[str, tuple[SequenceNode, Span]]:
        """Name -> sizes of one sample, as written, and place, for each input; `input` for an only one."""
        named = self.document.get("inputs")
        if isinstance(named, MappingNode):
            found = {name: (node, key.span) for name, (key, node) in named.entries.items()}
        else:
            node = self.document.get("input")
            found = {"input": (node, node.span)} if node else {}
        return {name: (node, span) for name, (node, span) in found.items() if isinstance(node, SequenceNode)}

    @property
    def default(self) -> str | None:
        """The variant that a reference without a variant means."""
        node = self.document.get("default")
        return node.text if isinstance(node, ScalarNode) else None

    @property
    def text(self) -> str:
        return self.document.span.source.text

    @property
    def title(self) -> str:
        """The publication in one line: `source:`, or else the comment at the top."""
        given = self.document.get("source")
        if isinstance(given, ScalarNode):
            return given.text
        if isinstance(given, MappingNode):
            return listed(plain(value) for _, value in given)
        comments = (line[1:].strip() for line in self.text.splitlines() if line.startswith("# "))
        return next((line for line in comments if not line.startswith("yaml-language-server")), "")

    def outputs(self) -> list[OutputSpec] | None:
        """The outputs, or None for the last layer alone."""
        node = self.document.get("outputs")
        if isinstance(node, SequenceNode):
            return [OutputSpec("", item.text, 1.0, item.span) for item in node.items if isinstance(item, ScalarNode)]
        if isinstance(node, MappingNode):
            return [_output(key, value) for key, value in node.entries.values()]
        return None

    def given(self, name: str, variant: str | None) -> Span | None:
        """The place of the value of a parameter: in the variant, or else under `params`."""
        variants = self.document.get("variants")
        of_variant = variants.get(variant) if variant and isinstance(variants, MappingNode) else None
        for node in (of_variant, self.document.get("params")):
            if isinstance(node, MappingNode) and name in node.entries:
                return node.entries[name][1].span
        return None


def _output(key: ScalarNode, value: Node) -> OutputSpec:
    """`main: 1`, a layer with the weight of its loss; `mask: decoder` or `mask: {from: decoder, weight: 0.5}`."""
    if isinstance(value, MappingNode):
        layer, weight = value.get("from"), value.get("weight")
        assert isinstance(layer, ScalarNode)  # checked by the schema
        return OutputSpec(key.text, layer.text, float(plain(weight)) if weight else 1.0, layer.span)
    if isinstance(plain(value), str):
        return OutputSpec(key.text, plain(value), 1.0, value.span)
    return OutputSpec("", key.text, float(plain(value)), key.span)


def parse(text: Source) -> Spec:
    """Parse a spec. Raises ArchspecError with every error that can be found without expanding it."""
    return parse_node(parse_document(text))


def parse_node(document: MappingNode) -> Spec:
    """The spec of a document, or of a mapping inside another one. Raises ArchspecError as `parse`."""
    try:
        return _Parser(document).spec()
    except ArchspecError as error:
        if all(diagnostic.code not in UNKNOWN.values() for diagnostic in error.diagnostics):
            raise
        known = len(OPS)
        load_all_plugins()
        if len(OPS) == known:
            raise
    return _Parser(document).spec()


class _Parser:
    def __init__(self, document: MappingNode) -> None:
        self.document = document
        self.diagnostics: list[Diagnostic] = []

    def spec(self) -> Spec:
        variants = self._variants()
        blocks = self._mapping("blocks")
        declared = {
            name: BlockSpec(name, key.span, self._parameters(node), self._inputs(node), self._outputs(node))
            for name, (key, node) in blocks.entries.items()
        }
        columns = self.document.get("variants")
        number = len(columns.items) if isinstance(columns, SequenceNode) else len(variants)
        layers = Layers(variants, number, declared, self._report)
        made = {}
        for name, node in blocks:
            inner = layers.read(node.get("layers")) if isinstance(node, MappingNode) else ()
            made[name] = declared[name]._replace(layers=inner)
            self._inputs_are_free(made[name])
        self._names_taken(blocks)
        if {"input", "inputs"} <= self.document.entries.keys():
            at = self.document.entries["inputs"][0].span
            self._wrong("duplicate-key", "this spec has both `input` and `inputs`", at, "keep one of them")
        items = layers.read(self.document.get("layers"))
        self._variants_exist(list(variants))
        self._distinct(self.document.get("outputs"), "output")
        for diagnostic in validate(self.document, layers.explained):
            self._report(diagnostic)
        title, params = self.document.get("name"), self._mapping("params")
        for diagnostic in check_names(self.document, made):
            self._report(diagnostic)
        if self.diagnostics:
            raise ArchspecError(*merged(self.diagnostics))
        assert isinstance(title, ScalarNode)
        return Spec(self.document, title.text, plain(params), variants, made, items)

    def _mapping(self, key: str) -> MappingNode:
        """The mapping under a key; empty if there is none."""
        node = self.document.get(key)
        return node if isinstance(node, MappingNode) else MappingNode({}, self.document.span)

    def _wrong(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        self._report(Diagnostic(code, message, span, (), help))

    def _report(self, diagnostic: Diagnostic) -> None:
        self.diagnostics.append(diagnostic)
        if len(self.diagnostics) == MAX_MISTAKES:
            *others, last = merged(self.diagnostics)
            raise ArchspecError(*others, last.with_notes(f"only the first {MAX_MISTAKES} errors are shown"))

    def _variants(self) -> dict[str, dict[str, Any]]:
        node = self.document.get("variants")
        variants: dict[str, dict[str, Any]] = {}
        names = self._distinct(node, "variant")
        if isinstance(node, SequenceNode):
            variants = {key.text: {} for key in names}
        elif isinstance(node, MappingNode):
            names = [key for key, _ in node.entries.values()]
            variants = {key: plain(params) or {} for key, params in node}
        for key in names:
            if not re.fullmatch(VARIANT, key.text):
                self._wrong("bad-name", f"`{key.text}` is not a valid name for a variant", key.span, NAMES[VARIANT])
        return variants

    def _parameters(self, block: Node) -> tuple[BlockArgument, ...]:
        args = block.get("args") if isinstance(block, MappingNode) else None
        parameters: dict[str, BlockArgument] = {}
        optional = False
        if isinstance(args, MappingNode):  # an error of the schema; the names are known all the same
            return tuple(BlockArgument(key.text, default, key.span) for key, default in args.entries.values())
        for item in args.items if isinstance(args, SequenceNode) else ():
            if isinstance(item, MappingNode) and len(item.entries) == 1:
                ((key, default),) = item.entries.values()
            elif isinstance(item, ScalarNode):
                key, default = item, None
            else:
                continue
            optional |= default is not None
            if default is None and optional:
                message = f"the argument `{key.text}` has no default but follows one that has a default"
                self._wrong("bad-signature", message, key.span, "put the arguments without a default first")
            if key.text in RESERVED and key.text != "input":
                message = f"`{key.text}` cannot be an argument: the name is reserved for {RESERVED[key.text]}"
                self._wrong("name-taken", message, key.span, "choose another name")
            if key.text in parameters:
                self._wrong("duplicate-key", f"the argument `{key.text}` appears twice", key.span, "remove one")
            parameters[key.text] = BlockArgument(key.text, default, key.span)
        return tuple(parameters.values())

    def _inputs(self, block: Node) -> tuple[str, ...]:
        node = block.get("inputs") if isinstance(block, MappingNode) else None
        return tuple(each.text for each in self._distinct(node, "input"))

    def _outputs(self, block: Node) -> tuple[ScalarNode, ...]:
        return tuple(self._distinct(block.get("outputs") if isinstance(block, MappingNode) else None, "output"))

    def _names_taken(self, blocks: MappingNode) -> None:
        for key, _ in blocks.entries.values():
            if key.text in OPS or key.text in STRUCTURES or key.text in MODIFIERS:
                what = "an operator" if key.text in OPS else "a keyword"
                message = f"a block cannot be named `{key.text}`: that is {what}"
                self._wrong("name-taken", message, key.span, "choose another name")

    def _inputs_are_free(self, block: BlockSpec) -> None:
        for item in block.layers:
            if item.name and item.name.text in block.inputs:
                message = f"a layer cannot be named `{item.name.text}`: that is an input of the block `{block.name}`"
                self._wrong("name-taken", message, item.name.span, "choose another name")

    def _variants_exist(self, variants: list[str]) -> None:
        """Check that `default`, `expect` and `published` name variants of the spec."""
        default = self.document.get("default")
        named = [default] if isinstance(default, ScalarNode) else []
        for _, figures in self._mapping("expect"):
            if isinstance(figures, MappingNode) and not figures.entries.keys() & set(FIGURE_KEYS):
                named += [key for key, _ in figures.entries.values()]
        named += self._published_variants()
        known = f"the variants are: {listed(variants)}" if variants else "this spec has no variants"
        for name in named:
            if name.text not in variants:
                help = did_you_mean(name.text, variants) or known
                self._wrong("unknown-variant", f"there is no variant `{name.text}`", name.span, help)

    def _published_variants(self) -> list[ScalarNode]:
        """The variants that `published` names; an entry without an error rate is reported."""
        entries = self.document.get("published")
        found: list[ScalarNode] = []
        for entry in entries.items if isinstance(entries, SequenceNode) else ():
            if isinstance(entry, MappingNode) and not entry.entries.keys() & {"top1_error", "top5_error"}:
                message = "this entry of `published` has no error rate"
                self._wrong("missing-key", message, entry.span, "add `top1_error` or `top5_error`, in percent")
            for word in ("top1_error", "top5_error"):
                rates = entry.get(word) if isinstance(entry, MappingNode) else None
                if isinstance(rates, MappingNode):
                    found += [key for key, _ in rates.entries.values()]
        return found

    def _distinct(self, node: Node | None, what: str) -> list[ScalarNode]:
        """The scalars of a list, each text once; one that appears twice is reported."""
        found: dict[str, ScalarNode] = {}
        for item in node.items if isinstance(node, SequenceNode) else ():
            if isinstance(item, ScalarNode):
                if item.text in found:
                    self._wrong("duplicate-key", f"the {what} `{item.text}` appears twice", item.span, "remove one")
                found.setdefault(item.text, item)
        return list(found.values())
