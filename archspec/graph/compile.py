"""Spec -> Graph: expand blocks, repeats, rows and branches, and infer every shape on the way.

A copy of a repeated block that reads the same shape as the copy before it is the same nodes under another
path, so it is copied and not expanded again: ResNet-1202 compiles in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from archspec.declare import arguments, freeze
from archspec.diagnostics import ArchspecError, Diagnostic, Span, did_you_mean, fail, listed
from archspec.graph.ir import INPUT, Facts, Graph, Node
from archspec.lang import source
from archspec.lang.expr import ExpressionError, evaluate, is_expression
from archspec.lang.schema import SHORTCUTS
from archspec.lang.spec import Block, Item, Spec
from archspec.lang.validate import check_value
from archspec.ops import OPS, Op, OpError
from archspec.ops.base import Shape, show

MAX_LAYERS = 100_000
MAX_PARAMS = 10**12
MAX_NESTING = 80
MAX_STEPS = 1_000_000  # items looked at, layers or not: bounds pages that expand to nothing, slowly

Names = dict[str, Any]


def compile_spec(spec: Spec, variant: str | None = None, settings: Mapping[str, Any] | None = None) -> Graph:
    """The static graph of a variant, with `settings` (`--set`) over the page's params.

    Raises ArchspecError for what only expansion can see: shapes, expressions, references, sizes.
    """
    params = parameters(spec, variant, settings or {})
    name = f"{spec.name}-{variant}" if variant else spec.name
    return _Compiler(spec, variant, params).graph(name)


def parameters(spec: Spec, variant: str | None, settings: Mapping[str, Any]) -> Names:
    """The values of all params: the page's, over them the variant's, over them the settings.

    Raises ArchspecError: unknown-variant, variant-needed, unknown-parameter.
    """
    if variant is None and spec.variants:
        raise fail(
            "variant-needed",
            f"`{spec.name}` has several variants",
            notes=[f"they are: {listed(spec.variants)}"],
            help=f"name one: `{spec.name}:{next(iter(spec.variants))}`",
        )
    if variant is not None and variant not in spec.variants:
        known = f"the variants are: {listed(spec.variants)}" if spec.variants else "this page has no variants"
        near = did_you_mean(variant, spec.variants)
        raise fail(
            "unknown-variant",
            f"`{spec.name}` has no variant `{variant}`",
            notes=[known] if near else [],
            help=near or known,
        )
    of_variants = [name for values in spec.variants.values() for name in values]
    known = [*dict.fromkeys([*spec.params, *of_variants, "input"])]
    for name in settings:
        if name not in known:
            raise fail(
                "unknown-parameter",
                f"`{spec.name}` has no parameter `{name}`",
                help=did_you_mean(name, known) or f"its parameters are: {listed(known)}",
            )
    given = {**spec.params, **(spec.variants[variant] if variant else {}), **settings}
    given.pop("input", None)
    names: Names = {}
    for name, value in given.items():
        try:
            names[name] = evaluate(value, {**given, **names}) if is_expression(value) else value
        except ExpressionError as error:
            raise fail(error.code, f"parameter `{name}`: {error.message}", help=error.help) from None
    if "input" in settings:
        names["input"] = settings["input"]
    return names


@dataclass
class _Scope:
    """A prefix of paths, and how often each name was used under it."""

    prefix: str
    taken: dict[str, int] = field(default_factory=dict)

    def claim(self, word: str) -> str:
        """A new path under the prefix: `conv`, then `conv_2`, `conv_3`."""
        while True:
            count = self.taken[word] = self.taken.get(word, 0) + 1
            unique = word if count == 1 else f"{word}_{count}"
            if count == 1 or unique not in self.taken:
                self.taken.setdefault(unique, 1)
                return f"{self.prefix}{unique}"


@dataclass(frozen=True)
class _Copied:
    """One copy of a repeated item: what it read, where its nodes and names start, what it returned."""

    path: str
    entering: int
    start: int
    registered: int
    output: int


class _Compiler:
    def __init__(self, spec: Spec, variant: str | None, params: Names) -> None:
        self.spec = spec
        self.params = {name: value for name, value in params.items() if name != "input"}
        self.given_input = params.get("input")
        self.column = list(spec.variants).index(variant) if variant else 0
        self.nodes: list[Node] = []
        self.outputs: dict[str, int] = {}
        self.names: list[str] = []  # the keys of outputs in the order of their registration
        self.reads: list[int] = []
        self.calls: list[tuple[str, Span]] = []
        self.nesting = self.steps = self.total_params = 0
        self.ops: dict[Any, Op] = {}
        self.facts: dict[Any, Facts] = {}

    def graph(self, name: str) -> Graph:
        shape = self._input()
        span = self.spec.input.span
        self.nodes.append(Node("input", INPUT, (), Facts(shape, (), 0, 0, 0), span))
        self._register("input", 0)
        last = self._layers(self.spec.layers, 0, self.params, _Scope(""), top=True)
        if len(self.nodes) == 1:
            layers = self.spec.document.entries["layers"][0]
            raise fail("empty-network", "this network has no layers", layers.span)
        outputs, weights = self._outputs(last)
        self._refuse_unused(outputs)
        return Graph(name, tuple(self.nodes), outputs, weights)

    def _input(self) -> Shape:
        span = self.spec.input.span
        given = self.given_input
        sizes = given if given is not None else [self._value(item, self.params) for item in self.spec.input.items]
        fine = isinstance(sizes, (list, tuple)) and 1 <= len(sizes) <= 4
        for size in sizes if fine else ():
            fine &= size is None or (isinstance(size, int) and not isinstance(size, bool) and size > 0)
        if not fine:
            remedy = "write [height, width, channels], [length, channels] or [features]; ~ is a free size"
            raise fail("input", "`input` must be a list of 1 to 4 positive integers", span, help=remedy)
        return tuple(sizes)

    # ---- lists and items ---------------------------------------------------------------------------------------

    def _layers(self, items: tuple[Item, ...], x: int, names: Names, scope: _Scope, *, top: bool = False) -> int:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self._error("too-deep", f"this page nests more than {MAX_NESTING} lists of layers", items[0].span)
        for item in items:
            x = self._item(item, x, self._with_channels(names, x) if top else names, scope)
        self.nesting -= 1
        return x

    def _item(self, item: Item, x: int, names: Names, scope: _Scope) -> int:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise self._error("too-many-layers", f"this page expands to more than {MAX_STEPS:,} items", item.span)
        if item.when is not None and not self._scalar(item.when, names):
            return x
        if item.head == "row":
            return self._row(item, x, names, scope)
        sources = tuple(self._resolve(name, scope) for name in item.origin)
        if len(sources) == 1:
            (x,) = sources
        if is_expression(item.head):
            item = self._chosen(item, names)
        if item.repeat is not None:
            return self._repeat(item, x, sources, names, scope)
        if item.head == "residual" and not item.name:
            return self._residual(item, x, names, scope)
        path = scope.claim(item.name or item.head)
        x = self._copy(item, x, sources, names, scope, path, first=True)
        self._register(path, x)
        return x

    def _row(self, item: Item, x: int, names: Names, scope: _Scope) -> int:
        cell = item.cells[self.column]
        if cell is None:
            return x
        inherited = {
            word: getattr(cell, word) or getattr(item, word) for word in ("name", "origin", "repeat", "first", "when")
        }
        return self._item(replace(cell, **{**inherited, "when": cell.when}), x, names, scope)

    def _chosen(self, item: Item, names: Names) -> Item:
        """The item with the head that its expression chooses: `$unit: 64`."""
        head = self._expression(item.head, item.span, names)
        if not isinstance(head, str) or (head not in OPS and head not in self.spec.blocks):
            known = [*OPS, *self.spec.blocks]
            raise self._error(
                "unknown-operator",
                f"there is no operator or block `{head}`, the value of `{item.head}`",
                item.span,
                help=did_you_mean(str(head), known) or f"the blocks are: {listed(self.spec.blocks)}",
            )
        if OPS.get(head, Op).many and not item.origin:
            raise self._error("one-input", f"`{head}` has nothing to merge", item.span, help="write `from: [a, b]`")
        return replace(item, head=head)

    def _repeat(self, item: Item, x: int, sources: tuple[int, ...], names: Names, scope: _Scope) -> int:
        assert item.repeat is not None
        count = self._scalar(item.repeat, names)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            message = f"`repeat` must be a whole number, 0 or more, and is `{count}`"
            raise self._error("wrong-value", message, item.repeat.span)
        base = scope.claim(item.name or item.head)
        last: _Copied | None = None  # the copy before, if the next one can be a clone of it
        for number in range(1, count + 1):
            path, entering = f"{base}/{number}", x
            start, registered, reads = len(self.nodes), len(self.names), len(self.reads)
            if last and self.nodes[x].shape == self.nodes[last.entering].shape:
                if start == last.start:  # the copy before had no layers, and so has every other
                    break
                self._check_count(start + (count - number + 1) * (start - last.start), item.span)
                x = self._clone(last, path, x)
            else:
                x = self._copy(item, x, sources, names, scope, path, first=number == 1)
                self._register(path, x)
            same_as_next = number > 1 or item.first is None
            reads_outside = len(sources) > 1 or any(index < start for index in self.reads[reads:])
            last = _Copied(path, entering, start, registered, x) if same_as_next and not reads_outside else None
        if count:
            self._register(base, x)
        return x

    def _clone(self, last: _Copied, path: str, x: int) -> int:
        """The nodes of the last copy once more, under a new path and reading `x`. Returns the new output."""
        stop = len(self.nodes)
        shift, cut = stop - last.start, len(last.path)
        for name, op, inputs, facts, span in self.nodes[last.start : stop]:
            moved = tuple([i + shift if i >= last.start else x for i in inputs])
            self.nodes.append(Node(path + name[cut:], op, moved, facts, span))
            self._count_params(facts, span)
        for name in self.names[last.registered : len(self.names)]:
            index = self.outputs[name]
            self._register(path + name[cut:], index + shift if index >= last.start else x)
        return last.output + shift if last.output >= last.start else x

    def _register(self, path: str, index: int) -> None:
        """Let `from` find the output of a path."""
        if path not in self.outputs:
            self.names.append(path)
        self.outputs[path] = index

    # ---- one copy of an item -----------------------------------------------------------------------------------

    def _copy(
        self, item: Item, x: int, sources: tuple[int, ...], names: Names, scope: _Scope, path: str, *, first: bool
    ) -> int:
        if item.head == "residual":
            return self._residual(item, x, names, _Scope(f"{path}/"))
        given = self._given(item, first)
        if item.head in self.spec.blocks:
            # a name stands before that of the block: conv3_x/2/bottleneck
            inside = f"{path}/{item.head}" if item.name else path
            return self._block(self.spec.blocks[item.head], item, given, x, names, _Scope(f"{inside}/"))
        if item.branches:
            sources = tuple(
                self._layers(layers, x, names, _Scope(f"{path}/{branch}/")) for branch, layers in item.branches.items()
            )
            given = {word: node for word, node in given.items() if word not in item.branches}
        return self._op(item.head, given, sources if len(sources) > 1 else (x,), names, path, item.span)

    def _given(self, item: Item, first: bool) -> dict[str, source.Node]:
        """The arguments of a call: a bare value is the first one; `first` adds to those of the first copy."""
        given: dict[str, source.Node] = {}
        if isinstance(item.value, source.Mapping):
            given = dict(item.value)
        elif item.value is not None:
            block = self.spec.blocks.get(item.head)
            known = [p.name for p in block.parameters] if block else [a.name for a in arguments(OPS[item.head])]
            if not known:
                raise self._error("unknown-argument", f"`{item.head}` takes no arguments", item.value.span)
            given = {known[0]: item.value}
        return {**given, **dict(item.first)} if first and item.first else given

    def _block(
        self, block: Block, item: Item, given: dict[str, source.Node], x: int, names: Names, scope: _Scope
    ) -> int:
        if block.name in [name for name, _ in self.calls]:
            cycle = " -> ".join([*[name for name, _ in self.calls], block.name])
            raise self._error("block-cycle", f"the block `{block.name}` contains itself: {cycle}", item.span)
        known = [parameter.name for parameter in block.parameters]
        for word, node in given.items():
            if word not in known:
                message = f"the block `{block.name}` has no argument `{word}`"
                remedy = did_you_mean(word, known) or f"its arguments are: {listed(known)}"
                raise self._error("unknown-argument", message, node.span, help=remedy)
        values = {word: self._value(node, names) for word, node in given.items()}
        inner = self._with_channels(self.params, x)
        self.calls.append((block.name, item.span))
        for parameter in block.parameters:
            if parameter.name in values:
                inner[parameter.name] = values[parameter.name]
            elif parameter.default is not None:
                inner[parameter.name] = self._value(parameter.default, inner)
            else:
                message = f"the block `{block.name}` needs the argument `{parameter.name}`"
                raise self._error("missing-argument", message, item.span)
        x = self._layers(block.layers, x, inner, scope)
        self.calls.pop()
        return x

    def _residual(self, item: Item, x: int, names: Names, scope: _Scope) -> int:
        """body + shortcut (He et al. 2016, section 3.3); options A, B and C are `pad`, `project`, `project_all`."""
        assert isinstance(item.value, source.Mapping)
        assert item.branches is not None
        project = item.branches.get("project")
        node = item.value.get("shortcut")
        kind = self._value(node, names) if node else "project" if project is not None else "identity"
        at = node.span if node else item.span
        if kind not in SHORTCUTS:
            remedy = did_you_mean(str(kind), SHORTCUTS) or f"it is one of: {listed(SHORTCUTS)}"
            raise self._error("wrong-value", f"`shortcut` cannot be `{kind}`", at, help=remedy)
        body = self._layers(item.branches["body"], x, names, scope)
        same = self.nodes[x].shape == self.nodes[body].shape
        if kind == "none" or (kind == "if_same_shape" and not same):
            return body
        if kind == "project_all" or (kind == "project" and not same):
            if project is None:
                remedy = "add `project:` with the layers of the shortcut"
                raise self._error("missing-key", f"`shortcut: {kind}` needs `project`", at, help=remedy)
            x = self._layers(project, x, names, _Scope(f"{scope.claim('project')}/"))
        elif kind == "pad" and not same:
            x = self._pad(x, body, _Scope(f"{scope.claim('shortcut')}/"), item.span)
        return self._op("add", {}, (x, body), names, scope.claim("add"), item.span)

    def _pad(self, x: int, body: int, scope: _Scope, span: Span) -> int:
        """Option A: every second pixel, and zeros for the channels that are new (He et al. 2016, section 4.2)."""
        shape, wanted = self.nodes[x].shape, self.nodes[body].shape
        strides = []
        for size, smaller in zip(shape[:-1], wanted[:-1], strict=False):
            strides.append(1 if size is None or smaller is None else max(1, -(-size // smaller)))
        if max(strides, default=1) > 1:
            x = self._add("maxpool", {"pool_size": 1, "strides": tuple(strides)}, (x,), scope.claim("subsample"), span)
        if (wanted[-1] or 0) > (shape[-1] or 0):
            x = self._add("pad_channels", {"channels": wanted[-1]}, (x,), scope.claim("pad_channels"), span)
        return x

    # ---- operators ---------------------------------------------------------------------------------------------

    def _op(
        self, head: str, given: dict[str, source.Node], inputs: tuple[int, ...], names: Names, path: str, span: Span
    ) -> int:
        known = [argument.name for argument in arguments_of(head)]
        for word, node in given.items():
            if word not in known:
                remedy = did_you_mean(word, known) or f"its arguments are: {listed(known)}"
                raise self._error("unknown-argument", f"`{head}` has no argument `{word}`", node.span, help=remedy)
        values = {word: freeze(self._value(node, names)) for word, node in given.items()}
        return self._add(head, values, inputs, path, span, given)

    def _add(
        self,
        head: str,
        values: dict[str, Any],
        inputs: tuple[int, ...],
        path: str,
        span: Span,
        given: Mapping[str, source.Node] | None = None,
    ) -> int:
        places = {word: node.span for word, node in (given or {}).items()}
        op = self._made(head, values, span, places)
        shapes = tuple(self.nodes[i].shape for i in inputs)
        key = (id(op), shapes)
        facts = self.facts.get(key)
        if facts is None:
            try:
                facts = self.facts[key] = _infer(op, shapes)
            except OpError as error:
                notes = [
                    f"the input here is {show(self.nodes[i].shape)}, from `{self.nodes[i].path}`"
                    f" (line {self.nodes[i].span.line})"
                    for i in inputs
                ]
                at = places.get(error.arg or "", span)
                raise self._error("shape", error.message, at, notes=notes, help=error.help) from None
        self._check_count(len(self.nodes), span)
        self._count_params(facts, span)
        self.nodes.append(Node(path, op, inputs, facts, span))
        self._register(path, len(self.nodes) - 1)
        return len(self.nodes) - 1

    def _made(self, head: str, values: dict[str, Any], span: Span, places: Mapping[str, Span]) -> Op:
        key = (head, *values.items())
        op = self.ops.get(key)
        if op is None:
            for argument in arguments_of(head):
                if argument.name in values:
                    wrong = check_value(head, argument.name, values[argument.name])
                    if wrong:
                        at = places.get(argument.name, span)
                        raise self._error("wrong-value", f"`{head}`: {wrong[0]}", at, help=wrong[1])
                elif argument.required:
                    message = f"`{head}` needs the argument `{argument.name}`"
                    raise self._error("missing-argument", message, span, help=f"{argument.name}: {argument.doc}")
            op = self.ops[key] = OPS[head].make({word: _integral(value) for word, value in values.items()})
        return op

    def _check_count(self, count: int, span: Span) -> None:
        if count > MAX_LAYERS:
            message = f"this page expands to more than {MAX_LAYERS:,} layers"
            raise self._error("too-many-layers", message, span, help="is a `repeat` larger than you meant?")

    def _count_params(self, facts: Facts, span: Span) -> None:
        self.total_params += facts.params
        if self.total_params >= MAX_PARAMS:
            message = f"this network has {self.total_params:.3g} parameters or more, beyond the limit of 10^12"
            raise self._error("too-many-parameters", message, span, help="is a size larger than you meant?")

    # ---- values and names --------------------------------------------------------------------------------------

    def _value(self, node: source.Node, names: Names) -> Any:
        if isinstance(node, source.Scalar):
            return self._scalar(node, names)
        if isinstance(node, source.Sequence):
            return [self._value(item, names) for item in node.items]
        return {key: self._value(value, names) for key, value in node}

    def _scalar(self, node: source.Scalar, names: Names) -> Any:
        return self._expression(node.value, node.span, names) if is_expression(node.value) else node.value

    def _expression(self, text: str, span: Span, names: Names) -> Any:
        try:
            return evaluate(text, names)
        except ExpressionError as error:
            raise self._error(error.code, error.message, span, help=error.help) from None

    def _with_channels(self, names: Names, x: int) -> Names:
        shape = self.nodes[x].shape
        return {**names, "channels": shape[-1]}

    def _resolve(self, name: source.Scalar, scope: _Scope) -> int:
        """The output of an earlier layer: looked up in this block, then in the one around it, up to the page."""
        prefix = scope.prefix
        while True:
            index = self.outputs.get(prefix + name.text)
            if index is not None:
                self.reads.append(index)
                return index
            if not prefix:
                break
            prefix = prefix[:-1].rpartition("/")[0]
            prefix += "/" if prefix else ""
        later = _line_of_name(self.spec.layers, name.text)
        if later and later > name.span.line:
            message, remedy = f"`{name.text}` comes later, on line {later}", "`from` reads earlier layers only"
        else:
            message = f"there is no earlier layer `{name.text}`"
            near = [path.removeprefix(scope.prefix) for path in self.outputs]
            remedy = did_you_mean(name.text, near) or "give the layer that you mean a `name`"
        raise self._error("unknown-layer", message, name.span, help=remedy)

    def _outputs(self, last: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
        declared = self.spec.outputs()
        if declared is None:
            return (last,), (1.0,)
        indices = []
        for name, (_, span) in declared.items():
            if name not in self.outputs:
                near = did_you_mean(name, self.outputs)
                raise self._error("unknown-layer", f"there is no layer `{name}`", span, help=near)
            indices.append(self.outputs[name])
        return tuple(indices), tuple(weight for weight, _ in declared.values())

    def _refuse_unused(self, outputs: tuple[int, ...]) -> None:
        read = {i for node in self.nodes for i in node.inputs} | set(outputs)
        for index, node in enumerate(self.nodes):
            if index not in read:
                what = "the input of the network" if index == 0 else f"the output of `{node.path}`"
                raise self._error(
                    "unused-layer",
                    f"nothing reads {what}",
                    node.span,
                    help="read it with `from:`, list it under `outputs`, or remove it",
                )

    def _error(
        self, code: str, message: str, span: Span, *, notes: list[str] | None = None, help: str | None = None
    ) -> ArchspecError:
        """The error with the block calls that we are inside of, innermost first."""
        inside = [f"in block `{name}`, used on line {at.line}" for name, at in reversed(self.calls)]
        return ArchspecError(Diagnostic(code, message, span, (*(notes or ()), *inside), help))


def _infer(op: Op, shapes: tuple[Shape, ...]) -> Facts:
    shape = op.shape(*shapes)
    weights = op.weights(*shapes)
    params = sum(weight.size for weight in weights)
    trainable = sum(weight.size for weight in weights if weight.trainable)
    return Facts(shape, weights, op.macs(*shapes), params, trainable)


def _integral(value: Any) -> Any:
    """12.0 -> 12: JSON Schema takes it for an integer, Keras does not."""
    if isinstance(value, tuple):
        return tuple(map(_integral, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


_ARGUMENTS: dict[str, Any] = {}


def arguments_of(head: str) -> Any:
    """The arguments of an operator, remembered: they are asked for at every layer."""
    if head not in _ARGUMENTS:
        _ARGUMENTS[head] = arguments(OPS[head])
    return _ARGUMENTS[head]


def _line_of_name(items: tuple[Item, ...], name: str) -> int | None:
    for item in items:
        if item.name == name:
            return item.span.line
        for inner in [*(item.branches or {}).values(), tuple(cell for cell in item.cells if cell)]:
            line = _line_of_name(inner, name)
            if line:
                return line
    return None
