"""A network as a classifier: its input shape, the targets of its outputs, and its scores before their activations.

A spec ends in `softmax`, in `sigmoid`, or in a layer without an activation. The loss is computed from the scores
(logits) before the activation, which is precise where a probability is near 0 or 1.
"""

from __future__ import annotations

from typing import Any

from archspec.diagnostics import fail, listed
from archspec.graph.compile.inference import one_input
from archspec.graph.ir import Graph, Node
from archspec.ops.base import show
from archspec.runtime.models.metadata import Metadata
from archspec.targets import TARGETS, OutputTarget, OutputTargets, Target
from archspec.targets.output_targets import named_outputs

ENDS = ("softmax", "log_softmax", "sigmoid")
"""The operators at the end of an output that say what it is trained on; any other end is without an activation."""
HELP = "end a classifier in `dense: $classes` and `softmax`"
POOLED = "for one label an image, write `- flatten` or `- global_avgpool` before the last layer"
VECTORS = (
    "archspec trains and evaluates networks with one input, whose outputs are vectors: classes, labels or numbers; "
    "`archspec export` takes all others too"
)


def training_targets(graph: Graph, reference: str, loss: str) -> tuple[tuple[int, ...], OutputTargets]:
    """The input shape of a network, and the target of each of its outputs, from the static graph.

    Args:
        loss: the name of the recipe's loss, which says whether an output without an activation predicts numbers.

    Raises:
        ArchspecError: `several-inputs`; `free-input` for a free side of the input; `no-classifier` for an output that
            is not (units,) or has no target; `recipe` for a loss that applies to no output.
    """
    one_input(graph, "training", help=VECTORS)
    input_shape = graph.input_shape
    if None in input_shape:
        raise fail(
            "free-input",
            f"the input of `{reference}` is {show(input_shape)}, but training needs a fixed size",
            help="set the size, for example `--set input=[64,64,3]`",
        )
    nodes = [graph.nodes[index] for index in graph.outputs]
    names = graph.output_names or named_outputs(node.path for node in nodes)
    found = []
    for node, name in zip(nodes, names, strict=True):
        what = f"the output `{node.path}` of `{reference}`" if len(nodes) > 1 else f"`{reference}`"
        found.append(OutputTarget(_kind(node, what, loss), node.shape[-1] or 0, name))
    targets = OutputTargets(tuple(found))
    if loss != "categorical_crossentropy" and not any(loss_applies(target.kind, loss) for target in found):
        kinds = listed(f"`{name}`" for name in dict.fromkeys(each for t in found for each in t.kind.losses))
        raise fail(
            "recipe",
            f"the loss `{loss}` does not apply to an output that ends in `{found[0].kind.activation}`",
            help=f"use one of {kinds}",
        )
    return tuple(side or 0 for side in input_shape), targets


def _kind(node: Node, what: str, loss: str) -> Target:
    """The kind of target of an output. Raises `no-classifier`."""
    end = node.op.name if node.op.name in ENDS else "linear"
    shape = node.shape
    if len(shape) == 1 and shape[0]:
        kind = next((kind for each in TARGETS.values() if (kind := each()).fits(end, shape[0], loss)), None)
        if kind is not None:
            return kind
    if shape == (1,) and end == "linear":
        raise fail(
            "no-classifier",
            f"{what} returns one number, without an activation",
            node.span,
            help="end it in `sigmoid` for two classes, or set `train.loss` to `mean_squared_error` to predict a number",
        )
    raise fail(
        "no-classifier",
        f"{what} returns {show(shape)}, not the scores of two or more classes",
        None if what.startswith("`") else node.span,
        help=HELP if len(shape) == 1 else f"{POOLED}; {VECTORS}",
    )


def loss_applies(kind: Target, loss: str) -> bool:
    """Whether a loss of Keras, which the recipe names, applies to a kind of target."""
    return kind.name == "classes" or loss in kind.losses


def targets_of_model(model: Any, metadata: Metadata) -> OutputTargets:
    """The targets of a trained network: those of its file, or by its end, for a network of Keras."""
    import keras

    if metadata.targets:
        return OutputTargets(metadata.targets)
    layer, units = _last_layer(model, 0), int(model.outputs[0].shape[-1] or 0)
    sigmoid = getattr(layer, "activation", None) is keras.activations.sigmoid and len(model.outputs[0].shape) == 2
    kind = TARGETS[("binary" if units == 1 else "multi-label") if sigmoid else "classes"]()
    return OutputTargets((OutputTarget(kind, units, "", metadata.class_names or ()),))


def scores_models(model: Any, targets: OutputTargets) -> list[Any]:
    """For each output, the keras.Model to its scores before the activation, (B, units); the main output first.

    Raises:
        ArchspecError: `no-classifier` when the network has several inputs, or an output that its target does not fit.
    """
    _one_input(model)
    kinds = [targets[0].kind if len(targets) == 1 else target.kind for target in targets]
    kinds = kinds * len(model.outputs) if len(targets) == 1 else kinds
    return [_scores_model(model, number, kind.activation) for number, kind in enumerate(kinds)]


def scores_of(model: Any, targets: OutputTargets) -> Any:
    """The keras.Model from the input to the scores of all targets side by side, (B, units). Raises as scores_models."""
    import keras

    _one_input(model)
    heads = [_scores_model(model, number, target.kind.activation) for number, target in enumerate(targets)]
    if len(heads) == 1:
        return heads[0]
    together = keras.layers.Concatenate()([head.outputs[0] for head in heads])
    return keras.Model(model.inputs[0], together)


def logits_of(model: Any) -> Any:
    """The keras.Model from the same input to logits (B, classes), which shares the layers of `model`.

    Of several outputs the first one is the main one; the layers of the others are left out.

    Raises:
        ArchspecError: `no-classifier` when the network has several inputs, an output that is not (classes,) with at
            least two of them, or an activation other than softmax at its end.
    """
    _one_input(model)
    return _scores_model(model, 0, "softmax")


def _one_input(model: Any) -> None:
    if len(model.inputs) != 1:
        raise fail(
            "no-classifier",
            f"the network has {len(model.inputs)} inputs",
            help=VECTORS,
        )


def _scores_model(model: Any, number: int, activation: str) -> Any:
    """The keras.Model to the scores of an output that ends in this activation, `softmax`, `sigmoid` or `linear`."""
    import keras

    output = model.outputs[number]
    shape = tuple(output.shape[1:])
    if len(shape) != 1 or shape[0] is None or (shape[0] < 2 and activation == "softmax"):
        raise fail(
            "no-classifier",
            f"the network returns {show(shape)}, not the scores of two or more classes",
            help=HELP if len(shape) == 1 else VECTORS,
        )
    layer = _last_layer(model, number)
    if isinstance(layer, keras.layers.Softmax) and activation == "softmax":
        return keras.Model(model.inputs[0], layer.input)
    if isinstance(layer, keras.layers.Layer) and not hasattr(layer, "layers"):
        own = getattr(layer, "activation", keras.activations.linear)
        if own is keras.activations.linear or (own is keras.activations.log_softmax and activation == "softmax"):
            return model if len(model.outputs) == 1 else keras.Model(model.inputs[0], output)
        if own in (keras.activations.softmax, keras.activations.sigmoid) and own.__name__ == activation:
            if isinstance(layer, keras.layers.Activation):
                return keras.Model(model.inputs[0], layer.input)
            # a dense layer with an activation, as in the examples of Keras
            scores = keras.ops.log(keras.ops.clip(output, 1e-30, 1.0))
            if activation == "sigmoid":
                scores -= keras.ops.log(keras.ops.clip(1 - output, 1e-7, 1.0))
            return keras.Model(model.inputs[0], scores)
        end = getattr(own, "__name__", str(own))
    else:
        end = getattr(layer, "name", "an operation")
    raise fail("no-classifier", f"the network ends in `{end}`", help=HELP)


def _last_layer(model: Any, number: int) -> Any:
    """The layer that computes an output; None for an operation that is not a layer."""
    if not hasattr(model, "output_names"):  # Sequential
        return model.layers[-1]
    return next((layer for layer in model.layers if layer.name == model.output_names[number]), None)


def ends_in_probabilities(model: Any) -> bool:
    """Whether the main output, of any shape, ends in softmax or sigmoid."""
    import keras

    layer = _last_layer(model, 0)
    return isinstance(layer, keras.layers.Softmax) or getattr(layer, "activation", None) in (
        keras.activations.softmax,
        keras.activations.sigmoid,
    )


def main_output(model: Any) -> Any:
    """`model` without its auxiliary outputs and their layers."""
    import keras

    return model if len(model.outputs) == 1 else keras.Model(model.inputs[0], model.outputs[0])
