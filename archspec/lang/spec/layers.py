"""Lists of layers -> LayerSpecs: checks operators, rows, branches and calls of blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from archspec.declare import arguments
from archspec.diagnostics import Diagnostic, Span, counted, did_you_mean, listed, nearest
from archspec.lang.document.nodes import MappingNode, Node, ScalarNode, SequenceNode, leftovers, plain
from archspec.lang.expressions import is_expression
from archspec.lang.schema.structures import MODIFIERS
from archspec.lang.spec.layer_spec import STRUCTURES, BlockSpec, BranchCopies, LayerSpec
from archspec.ops import OPS, is_merge, merges

Entry = tuple[ScalarNode, Node]
Report = Callable[[Diagnostic], None]

_FIELDS = {"from": "origin"}
NEEDS = {
    "row": ("cells", "row: [...]"),
    "residual": ("`body`", "residual: {body: [...]}"),
    "parts": ("parts", "parts: {a: 16, b: ~}"),
}
"""What a structure needs, and how it is written."""


class Layers:
    """Reads the lists of layers of one spec. Invalid layers are reported and left out.

    `columns` is the number of cells of a row: the number of variants as written, with duplicates.

    `explained` are the ids of nodes whose error is reported here, so the JSON Schema need not report it.
    """

    def __init__(self, variants: Iterable[str], columns: int, blocks: Mapping[str, BlockSpec], report: Report) -> None:
        self.variants, self.columns = list(variants), columns
        self.blocks = blocks
        self.report = report
        self.explained: set[int] = set()

    def read(self, node: Node | None) -> tuple[LayerSpec, ...]:
        """The layers of a list; none if the node is not a list, which the schema reports."""
        if not isinstance(node, SequenceNode):
            return ()
        items = [self.item(each) for each in node.items]
        return tuple(item for item in items if item)

    def item(self, node: Node, row: LayerSpec | None = None) -> LayerSpec | None:
        """One layer; a cell of a `row` also has the modifiers of the row."""
        if isinstance(node, ScalarNode):
            bare = LayerSpec(node.text, node.span)
            return self._known(_inherit(bare, row)) if isinstance(node.value, str) and self._complete(bare) else None
        if not isinstance(node, MappingNode) or not node.entries:
            return None
        heads = {word: entry for word, entry in node.entries.items() if word not in MODIFIERS}
        alone = [word for word in ("share", "from") if isinstance(node.get(word), ScalarNode)]
        if (
            not heads
            and alone
            and not node.entries.keys() & ({"first"} if alone[0] == "share" else {"repeat", "first"})
        ):
            heads[""] = (ScalarNode("", "", node.entries[alone[0]][1].span), ScalarNode(None, "", node.span))
        if len(heads) != 1:
            self.explained.add(id(node))
            self._not_one_head(node, heads)
            return None
        ((key, value),) = heads.values()
        words = ("name", "from", "repeat", "first", "when", "share")
        name, origin, repeat, first, when, share = (node.get(word) for word in words)
        names = origin.items if isinstance(origin, SequenceNode) else (origin,) if origin else ()
        item = LayerSpec(
            key.text,
            key.span,
            None if isinstance(value, ScalarNode) and value.value is None else value,
            name if isinstance(name, ScalarNode) else None,
            tuple(each for each in names if isinstance(each, ScalarNode)),
            repeat if isinstance(repeat, ScalarNode) else None,
            first if isinstance(first, MappingNode) else None,
            when if isinstance(when, ScalarNode) else None,
            share if isinstance(share, ScalarNode) else None,
        )
        for word in MODIFIERS if row else ():
            if word in node.entries and getattr(row, _FIELDS.get(word, word)):
                message = f"`{word}` is set both in this cell and on its row"
                self._wrong("row", message, node.entries[word][0].span, "keep one of them")
        return self._known(_inherit(item, row))

    def _wrong(self, code: str, message: str, span: Span, help: str | None = None, notes: tuple[str, ...] = ()) -> None:
        self.report(Diagnostic(code, message, span, notes, help))

    # ---- heads -----------------------------------------------------------------------------------------------------

    def _not_one_head(self, node: MappingNode, heads: Mapping[str, Entry]) -> None:
        if not heads:
            at = next(iter(node.entries.values()))[0].span
            if "share" in node.entries and not isinstance(node.entries["share"][1], ScalarNode):
                at = node.entries["share"][1].span
                self._wrong("wrong-type", "`share` must be the name of a layer", at, "write `share: conv1`")
                return
            if "share" in node.entries and "first" in node.entries:
                fact = "`first` gives arguments to an operator, but a layer with `share` alone has none"
                self._wrong("share", fact, node.entries["first"][0].span, "remove `first`")
                return
            self._wrong("one-head", "this layer has no operator", at, "add an operator such as `relu` or `conv: 64`")
            return
        known = [word for word in heads if word in OPS or word in self.blocks or word in STRUCTURES or word[:1] == "$"]
        if len(known) == 1:
            self._not_modifiers(known[0], heads)
            return
        found = listed(f"`{word}`" for word in heads)
        second = heads[(known if len(known) > 1 else list(heads))[1]][0].span
        from archspec.lang.schema.foreign import typed

        as_type = None if known else typed({word: plain(value) for word, (_, value) in heads.items()})
        help = as_type or "write each layer as its own list item, after its own `-`"
        self._wrong("one-head", f"a layer has one operator, but this one has {len(heads)}: {found}", second, help)

    def _not_modifiers(self, head: str, words: Mapping[str, Entry]) -> None:
        """Report keys next to the operator: arguments that belong inside it, or misspelt modifiers."""
        arguments_, inside = self._arguments(head), []
        for word, (key, value) in words.items():
            near = nearest(word, MODIFIERS)
            if word == head:
                continue
            if word in arguments_ or (not near and nearest(word, arguments_)):
                inside.append(key)
            else:
                from archspec.lang.schema.foreign import unknown_argument

                known = f"the keys of a layer are: {listed(MODIFIERS)}"
                near = did_you_mean(word, MODIFIERS) or unknown_argument(head, word, arguments_, plain(value))
                self._wrong("unknown-key", f"a layer has no key `{word}`", key.span, near or known)
        if inside:
            found = listed(f"`{key.text}`" for key in inside)
            are = "is an argument" if len(inside) == 1 else "are arguments"
            what = f"{found} {are} of `{head}` and must be written inside it"
            given = [f"{arguments_[0]}: {_text(words[head][1])}"] if _text(words[head][1]) else []
            given += [f"{nearest(key.text, arguments_)}: {_text(words[key.text][1]) or '...'}" for key in inside]
            self._wrong("unknown-key", what, inside[0].span, f"write `{head}: {{{', '.join(given)}}}`")

    def _arguments(self, head: str) -> list[str]:
        if head in self.blocks:
            return self.blocks[head].arguments
        if head == "residual":
            return ["body", "project", "shortcut"]
        return [argument.name for argument in arguments(OPS[head])] if head in OPS else []

    def _known(self, item: LayerSpec) -> LayerSpec | None:
        """The layer with its cells or branches, if its operator exists and is used correctly."""
        head = item.head
        if head == "row":
            return self._row(item)
        if head == "residual":
            return self._residual(item)
        if head == "parts":
            self._one_input(item)
            return item if isinstance(item.value, MappingNode) else None
        if is_expression(head) or head == "":
            return item
        if head in self.blocks:
            return self._call(item)
        if is_merge(head):
            return self._merge(item)
        if head not in OPS:
            help = self._instead(head, item.value)
            self._wrong("unknown-operator", f"there is no operator or block `{head}`", item.span, help)
            return None
        self._one_input(item)
        self._first(item, self._arguments(head))
        return item

    def _instead(self, head: str, value: Node | None) -> str:
        """The remedy for an operator that does not exist."""
        from archspec.lang.schema.foreign import unknown_operator

        before, colon, after = head.partition(":")
        if colon:
            return f"put a space after the colon: `{before}: {after}`"
        blocks = {name: block.arguments for name, block in self.blocks.items()}
        ours = unknown_operator(head, None if value is None else plain(value), blocks)
        near = ours or did_you_mean(head, [*OPS, *self.blocks, *STRUCTURES])
        return near or "`archspec schema` and docs/operators.md list the operators"

    def _complete(self, bare: LayerSpec) -> bool:
        """Whether an operator without a colon has no required arguments; the schema checks those with one."""
        if bare.head in STRUCTURES:
            needs, help = NEEDS[bare.head]
            self._wrong("missing-key", f"`{bare.head}` has no {needs}", bare.span, f"write `{help}`")
            return False
        for argument in arguments(OPS[bare.head]) if bare.head in OPS else ():
            if argument.required:
                from archspec.lang.schema.messages import needs as missing_argument

                code, message, remedy = missing_argument(OPS[bare.head], argument.name)
                self._wrong(code, message, bare.span, remedy)
                return False
        return True

    def _one_input(self, item: LayerSpec) -> None:
        most = OPS[item.head].most if len(item.origin) > 1 and item.head in OPS else 1
        if len(item.origin) > most:
            takes = "one input" if most == 1 else f"at most {most} inputs"
            message = f"`{item.head}` takes {takes}, but `from` lists {len(item.origin)}"
            self._wrong("one-input", message, item.origin[1].span, f"merge them first, with one of: {listed(merges())}")

    def _first(self, item: LayerSpec, known: list[str]) -> None:
        """Check that `first` holds arguments of the operator."""
        for key, _ in item.first.entries.values() if item.first else ():
            if key.text not in known:
                self._unknown_argument(f"`{item.head}`", key, known)

    def _unknown_argument(self, what: str, key: ScalarNode, known: list[str]) -> None:
        from archspec.lang.schema.foreign import unknown_argument

        head = what.rpartition(" ")[2].strip("`")
        help = (
            unknown_argument(head, key.text, known)
            or did_you_mean(key.text, known)
            or (f"its arguments are: {listed(known)}" if known else "remove it")
        )
        if not known and head in self.blocks:
            help = f"remove it, or declare it: `args: [{key.text}]`"
        fact = f"{what} has no argument `{key.text}`" if known else f"{what} takes no arguments"
        self._wrong("unknown-argument", fact, key.span, help)

    # ---- structures ------------------------------------------------------------------------------------------------

    def _row(self, item: LayerSpec) -> LayerSpec | None:
        if not isinstance(item.value, SequenceNode):
            return None
        cells = item.value.items
        if len(cells) != self.columns:
            number = f"{counted(len(cells), 'cell')} for {counted(self.columns, 'variant')}"
            if self.variants:
                help, notes = "write `~` for an empty cell", (f"the variants are {listed(self.variants)}",)
                self._wrong("row", f"this row has {number}", item.span, help, notes)
            else:
                help = "name the columns: `variants: [A, B]`"
                self._wrong("row", "this spec has a `row` but no `variants`", item.span, help)
            return None
        empty = [isinstance(cell, ScalarNode) and cell.value is None for cell in cells]
        parsed = [None if none else self.item(cell, item) for cell, none in zip(cells, empty, strict=True)]
        return item._replace(cells=tuple(parsed))

    def _residual(self, item: LayerSpec) -> LayerSpec | None:
        if not isinstance(item.value, MappingNode):
            return None
        self._one_input(item)
        self._first(item, [])
        parts = {part: item.value.get(part) for part in ("body", "project")}
        return item._replace(branches={part: self.read(node) for part, node in parts.items() if node is not None})

    def _merge(self, item: LayerSpec) -> LayerSpec:
        head, known = item.head, self._arguments(item.head)
        given = dict(item.value) if isinstance(item.value, MappingNode) else {}
        inside = next((word for word in given if word in MODIFIERS), None)
        if inside and isinstance(item.value, MappingNode):
            self.explained.add(id(item.value))
            message = f"`{inside}` must be written beside `{head}`, not inside it"
            names = plain(given[inside]) if inside == "from" else None
            help = f"write `{{{head}: ~, from: [{listed(names if isinstance(names, list) else ['a', 'b'])}]}}`"
            self._wrong("unknown-key", message, item.value.entries[inside][0].span, help)
            return item
        given = {word: node for word, node in given.items() if word not in known}
        copies = {word: _copies(node) for word, node in given.items() if isinstance(node, MappingNode)}
        inside_ = {word: node.get("layers") if isinstance(node, MappingNode) else node for word, node in given.items()}
        branches = {word: self.read(node) for word, node in inside_.items()}
        self._first(item, [*known, *branches])
        if branches and item.origin:
            self._wrong("one-input", f"`{head}` has both `from` and branches", item.span, "keep one of them")
        elif (len(branches) == 1 and not copies) or len(item.origin) == 1:
            what = "has a single input" if item.origin else "has a single branch"
            self._wrong("one-input", f"`{head}` {what}", item.span, "merge at least two layers")
        elif not branches and not item.origin and (item.value is None or isinstance(item.value, MappingNode)):
            help = f"write `{head}: {{left: [...], right: [...]}}`, or `from: [a, b]` with the names of earlier layers"
            self._wrong("one-input", f"`{head}` has no inputs", item.span, help)
        return item._replace(branches=branches, copies=copies)

    def _call(self, item: LayerSpec) -> LayerSpec:
        """Check a call of a block: the number of inputs, the names of arguments, and required arguments."""
        block = self.blocks[item.head]
        if block.inputs and item.origin and len(item.origin) != len(block.inputs):
            takes = counted(len(block.inputs), "input")
            message = f"`{item.head}` takes {takes}, but `from` lists {len(item.origin)}"
            self._wrong("one-input", message, item.origin[-1].span, f"its inputs are: {listed(block.inputs)}")
        elif not block.inputs:
            self._one_input(item)
        known = block.arguments
        given: set[str] = set()
        for mapping in (item.value, item.first):
            if isinstance(mapping, MappingNode):
                rest = leftovers(mapping)
                for key, _ in mapping.entries.values():
                    given.add(key.text)
                    if key.text not in known and key.text not in rest:
                        self._unknown_argument(f"the block `{item.head}`", key, known)
        if item.value is not None and not isinstance(item.value, MappingNode):
            if not known:
                fact = f"the block `{item.head}` takes no arguments"
                help = "remove the value, or declare an argument: `args: [NAME]`"
                self._wrong("unknown-argument", fact, item.value.span, help)
            given.update(known[:1])
        given |= {nearest(word, known) or "" for word in given if word not in known}  # misspelt: reported above
        for parameter in block.parameters:
            if parameter.default is None and parameter.name not in given:
                message = f"the block `{item.head}` needs the argument `{parameter.name}`"
                note = f"`{parameter.name}` is declared on line {parameter.span.line} without a default"
                self._wrong("missing-argument", message, item.span, None, (note,))
        return item


def _copies(node: MappingNode) -> BranchCopies:
    repeat, when = (node.get(word) for word in ("repeat", "when"))
    return BranchCopies(*(each if isinstance(each, ScalarNode) else None for each in (repeat, when)))


def _text(node: Node) -> str:
    """The text of a scalar; empty for other values."""
    return node.text if isinstance(node, ScalarNode) else ""


def _inherit(cell: LayerSpec, row: LayerSpec | None) -> LayerSpec:
    """A cell with the modifiers of its row."""
    if row is None:
        return cell
    words = ("name", "origin", "repeat", "first", "when", "share")
    return cell._replace(**{word: getattr(cell, word) or getattr(row, word) for word in words})
