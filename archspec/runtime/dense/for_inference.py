"""A trained Keras model rewritten for inference: fewer layers, the same outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.graph.ir import Graph
from archspec.graph.rewrite.channel_affine import Array, ChannelAffine
from archspec.graph.rewrite.for_inference import ForInference
from archspec.graph.rewrite.for_inference import for_inference as rewrite
from archspec.runtime.dense.convert import graph_of
from archspec.runtime.models.build import build_model
from archspec.runtime.models.keras_graph import keras_graph
from archspec.runtime.models.metadata import Metadata
from archspec.transforms import Transform
from archspec.transforms.affine import Affine, composed


@dataclass(frozen=True)
class InferenceModel:
    """The rewritten model."""

    model: Any
    """A keras.Model with the outputs of the original: the main one, or a list with the further ones after it."""
    graph: Graph
    """Its graph."""
    rewrites: tuple[str, ...]
    """What was done, for people."""
    input_absorbed: bool
    """Whether its first layer contains the preprocessing that was given."""


def optimize(
    model: Any,
    *,
    graph: Graph | None = None,
    metadata: Metadata | None = None,
    outputs: Sequence[str] = (),
    every_output: bool = False,
    preprocess: Sequence[Transform] = (),
) -> InferenceModel:
    """A new model with the main output of `model`, or all, and those of the layers `outputs`; `model` is unchanged.

    Args:
        model: a functional keras.Model.
        graph: the graph that it was built from; by default that of `metadata`, or read from its layers.
        outputs: paths of layers.
        every_output: keep all outputs of the graph; else the main one.
        preprocess: transforms before the model, which its first layer may absorb.

    Raises:
        ArchspecError: those of `graph_of`; `unknown-layer`.
    """
    graph = graph or graph_of(model, metadata)
    chosen = list(graph.outputs if every_output else graph.outputs[:1])
    for path in outputs:
        chosen += nodes_of(graph, path)
    graph = replace(graph, outputs=tuple(chosen), loss_weights=(1.0,) * len(chosen), output_names=())
    affine = input_affine(preprocess, graph.input_shape)
    rewritten = rewrite(graph, weights_of(model, graph), input_affine=affine)
    return InferenceModel(built(rewritten), rewritten.graph, rewritten.rewrites, rewritten.input_absorbed)


def nodes_of(graph: Graph, path: str) -> list[int]:
    """The nodes of a layer: several where it is called several times.

    Raises:
        ArchspecError: `unknown-layer`.
    """
    found = [index for index, node in enumerate(graph.nodes) if node.keras_name == path.replace("/", ".")]
    if not found:
        known = [node.keras_name.replace(".", "/") for node in graph.layers]
        help = did_you_mean(path, known) or f"its layers are: {listed(known, 12)}"
        raise fail("unknown-layer", f"the network has no layer `{path}`", help=help)
    return found


def built(rewritten: ForInference) -> Any:
    """The keras.Model of a rewritten network, with its weights."""
    model = build_model(rewritten.graph)
    layers = {layer.name: layer for layer in model.layers}
    for node in rewritten.graph.layers:
        variables = [variable for name in node.weighted_layers for variable in layers[name].weights]
        for variable, value in zip(variables, rewritten.weights.get(node.path, ()), strict=True):
            variable.assign(value)
    return model


def weights_of(model: Any, graph: Graph) -> dict[str, list[Array]]:
    """Path -> weights of each layer of the graph that has any, from the layers of the model with the same names.

    Raises:
        ArchspecError: `weights-mismatch` where a layer is missing or has other weights.
    """
    layers: Mapping[str, Any] = {call.path.replace("/", "."): call.operation for call in keras_graph(model).calls}
    found = {}
    for node in graph.layers:
        if not node.facts.weights:
            continue
        variables = [each for name in node.weighted_layers for each in getattr(layers.get(name), "weights", ())]
        if [tuple(each.shape) for each in variables] != [weight.shape for weight in node.facts.weights]:
            raise fail("weights-mismatch", f"the weights of the layer `{node.path}` are not those of its graph")
        found[node.path] = [np.asarray(each.numpy()) for each in variables]
    return found


def input_affine(preprocess: Sequence[Transform], input_shape: tuple[int | None, ...]) -> ChannelAffine | None:
    """The composition of transforms that multiply and add in each channel; None without any, or with another one."""
    import tensorflow as tf

    steps = [each.for_input(input_shape) for each in preprocess]
    if not steps or not all(isinstance(each, Affine) for each in steps):
        return None
    channels = input_shape[-1] or 1
    factor, offset = composed(tf, [each.factors(tf, tf.zeros((1, 0))) for each in steps if isinstance(each, Affine)])
    scale, shift = (
        np.full(channels, empty)
        if value is None
        else np.broadcast_to(np.asarray(value, np.float64).reshape(-1), channels).copy()
        for value, empty in ((factor, 1.0), (offset, 0.0))
    )
    return ChannelAffine(scale, shift)
