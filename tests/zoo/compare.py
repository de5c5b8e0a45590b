"""Compare one of our networks with the function of keras.applications that builds the same one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from archspec import api
from tests.zoo.cases import Case

BOUND = 1e-5
"""The largest difference that the rounding of float32 in another order of operations may make."""
LEAST_SENSITIVITY = 0.05


@dataclass(frozen=True)
class Comparison:
    """What was measured.

    Attributes:
        difference: the largest between two logits, as a share of the largest logit.
        sensitivity: the largest between the logits of two inputs, as the same share: where it is small, the logits
            hardly depend on the input, and agreeing means little.
        layers: how many layers had weights to copy.
    """

    difference: float
    sensitivity: float
    layers: int

    @property
    def equal(self) -> bool:
        return self.difference <= BOUND and self.sensitivity >= LEAST_SENSITIVITY


def compare(case: Case, seed: int = 0) -> Comparison:
    """Build the reference with random weights, give them to our network, and compare the logits of random images.

    Raises AssertionError when the graphs of the two are not the same.
    """
    import keras
    import numpy as np

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    shape = (case.side, case.side + 6, 3)
    build = getattr(keras.applications, case.function)
    reference = build(weights=None, input_shape=shape, classifier_activation=None, **case.arguments)
    network = api.load(case.reference, input=list(shape), **case.settings)
    model = network.build()
    images = random.uniform(0, 255, (4, *shape)).astype("float32")
    if not _normalizes(network):
        images = images / 127.5 - 1
    _take_statistics(reference, model)
    _randomize(reference, images, random)
    layers = _copy(reference, model)
    expected = np.asarray(reference(images, training=False))
    actual = np.asarray(_logits(network, model)(images, training=False))
    assert np.isfinite(expected).all()
    scale = np.abs(expected).max()
    difference = float(np.abs(actual - expected).max() / scale)
    sensitivity = float(np.abs(expected[1:] - expected[:-1]).max() / scale)
    return Comparison(difference, sensitivity, layers)


def _normalizes(network: api.Network) -> bool:
    """Whether the network takes pixels of 0 to 255 as they are."""
    return any(node.op.name in ("normalize", "rescale") for node in network.graph().nodes[1:3])


def _take_statistics(reference: Any, model: Any) -> None:
    """Where the reference learns the statistics of its input (EfficientNet), give it those of the spec."""
    import keras

    for layer in reference.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:
            (ours,) = (each for each in model.layers if isinstance(each, keras.layers.Normalization))
            pixels = 255.0  # the reference rescales first, and the spec does both at once
            mean, variance, _ = layer.weights
            mean.assign(ours.mean[0, 0, 0] / pixels)
            variance.assign(ours.variance[0, 0, 0] / pixels**2)
            layer.finalize_state()


def _randomize(reference: Any, images: Any, random: Any) -> None:
    """Random gammas, betas and biases; moving statistics that are those of `images` under these random weights.

    Statistics of their own, drawn at random, would let the signal die out or explode with the depth, and with it every
    rounding. In networks without batch normalization the kernels are large enough to keep it alive (He et al. 2015).
    """
    import keras
    import numpy as np

    normalized = [layer for layer in _layers(reference) if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in _layers(reference):
        for variable in layer.weights:
            shape = tuple(variable.shape)
            if variable.name == "gamma" or type(layer).__name__ == "LayerScale":
                variable.assign(random.uniform(0.5, 1.5, shape))
            elif variable.name in ("beta", "bias"):
                variable.assign(random.normal(0, 0.1, shape))
            elif variable.name == "kernel" and not normalized and len(shape) > 1:
                variable.assign(random.normal(0, math.sqrt(2 / math.prod(shape[:-1])), shape))
    momenta = [layer.momentum for layer in normalized]
    for layer in normalized:
        layer.momentum = 0.0
    if normalized:
        reference(images, training=True)
    for layer, momentum in zip(normalized, momenta, strict=True):
        layer.momentum = momentum
        variance = np.asarray(layer.moving_variance)
        layer.moving_variance.assign(variance + 0.05 * variance.mean() + 1e-6)  # a 1x1 map may have none


def _layers(model: Any) -> Any:
    """All layers, those of nested models included."""
    return model._flatten_layers(include_self=False, recursive=True)


def _copy(reference: Any, model: Any) -> int:
    """Give the weights of the reference to our model by their places in the graphs. Returns the number of layers."""
    from archspec.runtime.models.keras_graph import keras_graph
    from archspec.runtime.weights.keras_units import model_slots
    from archspec.runtime.weights.structure import by_graph
    from archspec.runtime.weights.weight_file import of_model

    source, ours = of_model(reference), keras_graph(model)
    assert source.graph is not None
    matching = by_graph(ours, model_slots(ours), source.graph, dict(zip(source.positions, source.units, strict=True)))
    assert matching is not None, "the graphs differ"
    for slot, unit in matching.pairs:
        for variable, tensor in zip(slot.variables, unit.tensors, strict=True):
            variable.assign(tensor.read().reshape(variable.shape))
    return len(matching.pairs)


def _logits(network: api.Network, model: Any) -> Any:
    """The model up to what its softmax reads."""
    import keras

    graph = network.graph()
    node = graph.nodes[graph.outputs[0]]
    assert node.op.name == "softmax"
    return keras.Model(model.input, model.get_layer(node.keras_name).input)
