"""What activations do with a gradient: the gradient itself, guided backpropagation, or the deconvnet.

At a ReLU with input x and gradient g (Springenberg et al. 2014, figure 1):
gradient: g where x > 0; deconvnet: g where g > 0; guided backpropagation: g where both are positive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.runtime.explain.open_network import OpenNetwork

RECTIFIERS = (
    *("relu", "relu6", "leaky_relu", "prelu", "elu", "celu", "selu", "silu", "swish", "gelu", "mish"),
    *("hard_silu", "hard_swish", "softplus", "squareplus", "threshold"),
)
"""Activations to which the rules apply. Others, such as the sigmoid of a gate, keep their gradient."""
EXACT = ("relu", "relu6")
"""Those for which the papers define the rules; a kept one is named in the notes."""
LAYERS = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "PReLU": "prelu", "ELU": "elu"}
"""Layers of Keras that are an activation with arguments."""


class BackwardRule:
    """The gradient itself; the base of the other rules."""

    name = "gradient"

    def activate(self, function: Callable[[Any], Any], x: Any) -> Any:
        """f(x), whose gradient follows the rule."""
        return function(x)

    def skipped(self, network: OpenNetwork) -> dict[int, tuple[int, int]]:
        """Last call of each normalization that the rule leaves out on the way down -> where its input comes from."""
        return {}

    def skip(self, x: Any, y: Any) -> Any:
        """y, whose gradient goes to x unchanged."""
        return _passed(x, y)

    def apply(self, operation: Any, args: Any, kwargs: Any) -> Any:
        """Call a layer or an operation."""
        name = activation_name(operation)
        if self is PLAIN or name not in RECTIFIERS:
            return operation(*args, **kwargs)
        if type(operation).__name__ == "Activation" or not hasattr(operation, "activation"):
            return self.activate(lambda x: operation(x, *args[1:], **kwargs), args[0])
        function = operation.activation
        return with_activation(operation, lambda x: self.activate(function, x), args, kwargs)


class GuidedRule(BackwardRule):
    """Only positive gradients go on, multiplied by the derivative of the activation."""

    name = "guided"

    def activate(self, function: Callable[[Any], Any], x: Any) -> Any:
        """f(x) with the gradient f'(x) max(g, 0)."""
        return _rectified(function(x))


class DeconvnetRule(BackwardRule):
    """The signal is rectified on its way down, wherever the activation was; local response normalization is left out.

    Zeiler & Fergus 2014, section 2.1: the same ReLU is applied to the reconstructed signal, and the path down has no
    contrast normalization.
    """

    name = "deconvnet"

    def activate(self, function: Callable[[Any], Any], x: Any) -> Any:
        """f(x) with the gradient max(g, 0)."""
        return _rectified(_passed(x, function(x)))

    def skipped(self, network: OpenNetwork) -> dict[int, tuple[int, int]]:
        """The local response normalizations of a network that archspec built."""
        names = response_normalizations(network)
        found = {}
        for index, call in enumerate(network.calls):
            if call.path in names:
                source = (index, 0)
                while f"{network.calls[source[0]].path}.".startswith(f"{call.path}."):
                    source = network.calls[source[0]].inputs[0]
                found[index] = source
        return found


PLAIN, GUIDED, DECONVNET = BackwardRule(), GuidedRule(), DeconvnetRule()


def activation_name(operation: Any) -> str | None:
    """The name of the activation that a layer or an operation is or contains: `relu`; None for none."""
    kind = type(operation).__name__
    if kind == "ReLU":
        plain_6 = operation.max_value == 6 and not operation.negative_slope and not operation.threshold
        return "relu6" if plain_6 else "leaky_relu" if operation.negative_slope else "relu"
    if kind in LAYERS:
        return LAYERS[kind]
    if hasattr(operation, "activation"):
        return getattr(operation.activation, "__name__", None)
    import keras

    if isinstance(operation, keras.Layer):
        return None
    words = "".join(f"_{each.lower()}" if each.isupper() else each for each in kind).strip("_")
    return {"re_lu": "relu", "relu": "relu", "relu6": "relu6"}.get(words, words)


def inexact_activations(network: OpenNetwork) -> list[str]:
    """The kinds of activations in a network for which the papers define no rule: `silu`."""
    names = {activation_name(call.operation) for call in network.calls}
    return sorted(name for name in names if name in RECTIFIERS and name not in EXACT)


def response_normalizations(network: OpenNetwork) -> set[str]:
    """Keras names of the `lrn` layers of a network that archspec built, whose spec the model file contains."""
    from archspec.diagnostics import ArchspecError, Source
    from archspec.graph.compile.compiler import compile_spec
    from archspec.lang.spec.spec import parse

    if network.metadata.spec is None:
        return set()
    try:
        graph = compile_spec(parse(Source("archspec.json", network.metadata.spec)))
    except ArchspecError:  # of a plugin that is not installed
        return set()
    return {node.keras_name for node in graph.layers if node.op.name == "lrn"}


def with_activation(layer: Any, function: Callable[[Any], Any] | None, args: Any, kwargs: Any) -> Any:
    """Call a layer with another function for its activation; None for no activation."""
    kept = layer.activation
    layer.activation = function if function is not None else lambda x: x
    try:
        return layer(*args, **kwargs)
    finally:
        layer.activation = kept


def _rectified(y: Any) -> Any:
    """y, whose gradient g becomes max(g, 0)."""
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def rectify(y: Any) -> Any:
        return tf.identity(y), tf.nn.relu

    return rectify(y)


def _passed(x: Any, y: Any) -> Any:
    """y, whose gradient goes to x unchanged."""
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def passed(x: Any, y: Any) -> Any:
        return tf.identity(y), lambda g: (tf.cast(g, x.dtype), None)

    return passed(x, y)
