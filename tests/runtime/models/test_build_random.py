"""Random specs: whatever checks also builds, exactly as the static graph says, computes, and is read back."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from archspec.api import Network
from archspec.diagnostics import ArchspecError, Source
from archspec.runtime.models.build import build_model
from tests.agreement import assert_agree
from tests.strategies import networks, specs

FREE = 23  # pixels along an axis of free size
UNBOUNDED = {"divide", "exp", "exponential", "log", "power", "reciprocal", "rsqrt", "sqrt", "square"}
"""Operators that overflow when they are applied again and again, or are not defined everywhere."""


EXAMPLES = settings(
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a spec is readable as it is, and shrinking it takes minutes
    suppress_health_check=list(HealthCheck),
)


@settings(EXAMPLES, max_examples=15)
@given(specs(inputs=True))
def test_every_random_spec_that_checks_is_built_exactly_and_computes(text: str) -> None:
    check(text)


@pytest.mark.slow
@settings(EXAMPLES, max_examples=200)
@given(specs(inputs=True))
def test_many_random_specs_are_built_exactly_and_compute(text: str) -> None:
    check(text)


def check(text: str) -> None:
    note(text)
    for network in networks(Source("random.yaml", text)):
        graph = network.graph()
        model = build_model(graph)
        assert_agree(graph, model)
        shapes = [[FREE if size is None else size for size in node.shape] for node in graph.inputs]
        free = any(None in node.shape for node in graph.inputs)
        if free and (len(shapes) > 1 or "shape[" in text):
            continue  # no setting gives sizes to several inputs, and `$(shape[0])` of a known size is another network
        settings = {"input": shapes[0]} if len(shapes) == 1 else {}
        try:
            known = Network(network.spec, network.reference, network.variant, settings).graph()
        except ArchspecError:
            continue  # FREE pixels are too few for this network, which a free size cannot tell
        images = [np.random.default_rng(0).uniform(size=(2, *shape)).astype("float32") for shape in shapes]
        outputs = computed(model, images)
        assert [each.shape for each in outputs] == [(2, *known.nodes[i].shape) for i in known.outputs]
        if not UNBOUNDED & {node.op.name for node in graph.layers}:
            assert all(np.isfinite(each).all() for each in outputs)

        again = keras.Model.from_config(model.get_config())
        assert_agree(graph, again)
        again.set_weights(model.get_weights())
        for one, other in zip(outputs, computed(again, images), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)  # groups are summed in another order


def computed(model: keras.Model, images: list[np.ndarray]) -> list[np.ndarray]:
    """The outputs of a model, also where it has a single one, or a single input."""
    outputs = model(images if len(images) > 1 else images[0])
    return [np.asarray(each) for each in (outputs if isinstance(outputs, list) else [outputs])]
