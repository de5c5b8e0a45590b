"""Variants of the network that is exported: another input size, fully convolutional, rewritten, at lower precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from archspec.diagnostics import ArchspecError, fail
from archspec.graph.compile.inference import at_size
from archspec.graph.ir import Graph
from archspec.ops.base import Shape, show
from archspec.runtime.dense.convert import convolutionalize, copy_weights, graph_of
from archspec.runtime.dense.for_inference import nodes_of, optimize
from archspec.runtime.export.network import ExportedNetwork, entering
from archspec.runtime.export.read_network import features_of
from archspec.runtime.models.build import build_model

FREE = "free"
"""`--input-size free`."""


def dense_form(network: ExportedNetwork, outputs: Sequence[str] = ()) -> ExportedNetwork:
    """The fully convolutional network: images of any size -> the softmax of the mean of the score map.

    At the training size its output is that of the network (Simonyan & Zisserman 2014, section 3.2).

    Raises:
        ArchspecError: those of `convolutionalize`, such as `not-convolutional`.
    """
    from archspec.graph.rewrite.fully_convolutional import convolutionalize as dense_graph

    graph = network.graph or graph_of(network.model, network.metadata)
    model = convolutionalize(network.model, graph=graph, output="softmax_of_mean")
    return _with_model(network, model, dense_graph(graph, output="softmax_of_mean"), outputs)


def at_input_size(network: ExportedNetwork, size: int | str, outputs: Sequence[str] = ()) -> ExportedNetwork:
    """The network for square images of `size` pixels, or of any size for "free"; the weights are the same.

    The size to which evaluation resizes an image grows with the input.

    Raises:
        ArchspecError: `shape` where a layer does not accept the size, such as a dense layer after `flatten`.
    """
    if not network.is_of_images:
        fact = f"the network takes {show(network.input_shape)}, not images"
        raise fail("shape", fact, help="leave `--input-size` out")
    side = None if size == FREE else int(size)
    graph = _graph(network) if network.several_outputs else network.graph or graph_of(network.model, network.metadata)
    try:
        resized = at_size(graph, (side, side, network.input_shape[-1]))
    except ArchspecError as error:
        help = "`--dense` exports the fully convolutional network, which takes images of any size"
        raise fail("shape", error.diagnostics[0].message, help=help) from error
    model = build_model(resized)
    copy_weights(network.whole, model)
    before, resize = network.input_shape[0], network.metadata.resize
    if side and before and resize:
        resize = round(resize * side / before)
    metadata = replace(network.metadata, resize=resize)
    return _with_model(replace(network, metadata=metadata), model, resized, outputs)


def _with_model(network: ExportedNetwork, model: Any, graph: Graph, outputs: Sequence[str]) -> ExportedNetwork:
    from archspec.runtime.models.classifier import main_output

    typical: Shape = network.typical_shape or network.input_shape
    if network.several_outputs:
        return replace(_split(network, model), graph=graph, typical_shape=typical)
    main = main_output(model)
    features = features_of(main, outputs)
    return replace(
        network, model=main, features=features, feature_names=tuple(outputs), graph=graph, typical_shape=typical
    )


def optimized(network: ExportedNetwork, *, takes_pixels: bool) -> tuple[ExportedNetwork, tuple[str, ...]]:
    """The network rewritten for inference, and what was done; with pixels its first layer may normalize them.

    Raises:
        ArchspecError: those of `archspec.runtime.dense.for_inference.optimize`.
    """
    rewritten = optimize(
        network.whole,
        graph=_graph(network),
        every_output=True,
        preprocess=network.preprocess if takes_pixels else (),
    )
    preprocess = () if rewritten.input_absorbed else network.preprocess
    return replace(_split(network, rewritten.model), preprocess=preprocess, graph=rewritten.graph), rewritten.rewrites


def at_precision(network: ExportedNetwork, dtype: str) -> ExportedNetwork:
    """The network with weights and arithmetic in `float16` or `bfloat16`; its outputs are float32."""
    from archspec.runtime.dense.for_inference import weights_of

    graph = _graph(network)
    weights = weights_of(network.whole, graph)
    with _dtype_policy(dtype):
        model = build_model(graph)
    layers = {layer.name: layer for layer in model.layers}
    for node in graph.layers:
        variables = [variable for name in node.weighted_layers for variable in layers[name].weights]
        for variable, value in zip(variables, weights.get(node.path, ()), strict=True):
            variable.assign(value)
    return _split(network, model)


def _graph(network: ExportedNetwork) -> Graph:
    """The graph of the network, whose outputs are the main one, then those of `features`.

    Raises:
        ArchspecError: those of `graph_of`; `unknown-layer`.
    """
    graph = network.graph or graph_of(network.whole, network.metadata)
    chosen = list(graph.outputs[: 1 + len(network.feature_names) * network.several_outputs])
    for path in () if network.several_outputs else network.feature_names:
        chosen += nodes_of(graph, path)
    return replace(graph, outputs=tuple(chosen), loss_weights=(1.0,) * len(chosen), output_names=())


def _split(network: ExportedNetwork, model: Any) -> ExportedNetwork:
    """The network with the outputs of a model: the main one, then the others or the features."""
    import keras

    if len(model.outputs) == 1:
        return replace(network, model=model, features=None)
    main = keras.Model(entering(model), model.outputs[0], name=model.name)
    return replace(network, model=main, features=keras.Model(entering(model), model.outputs[1:]))


@contextmanager
def _dtype_policy(dtype: str) -> Iterator[None]:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
