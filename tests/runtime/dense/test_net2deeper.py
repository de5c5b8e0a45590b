"""He et al. 2016, section 1: a shallower network and identity layers are a deeper network of the same function."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import archspec
from archspec.diagnostics import ArchspecError
from archspec.graph.decompile import decompile
from archspec.graph.diff.isomorphism import same_network
from archspec.graph.rewrite.net2deeper import deepen as deeper_graph
from archspec.runtime.dense.net2deeper import deepen
from archspec.runtime.models.build import build_model
from tests.runtime.dense.nets import Net, graph, nets
from tests.runtime.weights.random_weights import randomize


@settings(
    max_examples=15,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(nets(), st.integers(1, 3), st.sampled_from([1, 3, 5]))
def test_the_deeper_network_computes_the_same_to_the_bit(net: Net, count: int, kernel_size: int) -> None:
    text = net.spec(net.size()).replace("tanh", "relu")
    spec = graph(text)
    relus = sum(node.op.name == "relu" for node in spec.layers)
    if not relus:
        return
    model = randomize(build_model(spec))
    deeper = deepen(model, {"**": count}, graph=spec, kernel_size=kernel_size)
    assert len(deeper.layers) == len(model.layers) + 2 * count * relus
    x = np.random.default_rng(0).normal(size=(3, *spec.input_shape)).astype("float32")
    np.testing.assert_array_equal(np.asarray(deeper(x)), np.asarray(model(x)))


@pytest.mark.parametrize(
    ("shallow", "after", "deep"),
    [
        ("vgg:A", ["conv1_1/conv3/relu", "conv2_1/conv3/relu"], "vgg:B"),
        ("vgg:B", ["conv3_2/conv3/relu", "conv4_2/conv3/relu", "conv5_2/conv3/relu"], "vgg:D"),
        ("vgg:A", {"conv[12]_1/conv3/relu": 1, "conv[345]_2/conv3/relu": 2}, "vgg:E"),
    ],
)
def test_table_1_of_vgg_is_made_of_its_shallower_columns(
    shallow: str, after: dict[str, int] | list[str], deep: str
) -> None:
    found = deeper_graph(archspec.load(shallow).graph(), after).graph
    assert same_network(found, archspec.load(deep).graph()) is not None
    assert decompile(found, "deeper", "made deeper").graph.params == archspec.load(deep).graph().params


def test_the_plain_34_layers_are_the_plain_18_and_identities_with_batch_normalization() -> None:
    """Figure 3: units of two convolutions, 2, 2, 2, 2 of them against 3, 4, 6, 3."""
    shallow, deep = (archspec.load(f"resnet:plain-{layers}").graph() for layers in (18, 34))
    more = {"conv2_x": 1, "conv3_x": 2, "conv4_x": 4, "conv5_x": 1}
    after = {f"{stage}/2/basic/relu_2": 2 * units for stage, units in more.items()}
    found = deeper_graph(shallow, after, normalized=True).graph
    assert same_network(found, deep) is not None


def test_identities_with_batch_normalization_keep_the_function() -> None:
    spec = archspec.load("resnet-cifar:plain-20").graph()
    model = randomize(build_model(spec))
    deeper = deepen(model, {"**/relu_2": 2}, graph=spec, normalized=True)
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(np.asarray(deeper(x)), np.asarray(model(x)), atol=1e-6)
    assert len([layer for layer in deeper.layers if "Conv2D" in type(layer).__name__]) == 19 + 9 * 2


def test_what_cannot_be_an_identity_is_refused() -> None:
    spec = graph("name: net\ninput: [4, 4, 2]\nlayers:\n  - conv: 3\n  - tanh\n  - relu: {max_value: 6}\n  - relu\n")
    for after in (["tanh"], ["relu"], ["nothing/**"]):
        with pytest.raises(ArchspecError, match="no relu matches"):
            deeper_graph(spec, after)
    assert deeper_graph(spec, ["relu_2"]).identities == ("relu_2_identity/conv",)
    with pytest.raises(ArchspecError, match="an identity layer needs an odd window"):
        deeper_graph(spec, ["relu_2"], kernel_size=2)
    with pytest.raises(ArchspecError, match="cannot add 0 layers"):
        deeper_graph(spec, {"relu_2": 0})
