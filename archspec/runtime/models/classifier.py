"""A network as a classifier: its input shape, its classes and its logits.

A spec ends in `softmax`. The loss is computed from the logits before it, which is precise where a probability is near
0 or 1. A network that ends in a linear layer outputs logits.
"""

from __future__ import annotations

from typing import Any

from archspec.diagnostics import fail
from archspec.graph.compile.inference import one_input
from archspec.ops.base import show

HELP = "end a classifier in `dense: $classes` and `softmax`"


def classifier_shapes(graph: Any, reference: str) -> tuple[tuple[int, ...], int]:
    """The input shape of a network and its number of classes, from the static graph.

    Raises:
        ArchspecError: `several-inputs`; `free-input` for a free side of the input; `no-classifier` for an output that
            is not (classes,).
    """
    one_input(graph, "training")
    input_shape, output_shape = graph.input_shape, graph.output_shape
    if None in input_shape:
        raise fail(
            "free-input",
            f"the input of `{reference}` is {show(input_shape)}, but training needs a fixed size",
            help="set the size, for example `--set input=[64,64,3]`",
        )
    for index in graph.outputs[1:]:
        node = graph.nodes[index]
        if node.shape != output_shape:
            raise fail(
                "no-classifier",
                f"the output `{node.path}` has the shape {show(node.shape)}, but the main output {show(output_shape)}",
                node.span,
                help="an auxiliary output must have the same classes as the main output",
            )
    if len(output_shape) != 1 or output_shape[0] is None or output_shape[0] < 2:
        raise fail(
            "no-classifier",
            f"`{reference}` returns {show(output_shape)}, not the scores of two or more classes",
            help=HELP,
        )
    return tuple(input_shape), output_shape[0]


def logits_of(model: Any) -> Any:
    """The keras.Model from the same input to logits (B, classes), which shares the layers of `model`.

    Of several outputs the first one is the main one; the layers of the others are left out.

    Raises:
        ArchspecError: `no-classifier` when the network has several inputs, an output that is not (classes,) with at
            least two of them, or an activation other than softmax at its end.
    """
    if len(model.inputs) != 1:
        raise fail(
            "no-classifier",
            f"the network has {len(model.inputs)} inputs",
            help="only networks with one input are trained and evaluated",
        )
    return _logits_model(model, 0)


def logits_models(model: Any) -> list[Any]:
    """The logits models of all outputs: the main one, then the auxiliary classifiers. Raises as `logits_of`."""
    return [logits_of(model), *(_logits_model(model, number) for number in range(1, len(model.outputs)))]


def _logits_model(model: Any, number: int) -> Any:
    import keras

    output = model.outputs[number]
    shape = tuple(output.shape[1:])
    if len(shape) != 1 or shape[0] is None or shape[0] < 2:
        raise fail(
            "no-classifier", f"the network returns {show(shape)}, not the scores of two or more classes", help=HELP
        )
    layer = _last_layer(model, number)
    if isinstance(layer, keras.layers.Softmax):
        return keras.Model(model.inputs[0], layer.input)
    if isinstance(layer, keras.layers.Layer) and not hasattr(layer, "layers"):
        activation = getattr(layer, "activation", keras.activations.linear)
        if activation in (keras.activations.linear, keras.activations.log_softmax):
            return model if len(model.outputs) == 1 else keras.Model(model.inputs[0], output)
        if activation is keras.activations.softmax:
            if isinstance(layer, keras.layers.Activation):
                return keras.Model(model.inputs[0], layer.input)
            # a dense layer with softmax, as in the examples of Keras
            return keras.Model(model.inputs[0], keras.ops.log(keras.ops.clip(output, 1e-30, 1.0)))
        end = getattr(activation, "__name__", str(activation))
    else:
        end = getattr(layer, "name", "an operation")
    raise fail("no-classifier", f"the network ends in `{end}`", help=HELP)


def _last_layer(model: Any, number: int) -> Any:
    """The layer that computes an output; None for an operation that is not a layer."""
    if not hasattr(model, "output_names"):  # Sequential
        return model.layers[-1]
    return next((layer for layer in model.layers if layer.name == model.output_names[number]), None)


def probabilities_of(model: Any) -> Any:
    """The keras.Model from the same input to probabilities (B, classes); `model` itself if it ends in softmax.

    Raises:
        ArchspecError: `no-classifier`, as `logits_of`.
    """
    import keras

    logits_model = logits_of(model)
    if logits_model.outputs[0] is model.outputs[0]:  # no softmax at the end
        return keras.Model(model.inputs[0], keras.ops.softmax(logits_model.outputs[0]))
    return main_output(model)


def main_output(model: Any) -> Any:
    """`model` without its auxiliary outputs and their layers."""
    import keras

    return model if len(model.outputs) == 1 else keras.Model(model.inputs[0], model.outputs[0])
