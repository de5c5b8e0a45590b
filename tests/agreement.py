"""The central property of archspec: the static graph describes exactly what Keras builds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from archspec.graph.ir import Graph
from archspec.ops import Weight

MULTIPLIED = ("kernel", "depthwise_kernel", "pointwise_kernel")
"""The weights that are multiplied at every output position, by Keras's names."""

OTHERWISE = {"layer_scale", "attention", "window_attention", "dot", "matmul"}
"""Operators whose kernel only scales, or whose products are not all with kernels."""

OF_FUNCTIONS = {"subtract", "divide", "power", "matmul"}
"""Merges that are a function of `keras.ops` and an Identity layer."""


def assert_agree(graph: Graph, model: Any) -> None:
    """Compare each layer: shape, weights in order, MACs, inputs; then the numbers of layers, outputs and weights."""
    layers = {layer.name: layer for layer in model.layers}
    names = {node.keras_name for node in graph.nodes}
    assert len(layers) == len(model.layers)
    assert len(names) == len(graph.nodes)
    for node in graph.nodes:
        layer = layers[node.keras_name]
        assert layer.output.shape == (None, *node.shape), node.path
        built = weights_of(layers, node.keras_name, node.facts.weights)
        assert built == [(weight.name, weight.shape, weight.trainable) for weight in node.facts.weights], node.path
        if node.shared:  # an Identity after the layer whose weights it uses, which is called again
            owner = graph[node.shared].keras_name
            assert f"{layer.input._keras_history.operation.name}.".startswith(f"{owner}."), node.path
            continue
        if node.op.name not in OTHERWISE:
            filters = layers.get(f"{node.keras_name}.filters", layer)  # of a convolution with standardized weights
            assert node.facts.macs == _macs(filters, layer), node.path
        inputs = [graph.nodes[i].keras_name for i in node.inputs]
        if node.op.name in OF_FUNCTIONS:  # the Identity layer after the function reads each of them once
            inputs = list(dict.fromkeys(inputs))
        assert _read(layer, names) == inputs, node.path

    for helper in layers.keys() - names:
        weighted = {name for node in graph.nodes for name in node.weighted_layers}
        assert not layers[helper].weights or helper in weighted
        assert any(helper.startswith(f"{name}.") for name in names)
    assert model.name == graph.name
    assert [tuple(tensor.shape) for tensor in model.inputs] == [(None, *node.shape) for node in graph.inputs]
    outputs = [tensor._keras_history.operation.name for tensor in model.outputs]
    assert outputs == [graph.nodes[i].keras_name for i in graph.outputs]
    assert model.count_params() == graph.params
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == graph.trainable_params
    assert sum(math.prod(weight.shape) for weight in model.non_trainable_weights) == graph.non_trainable_params


def weights_of(
    layers: Mapping[str, Any], name: str, declared: Sequence[Weight]
) -> list[tuple[str, tuple[int, ...], bool]]:
    """Name, shape and whether it is trained, of each weight of the Keras layers with the weights that are declared."""
    parts = dict.fromkeys(weight.name.rpartition("/")[0] for weight in declared) or {"": None}
    built = [(part, weight) for part in parts for weight in layers[f"{name}.{part}" if part else name].weights]
    return [
        (f"{part}/{weight.name}" if part else weight.name, tuple(weight.shape), weight.trainable)
        for part, weight in built
    ]


def _macs(weighted: Any, last: Any) -> int | None:
    """Multiply-accumulates from what Keras built: the layer with the kernel, and the one with the output.

    None where an output size is free.
    """
    each = sum(math.prod(weight.shape) for weight in weighted.weights if weight.name in MULTIPLIED)
    transposed = type(last).__name__.endswith("Transpose")  # each input is multiplied with the whole kernel
    positions = (last.input if transposed else last.output).shape[1:-1]
    return None if each and None in positions else each and each * math.prod(positions)


def _read(layer: Any, names: set[str]) -> list[str]:
    """The named layers that a layer reads, in order, through the helpers and functions between."""
    node = layer._inbound_nodes[0] if layer._inbound_nodes else None  # a layer with shared weights has several
    tensors = node.input_tensors if node else []
    if isinstance(layer, keras.layers.MultiHeadAttention):  # its query and its value are the same
        tensors = list({id(tensor): tensor for tensor in tensors}.values())
    return [source for tensor in tensors for source in _sources(tensor._keras_history.operation, names)]


def _sources(operation: Any, names: set[str]) -> list[str]:
    """The named layers that a helper or a function reads, in order: several where it joins them, as for `power`."""
    if isinstance(operation, keras.layers.Layer) and operation.name in names:
        return [operation.name]
    tensors = [tensor for node in operation._inbound_nodes for tensor in node.input_tensors]
    found = [source for tensor in tensors for source in _sources(tensor._keras_history.operation, names)]
    return list(dict.fromkeys(found))
