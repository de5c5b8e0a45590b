"""Spec -> Graph: expand blocks, repeats, rows and branches, and infer every shape.

If a copy of a repeated layer has the same input shape as the copy before it, or a call of a block is like an earlier
one, its nodes are cloned under another path instead of expanded again, so ResNet-1202 compiles in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from archspec.declare import arguments, freeze
from archspec.diagnostics import did_you_mean, fail, listed, short
from archspec.graph.compile.blocks import call_block, returned
from archspec.graph.compile.builder import MAX_NESTING, Budget, Builder, Expansion, Scope
from archspec.graph.compile.inference import MAX_REMEMBERED, CallArguments, Given, are_small, prepare
from archspec.graph.compile.outputs import outputs_of, refuse_unused
from archspec.graph.compile.parameters import Names, input_shapes, parameters
from archspec.graph.compile.reuse import Patch, Run, clone, mark_of, reuse_of, since
from archspec.graph.compile.values import Values
from archspec.graph.ir import Graph
from archspec.lang.document.nodes import ScalarNode
from archspec.lang.spec.layer_spec import LayerSpec
from archspec.lang.spec.names import not_found
from archspec.lang.spec.spec import Spec
from archspec.ops import OPS, is_merge

MAX_STEPS = 10_000  # expanded items and copies, layers or not; those that are cloned do not count
STEP = 3  # layers that can be cloned in the time that a step or the value of an expression takes

Flow = tuple[int, ...]
"""The output of the previous layer, then the inputs of that layer."""


def compile_spec(
    spec: Spec, variant: str | None = None, settings: Mapping[str, Any] | None = None, budget: Budget | None = None
) -> Graph:
    """The static graph of a variant, with `settings` (`--set`) over the spec's params.

    `budget` is shared by the networks of a command.

    Raises ArchspecError for errors in shapes, expressions, references and sizes.
    """
    params = parameters(spec, variant, settings or {})
    name = f"{spec.name}-{variant}" if variant else spec.name
    return Compiler(spec, variant, params, budget=budget).graph(name)


class Compiler:
    """One expansion of a spec. With `clones=False`, every copy and every call of a block is expanded separately."""

    def __init__(
        self, spec: Spec, variant: str | None, params: Names, *, clones: bool = True, budget: Budget | None = None
    ) -> None:
        self.spec = spec
        self.params = {name: value for name, value in params.items() if name != "input"}
        self.column = list(spec.variants).index(variant) if variant else 0
        self.clones = clones
        self.steps = 0
        self.inside: list[tuple[str, str]] = []  # the blocks that are being expanded, with their arguments
        self.sharing = 0  # the calls with `share` that are being expanded
        self.reuse = reuse_of(spec)
        self.visible = self.reuse.visible(self.params)
        self.inputs = input_shapes(spec, params.get("input"), self.params)
        self.builder = Builder(
            self.inputs, variant, budget or Budget(), shares=self.reuse.shares, numbered=self.reuse.numbered
        )
        self.values = Values(self.builder)

    def graph(self, name: str) -> Graph:
        top = Scope("", {word: span for word, (_, span) in self.inputs.items()})
        last = self.layers(self.spec.layers, tuple(range(len(self.inputs))), self.params, top, top=True)
        nodes = self.builder.nodes
        if len(nodes) == len(self.inputs):
            layers = self.spec.document.entries["layers"][0]
            help = "check the values of `repeat` and `when`" if self.spec.layers else "add a layer such as `conv: 64`"
            raise fail("empty-network", "this network has no layers", layers.span, help=help)
        outputs, weights, words = zip(*outputs_of(self.builder, self.spec, last), strict=True)
        refuse_unused(self.builder, outputs)
        named = tuple([word or nodes[index].path for word, index in zip(words, outputs, strict=True)])
        return Graph(name, tuple(nodes), outputs, weights, len(self.inputs), named if any(words) else ())

    # ---- lists and items ---------------------------------------------------------------------------------------

    def layers(
        self, items: tuple[LayerSpec, ...], above: Flow, names: Names, scope: Scope, *, top: bool = False
    ) -> int:
        builder = self.builder
        builder.nesting += 1
        builder.depths.append(builder.nesting)
        for item in items:
            if builder.nesting > MAX_NESTING:
                fact = f"layers are nested more than {MAX_NESTING} levels deep"
                raise self.builder.error("too-deep", fact, item.span, help=self.builder.calls_itself())
            seen = self.with_shape(names, self._entering(item, above, scope)) if top else names
            above = self._item(item, above, seen, scope)
        builder.nesting -= 1
        return above[0]

    def _item(self, item: LayerSpec, above: Flow, names: Names, scope: Scope) -> Flow:
        self.step(item)
        if item.head == "row":
            cell = item.cells[self.column]
            self.builder.numbered += bool(self.builder.calls)  # the blocks of other variants have other cells
            return above if cell is None else self._item(cell, above, names, scope)
        if item.when is not None and not self.values.truth(item.when, names):
            return above
        if item.head.startswith("$"):
            item = self._chosen(item, names)
        inputs = self._inputs(item, above, scope)
        if item.repeat is not None:
            return self._repeat(item, item.repeat, inputs, names, scope)
        if not item.head and not item.word:
            return (inputs[0], *inputs)
        if item.head == "residual" and not item.name and not item.share:
            return (self._residual(item, inputs[0], names, scope), *inputs)
        path = self._path(item, scope)
        if item.head in OPS and not item.branches and not item.share:  # most layers
            return (self._operator(self._arguments(item, first=True), inputs, names, path), *inputs)
        mark = mark_of(self.builder) if self.builder.shares else None
        x = self._copy(item, inputs, names, scope, path, first=True)
        if path not in self.builder.outputs:  # an operator is registered as it is added
            self.builder.register(path, x)
        if mark:
            self.builder.enclose(mark, path, inputs, x)
        return (*returned(self, item, path, x), *inputs)

    def step(self, item: LayerSpec) -> None:
        self.steps += 1
        self.builder.spend(STEP, item.span)
        if self.steps > MAX_STEPS:
            raise self.builder.error(
                "too-many-layers",
                f"this spec expands to more than {MAX_STEPS:,} layers and block calls, copies not counted",
                item.span,
                help=self.builder.too_large(),
            )

    def _inputs(self, item: LayerSpec, above: Flow, scope: Scope) -> Flow:
        """The inputs of a layer: those that `from` names, or as many of the previous outputs as it takes."""
        if item.origin:
            inputs = tuple(self._resolve(name, scope) for name in item.origin)
            if item.share and not item.head and len(inputs) != self._needed(item, scope):
                needed, given = self._needed(item, scope), len(inputs)
                fact = f"`{item.share.text}` has {needed} input{'s' * (needed != 1)}, but `from` lists {given}"
                raise self.builder.error("one-input", fact, item.origin[-1].span)
            return inputs
        needed = self._needed(item, scope) if item.share or item.head in self.spec.blocks else 1
        if len(above) < needed:
            raise self.builder.error(
                "one-input",
                f"`{item.head or item.word}` takes {needed} inputs, but only {len(above)} layer comes before it",
                item.span,
                help="write `from: [a, b]`",
            )
        return above[:needed]

    def _entering(self, item: LayerSpec, above: Flow, scope: Scope) -> int:
        """The input that `$channels` and `$shape` describe outside of blocks; a missing one is an error later."""
        cell = item.cells[self.column] if item.head == "row" else item
        origin = cell.origin if cell else ()
        found = self.builder.find(origin[0].text, scope.prefix) if origin else None
        return above[0] if found is None else found

    def _needed(self, item: LayerSpec, scope: Scope) -> int:
        """The number of inputs of an operator or block without `from`."""
        if item.share and not item.head:
            return len(self._owner(item.share, scope).inputs)
        block = self.spec.blocks.get(item.head)
        return len(block.inputs) if block and block.inputs else 1

    def _path(self, item: LayerSpec, scope: Scope) -> str:
        """A new path for a layer. Raises ArchspecError (name-taken) if its name is used already."""
        name = item.name
        taken = scope.given.get(name.text) if name else None
        if name and taken:
            inputs = [span for _, span in self.inputs.values()]
            entering = any(taken is span for span in inputs)
            by = "the input of the network" if entering else f"the layer on line {taken.line}"
            raise self.builder.error(
                "name-taken",
                f"the name `{name.text}` is already used by {by}",
                name.span,
                help="give each layer a unique name",
            )
        return scope.claim(item.word, item.span)

    def _chosen(self, item: LayerSpec, names: Names) -> LayerSpec:
        """The layer with the operator or block that its expression names: `$unit: 64`."""
        head = self.values.expression(item.head, item.span, names)
        if not isinstance(head, str) or (head not in self.spec.blocks and not OPS.get(head)):
            raise self.builder.error(
                "unknown-operator",
                f"there is no operator or block `{short(head)}` (the value of `{item.head}`)",
                item.span,
                help=did_you_mean(short(head), [*OPS, *self.spec.blocks])
                or (f"the blocks are: {listed(self.spec.blocks)}" if self.spec.blocks else None),
            )
        block = self.spec.blocks.get(head)
        needed = len(block.inputs) if block and block.inputs else 1
        many, inputs = is_merge(head), len(item.origin)
        most = OPS[head].most if head in OPS else 1
        if (inputs < 2) if many else (inputs not in (0, needed) and not 1 <= inputs <= most):
            inputs_ = "two or more inputs" if many else f"{needed} inputs" if needed > 1 else "one input"
            raise self.builder.error(
                "one-input",
                f"`{item.head}` is `{head}` here, which takes {inputs_}",
                item.span,
                help="write `from: [a, b]`" if many or needed > 1 else "merge the layers listed in `from` first",
            )
        return self.reuse.chosen.setdefault((id(item), head), item._replace(head=head))

    def _repeat(self, item: LayerSpec, repeat: ScalarNode, inputs: Flow, names: Names, scope: Scope) -> Flow:
        """Expand copies. Each reads the one before it; with several inputs, also the copies before that one."""
        count, builder = self.values.count(repeat, names), self.builder
        base, whole = self._path(item, scope), mark_of(builder)
        start = flow = inputs
        last: Run | None = None  # the last copy that was expanded, if it can be cloned
        for number in range(1, count + 1):
            path, x = f"{base}/{number}", None
            if last and builder.shapes(inputs) == builder.shapes(last.expansion.inputs):
                layers = last.expansion.stop - last.expansion.start
                if not layers:  # the copies have none
                    builder.called_again(last, count - number + 1)
                    break
                builder.check_count(len(builder.nodes) - 1 + (count - number + 1) * layers, item.span)
                x = clone(self, last, path, inputs)
            if x is None:
                if number > 1:
                    self.step(item)
                mark = mark_of(builder)
                x = self._copy(item, inputs, {**names, "copy": number}, scope, path, first=number == 1)
                builder.register(path, x)
                builder.enclose(mark, path, inputs, x)
                if self.clones and number < count and (number > 1 or item.first is None):
                    last = since(mark, builder, path, inputs, x)
            flow = (*returned(self, item, path, x), *inputs)
            inputs = flow[: len(inputs)]
        if count:
            builder.register(base, flow[0])
            builder.enclose(whole, base, start, flow[0])
        return flow

    # ---- one copy of an item -----------------------------------------------------------------------------------

    def _copy(self, item: LayerSpec, inputs: Flow, names: Names, scope: Scope, path: str, *, first: bool) -> int:
        if item.share is None:
            return self._new(item, inputs, names, scope, path, first=first)
        from archspec.graph.compile.share import call_again, tie

        source, start = self._owner(item.share, scope), len(self.builder.nodes)
        if item.head:
            self.sharing += 1
            x = self._new(item, inputs, names, scope, path, first=first)
            self.sharing -= 1
        else:
            x = call_again(self, source, inputs, path, item.share)
        tie(self.builder, source, start, item.share)
        return x

    def _residual(self, item: LayerSpec, x: int, names: Names, scope: Scope) -> int:
        from archspec.graph.compile.residual import residual

        return residual(self, item, x, names, scope)

    def _owner(self, share: ScalarNode, scope: Scope) -> Expansion:
        """The earlier layer or call whose weights are shared."""
        from archspec.graph.compile.share import shared_with

        return shared_with(self.builder, share, scope.prefix) or self._missing(share, scope, "share")

    def _new(self, item: LayerSpec, inputs: Flow, names: Names, scope: Scope, path: str, *, first: bool) -> int:
        if not item.head:
            return inputs[0]
        if item.head == "residual":
            return self._residual(item, inputs[0], names, scope.inner(path))
        if item.head == "parts":
            from archspec.graph.compile.branches import parts

            return parts(self, item, inputs[0], names, path)
        call = self._arguments(item, first)
        if item.head in self.spec.blocks:
            return call_block(self, call, inputs, names, scope, path)
        if item.branches:
            from archspec.graph.compile.branches import OF_ONE, branches

            inputs = branches(self, item, inputs, names, scope, path)
            if len(inputs) == 1 and item.head in OF_ONE:
                return inputs[0]
        return self._operator(call, inputs, names, path)

    def _operator(self, call: CallArguments, inputs: Flow, names: Names, path: str) -> int:
        item, builder, given = call.item, self.builder, self.given(call, names)
        if given.op is None:
            given.op = builder.operator(item.head, given.values, item.span, call.places)
        if self.reuse.patches(call):
            builder.patches.append(Patch(len(builder.nodes), call, names, builder.calls[-1][0]))
        return builder.apply(given.op, inputs, path, item.span, call.places)

    def _arguments(self, item: LayerSpec, first: bool) -> CallArguments:
        """The arguments of a layer, prepared once; `first` adds to those of the first copy."""
        key = (id(item), first and item.first is not None)
        call = self.reuse.calls.get(key)
        if call is None:
            block = self.spec.blocks.get(item.head)
            known = block.arguments if block else [argument.name for argument in arguments(OPS[item.head])]
            call = self.reuse.calls[key] = prepare(item, key[1], known, self.builder.error)
        return call

    def given(self, call: CallArguments, names: Names) -> Given:
        """The values of the arguments of a call."""
        if not call.open:
            return call.fixed
        builder = self.builder
        builder.spend(STEP * len(call.open), call.item.span)
        numbered = builder.numbered + (call.numbered and not self.reuse.patches(call))
        read = [names.get(name, ...) for name in call.reads]
        key = (id(call), repr(read)) if are_small(read) else None  # True is not 1
        given = self.reuse.given.get(key) if key else None
        if given is None:
            values = {word: freeze(self.values.of(node, names)) for word, node in call.open}
            given = Given({**call.fixed.values, **values})
            if key and given.small and len(self.reuse.given) < MAX_REMEMBERED:
                self.reuse.given[key] = given
        builder.numbered = numbered
        return given

    # ---- values and names --------------------------------------------------------------------------------------

    def with_shape(self, names: Names, x: int) -> Names:
        shape = self.builder.shape(x)
        return {**names, "shape": list(shape), "channels": shape[-1]}

    def _resolve(self, name: ScalarNode, scope: Scope) -> int:
        """The output of an earlier layer."""
        index = self.builder.find(name.text, scope.prefix)
        return self._missing(name, scope) if index is None else index

    def _missing(self, name: ScalarNode, scope: Scope, word: str = "from") -> NoReturn:
        """Raises ArchspecError (unknown-layer) for a name that no earlier layer has."""
        blocks, calls = self.spec.blocks, self.builder.calls
        here = blocks[calls[-1][0]].layers if calls else self.spec.layers
        visible = (path.removeprefix(scope.prefix) for path in self.builder.outputs)
        message, help = not_found(name, here, blocks.values(), visible)
        raise self.builder.error("unknown-layer", message, name.span, help=help.replace("`from`", f"`{word}`"))
