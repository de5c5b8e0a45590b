"""A classifier as a network for images of any size: its fully connected layers become convolutions.

The first dense layer after a map of (h, w) becomes a convolution of h x w without padding, the next ones of 1 x 1; the
global pooling of a map of (h, w) becomes a pooling over windows of h x w with stride 1. The output is then a map of
score vectors, one for each position at which the original could be applied (Simonyan & Zisserman 2014, section 3.2;
Sermanet et al. 2013, section 3.5).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archspec.declare import Declared, thaw
from archspec.diagnostics import ArchspecError, fail
from archspec.graph.compile.inference import at_size, changed, infer, made, one_input
from archspec.graph.decompile import Decompiled, decompile
from archspec.graph.ir import INPUT, Facts, Graph, Node, ancestors, unused_name
from archspec.graph.rewrite.padding import dense_effects, with_fixed_padding
from archspec.lang.document.yaml_writer import dump
from archspec.ops.activation import Activation, Along
from archspec.ops.base import POINTWISE, Op, OpError, Shape, Window, product, show
from archspec.ops.reduce import Reduction

OUTPUTS = ("scores", "logits", "mean_scores", "softmax_of_mean")
"""The output of the fully convolutional network.

scores: (H', W', classes), the output of the original at each position, after its softmax if it has one.
logits: the same before that softmax.
mean_scores: (classes,), the mean of the scores over all positions.
softmax_of_mean: (classes,), the softmax of the mean of the logits: the class score map is averaged first, as in
Simonyan & Zisserman, section 3.2. At the training size all of them equal the original.
"""

SOFTMAX = ("softmax", "log_softmax")

MAP, FLAT, SPREAD, WHOLE = "map", "flat", "spread", "whole"
"""The form of a value of the original in the fully convolutional network.

map: the same layer on a larger map. flat: a flattened map, still a map here. spread: a vector, here one for each
position. whole: a vector of the whole image in the middle of the network, as the gate of squeeze-and-excitation.
"""


@dataclass(frozen=True)
class Value:
    """A node of the original in the dense network. `window` is the side of the map that was flattened."""

    index: int
    kind: str
    window: tuple[int, ...] = ()


def convolutionalize(graph: Graph, *, output: str = "scores") -> Graph:
    """The dense network of a classifier: inputs of free size, (H, W, C) -> OUTPUTS[output].

    Layers keep their paths, and weights their numbers in their order: the kernel (h w C, units) of the first dense
    layer is a kernel (h, w, C, units), any other (C, units) one of (1, 1, C, units). `padding: same` under a stride is
    fixed to the pixels that it has at the training size, unless branches would no longer meet on others. Auxiliary
    classifiers are left out. What a larger image changes besides, `dense_effects` tells.

    Raises ArchspecError: `free-input` without a training size, `not-convolutional` for a layer that works on the whole
    image and cannot be applied at every position (position embeddings, spatial pyramid pooling), or for a network that
    is not a classifier.
    """
    if output not in OUTPUTS:
        raise ValueError(f"output must be one of {OUTPUTS}, but is {output!r}")
    one_input(graph, "a fully convolutional network")
    if None in graph.input_shape:
        raise fail(
            "free-input",
            f"the training size of `{graph.name}` is unknown: its input is {show(graph.input_shape)}",
            help="set the size with `--set input=[224, 224, 3]`; a model for any image size is fully convolutional "
            "already",
        )
    if len(graph.input_shape) < 2:
        raise _not_convolutional(graph, graph.nodes[0], "it has no spatial axes")
    dense = _Dense(graph).network(output)
    if not _takes_any_size(dense, graph.input_shape):
        loose = _Dense(graph, fixed=False).network(output)
        dense = loose if _takes_any_size(loose, graph.input_shape) else dense
    scores = at_size(dense, graph.input_shape).output_shape
    single = scores if output in OUTPUTS[2:] else scores[-1:]
    if product(scores) != product(single) or single != graph.output_shape[-1:]:
        raise _not_convolutional(
            graph, graph.nodes[graph.outputs[0]], f"at the training size it would return {show(scores)}"
        )
    return dense


LARGER = (1, 2, 3, 4, 8, 16)
"""Extra pixels per side for testing that branches fit at any size: every halving of the map has odd sizes."""


def _takes_any_size(dense: Graph, shape: Shape) -> bool:
    try:
        for more in LARGER:
            at_size(dense, (*((size or 0) + more for size in shape[:-1]), shape[-1]))
    except ArchspecError:
        return False
    return True


@dataclass
class _Dense:
    """The fully convolutional network under construction."""

    graph: Graph
    fixed: bool = True
    """Whether `padding: same` with a stride is fixed to its pixels at the training size."""
    nodes: list[Node] = field(default_factory=list)
    values: dict[int, Value] = field(default_factory=dict)

    def network(self, output: str) -> Graph:
        graph = self.graph
        first = graph.nodes[0]
        free = (*(None,) * (len(first.shape) - 1), first.shape[-1])
        self.nodes = [Node(first.path, INPUT, (), Facts(free, (), 0, 0, 0), first.span)]
        self.values = {0: Value(0, MAP)}
        last = graph.nodes[graph.outputs[0]]
        before_softmax = last.op.name in SOFTMAX and output in ("logits", "softmax_of_mean")
        main = last.inputs[0] if before_softmax else graph.outputs[0]
        self.used = ancestors(graph, main)
        for index in sorted(self.used - {0}):
            self.values[index] = self._value(index)
        end = self._scores(main)
        if output in ("mean_scores", "softmax_of_mean"):
            path = unused_name("mean", {node.path for node in graph.nodes})
            self._add(graph.nodes[main], made("global_avgpool", {}), (end,), path=path)
            if before_softmax:
                self._add(last, changed(last.op, axis=-1), (len(self.nodes) - 1,))
        elif end != len(self.nodes) - 1:
            raise _not_convolutional(graph, graph.nodes[main], "the layers after it have no effect")
        return replace(
            graph,
            name=f"{graph.name}-dense",
            nodes=tuple(self.nodes),
            outputs=(len(self.nodes) - 1,),
            loss_weights=(1.0,),
        )

    def _scores(self, main: int) -> int:
        value = self.values[main]
        if value.kind == SPREAD and len(self.graph.nodes[main].shape) == 1:
            return value.index
        node = self.graph.nodes[main]
        if value.kind == FLAT:
            raise _not_convolutional(self.graph, node, "its output is a flattened feature map")
        raise _not_convolutional(
            self.graph,
            node,
            f"it returns {show(node.shape)}, not one score per class from dense layers or global pooling",
            "if the spec is fully convolutional already, `--set input=[null, null, 3]` frees its input size",
        )

    def _value(self, index: int) -> Value:
        node = self.graph.nodes[index]
        values = [self.values[i] for i in node.inputs]
        shapes = self.graph.shapes_into(node)
        kinds = {self._seen_as(value, shape, values) for value, shape in zip(values, shapes, strict=True)}
        if kinds == {FLAT}:
            return self._after_flatten(node, values[0])
        if kinds == {SPREAD}:
            return self._spread(node, values, shapes)
        if kinds <= {MAP, WHOLE}:
            return self._on_map(index, node, values, shapes, whole=kinds == {WHOLE})
        raise _not_convolutional(
            self.graph, node, "it merges a value for each position with a value for the whole image"
        )

    def _seen_as(self, value: Value, shape: Shape, values: Sequence[Value]) -> str:
        """A map with a single position counts as one value per position if other inputs are of that form."""
        single = value.kind == MAP and len(shape) > 1 and math.prod(shape[:-1]) == 1  # type: ignore[arg-type]
        return SPREAD if single and any(each.kind == SPREAD for each in values) else value.kind

    # ---- layers on maps -----------------------------------------------------------------------------------------

    def _on_map(
        self, index: int, node: Node, values: Sequence[Value], shapes: Sequence[Shape], *, whole: bool
    ) -> Value:
        name, shape = node.op.name, shapes[0]
        inputs = tuple(value.index for value in values)
        size = shape[:-1]
        if name == "resizing":
            raise self._refused(node, f"its output has a fixed size, {show(node.shape)}, for images of any size")
        if whole:
            return Value(self._add(node, node.op, inputs), WHOLE)
        if name in ("flatten", "reshape") and len(shape) > 1:
            positions = math.prod(size)  # type: ignore[arg-type]
            if node.shape == (product(shape),):
                return Value(inputs[0], SPREAD) if positions == 1 else Value(inputs[0], FLAT, size)  # type: ignore[arg-type]
            if positions > 1:
                raise self._refused(node, "it moves values between positions")
        if name in ("global_avgpool", "global_maxpool") or _reduces_space(node.op, shape):
            if self._gates(index):
                return Value(self._add(node, node.op, inputs), WHOLE)
            head = {"reduce_mean": "avgpool", "reduce_max": "maxpool"}.get(name, name.removeprefix("global_"))
            if head == name:
                raise self._refused(node, "it reads the whole image")
            return Value(self._add(node, made(head, {"pool_size": _side(size), "strides": 1}), inputs), SPREAD)
        if name in ("adaptive_avgpool", "adaptive_maxpool"):
            return self._adaptive(node, values[0], shape)
        if name in ("spatial_pyramid_pool", "take", "position_embedding", "class_token"):
            raise self._refused(node, "it depends on the number of positions in the whole image")
        return Value(self._add(node, with_fixed_padding(node.op, shape, same=self.fixed), inputs), MAP)

    def _gates(self, pool: int) -> bool:
        """Whether the output of a global pooling is merged with a map again, as in squeeze-and-excitation."""
        reached = {pool}
        for index in sorted(self.used):
            node = self.graph.nodes[index]
            if reached.intersection(node.inputs):
                reached.add(index)
                if len(node.shape) > 1 and math.prod(node.shape[:-1]) > 1:  # type: ignore[arg-type]
                    return True
        return False

    def _adaptive(self, node: Node, value: Value, shape: Shape) -> Value:
        """Bins of equal size are a pooling with windows that do not overlap."""
        sides = list(zip(shape[:-1], node.shape[:-1], strict=True))
        if any(size % bins for size, bins in sides):  # type: ignore[operator]
            raise self._refused(node, f"its bins over {show(shape)} differ in size")
        window = tuple(size // bins for size, bins in sides)  # type: ignore[operator]
        if math.prod(window) == 1:
            return Value(value.index, MAP)
        pool = made(node.op.name.removeprefix("adaptive_"), {"pool_size": _side(window)})
        return Value(self._add(node, pool, (value.index,)), MAP)

    # ---- layers on vectors --------------------------------------------------------------------------------------

    def _after_flatten(self, node: Node, value: Value) -> Value:
        if node.op.name == "dense":
            return Value(self._convolution(node, value.index, value.window), SPREAD)
        if node.op.name == "flatten":
            return value
        if not _by_element(node.op):
            raise self._refused(node, "it reads a flattened feature map, which only a dense layer can do")
        return Value(self._add(node, node.op, (value.index,)), FLAT, value.window)

    def _spread(self, node: Node, values: Sequence[Value], shapes: Sequence[Shape]) -> Value:
        inputs = tuple(value.index for value in values)
        shape = shapes[0]
        name = node.op.name
        if name == "dense":
            return Value(self._convolution(node, inputs[0], (1,) * (len(self.graph.input_shape) - 1)), SPREAD)
        same = name in ("flatten", "reshape") and node.shape[-1] == product(shape)
        if same or (name in ("global_avgpool", "global_maxpool") and len(shape) > 1):
            return Value(inputs[0], SPREAD)
        view = node.op.view(*shapes)
        units = isinstance(view, tuple) and all(window == Window() for window in view)
        if (view is not POINTWISE and not units) or node.shape[:-1] != shape[:-1]:
            raise self._refused(node, f"it reads {show(shape)} across positions")
        return Value(self._add(node, self._on_positions(node.op, shape), inputs), SPREAD)

    def _on_positions(self, op: Op, shape: Shape) -> Op:
        """The operator of a vector, for maps of such vectors."""
        values: dict[str, Any] = {"axis": -1} if hasattr(op, "axis") else {}  # the view says that it is the channels
        if hasattr(op, "shared_axes") and len(shape) == 1:
            values["shared_axes"] = tuple(range(1, len(self.graph.input_shape)))
        return changed(op, **values)

    def _convolution(self, node: Node, source: int, window: tuple[int, ...]) -> int:
        op: Any = node.op
        values = {"filters": op.units, "kernel_size": _side(window), "use_bias": op.use_bias}
        return self._add(node, made("conv", values), (source,))

    def _add(self, node: Node, op: Op, inputs: tuple[int, ...], path: str | None = None) -> int:
        try:
            facts = infer(op, tuple(self.nodes[i].shape for i in inputs))
        except OpError as error:
            raise self._refused(node, error.message) from None
        old = [weight.size for weight in node.facts.weights]
        if facts.weights and not node.shared and old != [weight.size for weight in facts.weights]:
            raise self._refused(node, "its weights depend on the position")
        added = Node(path or node.path, op, inputs, facts, node.span)
        self.nodes.append(self._tied(node, added) if node.shared else added)
        return len(self.nodes) - 1

    def _tied(self, node: Node, added: Node) -> Node:
        """The layer with the weights of another one; the first of them that is left owns them."""
        owner = next((each for each in self.nodes if each.path == node.shared), None)
        if owner is None:
            return added._replace(path=node.shared or added.path)
        if owner.facts.weights != added.facts.weights:
            raise self._refused(node, f"it shares the weights of `{owner.path}`, but would need them in another shape")
        return added._replace(shared=node.shared, facts=added.facts.sharing())

    def _refused(self, node: Node, fact: str) -> ArchspecError:
        return _not_convolutional(self.graph, node, fact)


def _side(window: Shape) -> Any:
    """7 for (7, 7)."""
    return window[0] if len(set(window)) == 1 else window


def _reduces_space(op: Op, shape: Shape) -> bool:
    return isinstance(op, Reduction) and sorted(op.axes(shape)) == list(range(len(shape) - 1))


def _by_element(op: Op) -> bool:
    """Whether it is element-wise."""
    if isinstance(op, Activation):
        return not isinstance(op, Along)
    if op.name == "dropout":
        return op.noise_shape is None  # type: ignore[attr-defined]
    return op.name == "rescale" and not any(isinstance(value, tuple) for value in vars(op).values())


def _not_convolutional(graph: Graph, node: Node, fact: str, help: str | None = None) -> ArchspecError:
    layer = f"`{node.path}` ({node.op.name or 'input'})"
    message = f"`{graph.name}` cannot be made fully convolutional: {layer} cannot be applied at every position"
    return fail("not-convolutional", message, node.span if node.span.line > 1 else None, notes=[fact], help=help)


WIDTH = 110


def fully_convolutional_spec(
    graph: Graph, *, output: str, preprocess: Sequence[Declared] = (), resize: int | None = None
) -> tuple[Graph, Decompiled]:
    """The dense graph, whose paths are the original's, and its spec.

    Raises ArchspecError: those of `convolutionalize`.
    """
    dense = convolutionalize(graph, output=output)
    lines = [
        f"`{graph.name}`, trained on {show(graph.input_shape)}, for images of any size: `archspec convolutionalize`.",
        *(f"Differs from it in {effect}." for effect in dense_effects(graph, dense)),
    ]
    comment = "\n".join(part for line in lines for part in textwrap.wrap(line, WIDTH))
    found = decompile(dense, dense.name, comment)
    sections: dict[str, object] = {}
    if preprocess:
        sections["preprocess"] = [
            {each.name: {name: thaw(value) for name, value in vars(each).items() if value is not None}}
            for each in preprocess
        ]
    if len(graph.input_shape) == 3:
        sections["evaluate"] = {"resize": smallest_side(graph, resize)}
    text = found.text + ("\n" + dump(sections) if sections else "")
    return dense, replace(found, text=text)


def smallest_side(graph: Graph, resize: int | None) -> int:
    """What images are resized to: `resize`, and at least the window of the dense network, pixels."""
    return max(resize or 0, *(size or 0 for size in graph.input_shape[:-1]))
