"""Keras model -> static graph: every layer as the operator that builds it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from archspec.diagnostics import ArchspecError, counted, fail, listed
from archspec.graph.compile.inference import infer, made
from archspec.graph.ir import AGAIN, INPUT, Facts, Graph, Node, unused_name
from archspec.ops import OPS, Op, OpError
from archspec.ops.activation import Activation
from archspec.ops.base import show
from archspec.plugins import load_all_plugins
from archspec.runtime.from_keras.coverage import REASONS
from archspec.runtime.from_keras.operations import LEFT_OUT, READERS
from archspec.runtime.from_keras.reading import NOWHERE, Reading
from archspec.runtime.from_keras.several_layers import operators_of_several_layers
from archspec.runtime.from_keras.simplify import simplify
from archspec.runtime.models.keras_graph import Call, KerasGraph, given_name, has_own_call, keras_graph, output_names


def read_model(model: Any) -> Graph:
    """The graph of a functional Keras model; the paths of its nodes are the names of the layers.

    Raises ArchspecError: not-functional, unknown-keras-layer.
    """
    graph = keras_graph(model)
    calls = [graph.calls[index] for index in graph.inputs]
    _refuse_inputs(graph)
    paths = [call.path for call in calls] if len(calls) > 1 else ["input"]
    nodes = [
        Node(path, INPUT, (), Facts(call.shape, (), 0, 0, 0), NOWHERE) for path, call in zip(paths, calls, strict=True)
    ]
    place: dict[int, list[int]] = {index: [number] for number, index in enumerate(graph.inputs)}  # of each output
    read: dict[int, tuple[int, int]] = {}  # the nodes of each layer with weights at its first call
    several = operators_of_several_layers(graph)
    inside = {each for found in several.values() for each in found.calls} - set(several)
    for index, call in enumerate(graph.calls):
        _refuse_arguments(call)
        if index not in place and index not in inside:
            start, weighted = len(nodes), call.operation
            if index in several:
                found = several[index]
                place[index] = [Reading(call, (place[found.source][0],), nodes).add(found.name, **found.args)]
                operations = [graph.calls[each].operation for each in sorted(found.calls)]
                weighted = next((each for each in operations if getattr(each, "weights", None)), weighted)
            else:
                place[index] = _read(call, tuple(_position(graph, place, each) for each in call.inputs), nodes)
            if getattr(weighted, "weights", None):
                first = read.setdefault(id(weighted), (start, len(nodes)))
                if first[0] != start:
                    _share(call, nodes, range(*first), range(start, len(nodes)))
    returned = [_position(graph, place, source) for source in graph.outputs]
    outputs = _distinct(nodes, returned, len(paths), named=bool(output_names(model)))
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", given_name(model)).strip("-") or "model"
    weights = (1.0,) * len(outputs)
    return simplify(_reached(Graph(name, tuple(nodes), outputs, weights, len(paths), output_names(model))))


MOST_AXES = 4
"""Most axes of an input of a spec, such as (depth, height, width, channels)."""


def _refuse_inputs(graph: KerasGraph) -> None:
    """Raises ArchspecError for inputs that a spec cannot have."""
    read = {source for source, _ in (*graph.outputs, *(each for call in graph.calls for each in call.inputs))}
    for index in graph.inputs:
        call = graph.calls[index]
        if index not in read:
            fact = f"no output of the model depends on its input `{call.path}`"
            raise fail("unknown-keras-layer", fact, help="make the model without this input")
        if not 1 <= len(call.shape) <= MOST_AXES:
            raise fail(
                "unknown-keras-layer",
                f"the input `{call.path}` has {counted(len(call.shape), 'axis')} besides the batch, "
                f"but an input of a spec has one to {MOST_AXES}",
                help="give it another shape, and use `layers.Reshape` after it",
            )


def _refuse_arguments(call: Call) -> None:
    """Raises ArchspecError for arguments of a call that change what the layer computes, and that no operator has."""
    arguments = getattr(call.node, "arguments", None)
    own = inspect.signature(call.operation.call).parameters
    found = [
        word
        for word, value in (arguments.kwargs if arguments else {}).items()
        if word in CALL_ARGUMENTS and value is not None and value is not False
        if word not in own or own[word].default is not value  # Keras may write a default of True, as of CenterCrop
    ]
    if getattr(call.operation, "initial", None) is not None:
        found.append("initial")
    if found:
        raise _unreadable(
            call, f"it is called with `{found[0]}`, which no operator has", f"call it without `{found[0]}`"
        )


def _distinct(nodes: list[Node], outputs: list[int], inputs: int, *, named: bool) -> tuple[int, ...]:
    """The nodes of the outputs, with a `linear` layer where a spec needs one more.

    Outputs without names are known by their layers, so that each needs its own, and a network needs a layer.
    """
    found: list[int] = []
    for index in outputs:
        if (index in found and not named) or (len(nodes) == inputs and not found):
            linear, path = made("linear", {}), unused_name(f"{nodes[index].path}_copy", {node.path for node in nodes})
            nodes.append(Node(path, linear, (index,), infer(linear, (nodes[index].shape,)), NOWHERE))
            index = len(nodes) - 1
        found.append(index)
    return tuple(found)


def _reached(graph: Graph) -> Graph:
    """The graph without nodes that no output reads: single channels that became a selection of channels.

    Where the first use of a layer is one of them, the next use owns the weights.
    """
    wanted = {*range(graph.input_count), *graph.outputs}
    for index in range(len(graph.nodes) - 1, -1, -1):
        wanted |= set(graph.nodes[index].inputs) if index in wanted else set()
    if len(wanted) == len(graph.nodes):
        return graph
    paths = {graph.nodes[index].path for index in wanted}
    place = {old: new for new, old in enumerate(sorted(wanted))}
    nodes = []
    for index in sorted(wanted):
        node = graph.nodes[index]
        if node.shared and node.shared not in paths:
            paths.add(node.shared)
            node = node._replace(path=node.shared, shared=None, facts=infer(node.op, graph.shapes_into(node)))
        nodes.append(node._replace(inputs=tuple(place[source] for source in node.inputs)))
    return replace(graph, nodes=tuple(nodes), outputs=tuple(place[index] for index in graph.outputs))


CALL_ARGUMENTS = ("mask", "attention_mask", "query_mask", "value_mask", "key_mask", "use_causal_mask", "training")
"""Arguments of calls of Keras layers that make them compute something else, unless they are None or False."""
TRAINING = (
    *("kernel_regularizer", "bias_regularizer", "activity_regularizer", "depthwise_regularizer", "beta_regularizer"),
    *("gamma_regularizer", "kernel_constraint", "bias_constraint", "depthwise_constraint"),
)
"""Attributes of Keras layers that only training uses, and no operator has."""
MAX_NAMED = 3


def left_out(model: Any) -> list[str]:
    """What a spec of the model does not have: `random_flip` (RandomFlip), `kernel_regularizer` of `conv1`."""
    calls = keras_graph(model).calls
    found: dict[str, dict[str, None]] = {}
    for call in calls:
        for name in TRAINING:
            if getattr(call.operation, name, None) is not None:
                found.setdefault(f"`{name}`", {})[f"`{call.path}`"] = None
        if getattr(call.operation, "weights", None) and not call.operation.trainable:
            found.setdefault("`trainable=False`", {})[f"`{call.path}`"] = None
    layers = [f"`{call.path}` ({call.kind})" for call in calls if call.kind in LEFT_OUT]
    return [*layers, *(f"{name} of {listed(paths, MAX_NAMED)}" for name, paths in found.items())]


def _share(call: Call, nodes: list[Node], first: range, again: range) -> None:
    """Let the nodes of a further call of a layer use the weights of its first call."""
    taken = {each.path for each in nodes}
    for owner, node in zip(first, again, strict=True):
        if nodes[owner].op != nodes[node].op or not nodes[node].facts.weights:
            if nodes[node].facts.weights:
                raise _unreadable(call, "it is used more than once, with inputs of different kinds")
            continue
        nodes[node] = nodes[node]._replace(
            path=unused_name(f"{call.path}{AGAIN}", taken), shared=nodes[owner].path, facts=nodes[node].facts.sharing()
        )


def _position(graph: KerasGraph, place: dict[int, list[int]], source: tuple[int, int]) -> int:
    """The node of an output of a call."""
    index, output = source
    if output >= len(place[index]):
        fact = f"the model uses its output {output + 1}, but in a spec it has one output"
        raise _unreadable(graph.calls[index], fact, "use its first output alone")
    return place[index][output]


def _read(call: Call, inputs: tuple[int, ...], nodes: list[Node]) -> list[int]:
    """The nodes for the outputs of a call. Raises ArchspecError (unknown-keras-layer)."""
    reading = Reading(call, inputs, nodes)
    try:
        if not inputs:
            raise OpError("it has no input")
        reader = READERS.get(call.kind)
        found = reader(reading) if reader else None
        found = _by_operator(reading) if found is None else found
        found = [found] if isinstance(found, int) else found
        ours = nodes[found[0]].shape
        if len(ours) != len(call.shape) or any(
            None not in pair and pair[0] != pair[1] for pair in zip(ours, call.shape, strict=True)
        ):
            raise OpError(f"it gives {show(call.shape)}, which a spec would turn into {show(ours)}")
        return found
    except OpError as error:
        raise _unreadable(call, error.message, error.help) from None


def _by_operator(reading: Reading) -> int:
    """The node for the layer, or for the activation inside it."""
    import keras

    op, args = _operator(reading.layer)
    _refuse_arrays(reading)
    inputs = reading.inputs if op.many else tuple(dict.fromkeys(reading.inputs))
    if len(inputs) > op.most and not op.many:
        raise OpError(f"`{op.name}` reads one layer, but this layer reads {len(inputs)}")
    node = reading.add(op.name, *inputs, **args)
    activation = getattr(reading.layer, "activation", None)
    if activation in (None, keras.activations.linear) or "activation" in args or reading.call.kind == "Activation":
        return node
    own = activation if isinstance(activation, keras.layers.Layer) else keras.layers.Activation(activation)
    op, args = _operator(own)
    if not issubclass(op, Activation):
        raise OpError(f"its activation is a layer of class {type(own).__name__}")
    return reading.add(op.name, node, **args)


def _refuse_arrays(reading: Reading) -> None:
    """Raises OpError for an input that is an array of numbers instead of a layer."""
    import keras

    given = keras.tree.flatten(reading.given)
    if any(hasattr(each, "shape") and not isinstance(each, keras.KerasTensor) for each in given):
        raise OpError("one of its inputs is an array of numbers", help="make the array an input of the model")


def _operator(layer: Any) -> tuple[type[Op], Mapping[str, Any]]:
    """The operator that recognizes a Keras layer, of archspec or a plugin, and its arguments."""
    import keras

    if has_own_call(layer):
        raise OpError("it is a model with its own method `call`", help="make it a functional model")
    if mode := getattr(layer, "quantization_mode", None):
        raise OpError(f"its weights are quantized ({mode})", help="give the model from before the quantization")
    function = layer.activation if type(layer).__name__ == "Activation" else None
    if isinstance(function, keras.layers.Layer):
        return _operator(function)
    found = _recognized(layer)
    if found is None:
        load_all_plugins()
        found = _recognized(layer)
    if found is not None:
        return found
    if function is not None:
        name = getattr(function, "__name__", function)
        raise OpError(f"its activation `{name}` is not in keras.activations", help="use one that is")
    reason = REASONS.get(type(layer).__name__, "archspec has no operator for it")
    raise OpError(reason.removeprefix("not possible: ").removeprefix("no operator: "))


def _recognized(layer: Any) -> tuple[type[Op], Mapping[str, Any]] | None:
    read = ((op, op.from_keras(layer)) for op in OPS.values())
    return next(((op, args) for op, args in read if args is not None), None)


def _unreadable(call: Call, fact: str, help: str | None = None) -> ArchspecError:
    return fail(
        "unknown-keras-layer",
        f"the layer `{call.path}` ({call.kind}) cannot be written in a spec: {fact}",
        help=help or "docs/keras.md lists what can be written; docs/extending.md says how to add an operator",
    )
