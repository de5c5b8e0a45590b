"""Networks with several inputs: what Keras builds agrees with the graph, is optimized, and is read back."""

from pathlib import Path

import numpy as np
import pytest

from archspec import api
from archspec.diagnostics import ArchspecError, Source
from archspec.graph.ir import Graph
from archspec.runtime.dense.for_inference import optimize
from archspec.runtime.from_keras import spec_of
from archspec.runtime.models.build import build_model
from archspec.runtime.models.classifier import training_targets
from tests.agreement import assert_agree
from tests.strategies import networks

GOOD = Path(__file__).parents[2] / "examples" / "good" / "several-inputs.yaml"


def siamese() -> Graph:
    """The spec with smaller towers."""
    text = (Path(__file__).parents[3] / "specs" / "siamese.yaml").read_text(encoding="utf-8")
    text = text.replace("105, 105", "82, 82").replace("4096", "7").partition("expect:")[0]
    for size in ("64", "128", "256"):
        text = text.replace(f"filters: {size}", "filters: 4")
    return networks(Source("siamese.yaml", text))[0].graph()


def test_keras_builds_inputs_and_outputs_as_the_graph_says() -> None:
    graph = api.load(str(GOOD)).graph()
    model = build_model(graph)
    assert_agree(graph, model)
    mask, label = model({"image": np.ones((2, 12, 14, 3)), "numbers": np.ones((2, 5))})
    assert (mask.shape, label.shape) == ((2, 12, 14, 2), (2, 3))


def test_a_siamese_network_compares_images_by_one_tower() -> None:
    graph = siamese()
    model = build_model(graph)
    values = np.random.default_rng(0)
    model.set_weights([values.normal(size=each.shape) * 0.3 for each in model.get_weights()])
    one, other = values.uniform(size=(2, 3, 82, 82, 1)).astype("float32")
    np.testing.assert_allclose(model([one, other]), model([other, one]), atol=1e-6)
    bias = np.asarray(model.get_layer("dense").bias)
    np.testing.assert_allclose(model([one, one]), np.broadcast_to(1 / (1 + np.exp(-bias)), (3, 1)), atol=1e-6)
    np.testing.assert_allclose(optimize(model, graph=graph).model([one, other]), model([one, other]), atol=1e-5)
    again = networks(Source("again.yaml", spec_of(model)))[0].graph()
    assert (again.params, again.macs, again.signature) == (graph.params, graph.macs, graph.signature)


def test_training_needs_one_input() -> None:
    with pytest.raises(ArchspecError, match="training needs a network with one input") as caught:
        training_targets(siamese(), "siamese", "categorical_crossentropy")
    assert "one input, whose outputs are vectors: classes, labels or numbers" in (
        caught.value.diagnostics[0].help or ""
    )
