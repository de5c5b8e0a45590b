"""Where the logits of a network are: before its softmax, also one inside a dense layer, and before an averaging."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.diagnostics import fail
from archspec.ops.base import show
from archspec.runtime.models.keras_graph import Call, KerasGraph

ENDS = ("softmax", "log_softmax", "sigmoid")
"""Activations at the end of a classifier, whose inputs are the logits."""
RECTIFIERS = ("ReLU", "LeakyReLU", "PReLU", "ELU")
"""Layers after which there are features, and no logits."""
POINTWISE = ("Activation", "ReLU", "LeakyReLU", "Dropout", "SpatialDropout2D", "Softmax", "BatchNormalization")
"""Layers of the head of a fully convolutional network, besides convolutions and poolings."""
POOLINGS = ("AveragePooling2D", "MaxPooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D")


@dataclass(frozen=True)
class ClassifierEnd:
    """The logits of the main output."""

    index: int
    """The call whose output is the logits: (B, classes), or a map (B, H, W, classes)."""
    activation: str
    """What makes probabilities of them; `softmax` where the network ends in logits."""
    strips: int | None
    """The call itself where the activation is inside it: it is run without its activation."""
    is_map: bool
    head_start: int
    """Of a map: the first call of the head, whose layers were dense before the network was convolutionalized."""

    def scores(self, tf: Any, logits: Any) -> tuple[Any, Any]:
        """Logits and probabilities (B, classes), the means over the positions of a map.

        A single sigmoid unit stands for two classes: z is the logit of the second one, and -z that of the first.
        """
        if self.activation == "sigmoid" and logits.shape[-1] == 1:
            logits = tf.concat([-logits, logits], -1)
        function = tf.sigmoid if self.activation == "sigmoid" else tf.nn.softmax
        probabilities = function(logits)
        if not self.is_map:
            return logits, probabilities
        return tf.reduce_mean(logits, (1, 2)), tf.reduce_mean(probabilities, (1, 2))


def classifier_end(graph: KerasGraph) -> ClassifierEnd:
    """Find the logits of the first output.

    Raises:
        ArchspecError: `no-classifier` for an output that is not scores of classes.
    """
    index = graph.outputs[0][0]
    outputs = graph.calls[index].shape
    found = _activation(graph.calls[index])
    if found == "linear" and _averages(graph.calls[index]):  # `mean_scores` averages the softmax of each position
        before = graph.calls[index].inputs[0][0]
        if _activation(graph.calls[before]) in ENDS:
            index, found = before, _activation(graph.calls[before])
    strips = None
    if found in ENDS:
        if graph.calls[index].kind in ("Activation", "Softmax", "Sigmoid"):
            index = graph.calls[index].inputs[0][0]
        else:
            strips = index
    shape = graph.calls[index].shape
    numbers = found == "linear" and shape[-1] == 1  # a regression, whose softmax would be 1
    if found not in (*ENDS, "linear") or len(shape) not in (1, 3) or shape[-1] is None or numbers:
        raise fail(
            "no-classifier",
            f"the network returns {show(outputs)}, not the scores of classes",
            help="use a method of layers, such as `features`",
        )
    is_map = len(shape) == 3
    start = _head_start(graph, index) if is_map else index
    return ClassifierEnd(index, found if found in ENDS else "softmax", strips, is_map, start)


def _activation(call: Call) -> str:
    """The name of the activation that a call ends in; `linear` for none."""
    if call.kind in ("Softmax", "LogSoftmax", "Sigmoid"):  # layers, and operations of keras.ops
        return {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Sigmoid": "sigmoid"}[call.kind]
    if call.kind in RECTIFIERS:
        return "relu"
    function = getattr(call.operation, "activation", None)
    return "linear" if function is None else str(getattr(function, "__name__", function))


def _averages(call: Call) -> bool:
    return call.kind in ("GlobalAveragePooling2D", "Mean") and len(call.inputs) == 1


def _head_start(graph: KerasGraph, index: int) -> int:
    """The first call of the head: the last window of more than a pixel, and the layers of single pixels after it.

    At the size of the original network the map of classes is one pixel, so that all layers after this window were
    dense layers on a vector.
    """
    while True:
        call = graph.calls[index]
        if len(call.inputs) != 1:
            return index + 1
        if call.kind in POOLINGS or (call.kind == "Conv2D" and call.operation.kernel_size != (1, 1)):
            return index
        if call.kind not in (*POINTWISE, "Conv2D"):
            return index + 1
        index = call.inputs[0][0]
