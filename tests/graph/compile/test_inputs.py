"""Networks with several inputs and named outputs: what reads what, what is counted, and what refuses them."""

from pathlib import Path

import pytest

from archspec import api
from archspec.diagnostics import ArchspecError, Source
from archspec.drawings.styles import STYLES, draw
from archspec.graph.analysis.receptive_field import receptive_fields
from archspec.graph.compile.inference import at_size
from archspec.graph.decompile import decompile
from archspec.graph.diff.diff import difference
from archspec.graph.diff.isomorphism import same_network
from archspec.graph.ir import Graph
from archspec.graph.rewrite.fully_convolutional import convolutionalize
from tests.strategies import networks

GOOD = Path(__file__).parents[2] / "examples" / "good" / "several-inputs.yaml"


def graph(layers: str, inputs: str = "{left: [9, 8, 3], right: [9, 8, 3]}") -> Graph:
    return networks(Source("net.yaml", f"name: net\ninputs: {inputs}\nlayers: {layers}"))[0].graph()


def test_the_first_layer_reads_the_first_inputs() -> None:
    network = graph("[{name: a, conv: 3}, {name: b, conv: 3, from: right}, {add: ~, from: [a, b]}]")
    assert [network.nodes[i].path for i in network["a"].inputs] == ["left"]
    assert [network.nodes[i].path for i in network["b"].inputs] == ["right"]
    assert [node.path for node in network.inputs] == ["left", "right"]
    assert [node.path for node in network.layers] == ["a", "b", "add"]


def test_a_block_of_two_inputs_reads_both_inputs_of_the_network() -> None:
    text = """
name: net
inputs: {left: [5], right: [5]}
blocks: {pair: {inputs: [x, y], layers: [{add: ~, from: [x, y]}]}}
layers: [pair]
"""
    network = networks(Source("net.yaml", text))[0].graph()
    assert network["pair/add"].inputs == (0, 1)


def test_sizes_of_inputs_are_expressions_of_params() -> None:
    text = "name: net\nparams: {n: 4}\ninputs: {a: [$n], b: [$(2 * n)]}\nlayers: [{concat: ~, from: [a, b]}]\n"
    assert networks(Source("net.yaml", text))[0].graph().output_shape == (12,)


def test_outputs_have_names_and_weights() -> None:
    network = api.load(str(GOOD)).graph()
    assert network.named_outputs == {"mask": (12, 14, 2), "label": (3,)}
    assert network.loss_weights == (1.0, 0.5)
    assert network.signature == "image (12, 14, 3), numbers (5,) -> mask (12, 14, 2), label (3,)"


def test_figures_count_every_input() -> None:
    network = graph("[{name: a, conv: 3}, {name: b, share: a, from: right}, {add: ~, from: [a, b]}]")
    assert network.params == 3 * 3 * 3 * 3 + 3
    assert network.macs == 2 * 7 * 6 * 3 * 3 * 3 * 3
    (field,) = {each.size for each in receptive_fields(network)[2:] if each}
    assert field == (3, 3)


def test_inputs_of_different_ranks_have_no_common_receptive_field() -> None:
    assert set(receptive_fields(api.load(str(GOOD)).graph())) == {None}


def test_networks_with_several_inputs_are_compared_by_the_names_of_inputs() -> None:
    one = graph("[{name: a, conv: 3}, {name: b, conv: 3, from: right}, {add: ~, from: [a, b]}]")
    other = graph("[{name: a, conv: 3, from: right}, {name: b, conv: 3, from: left}, {add: ~, from: [a, b]}]")
    assert difference(one, one).identical
    changes = [change for change in difference(one, other).changes if change.sign != "="]
    assert [change.reads for change in changes] == [(("left",), ("right",)), (("right",), ("left",))]


def test_a_network_with_several_inputs_is_written_as_a_spec() -> None:
    network = api.load(str(GOOD)).graph()
    found = decompile(network, "again", "")
    assert "inputs: {image: [12, 14, 3], numbers: [5]}" in found.text
    assert same_network(network, found.graph) is not None


@pytest.mark.parametrize("style", [name for name, style in STYLES.items() if style.inputs])
def test_styles_for_one_input_refuse_several(style: str) -> None:
    with pytest.raises(ArchspecError, match="needs a network with one input"):
        draw(style, [api.load(str(GOOD)).graph()], {})


def test_the_graph_shows_the_names_of_inputs() -> None:
    drawing = draw("graph", [api.load(str(GOOD)).graph()], {})
    assert "numbers" in drawing.svg()


@pytest.mark.parametrize("rewrite", [convolutionalize, lambda network: at_size(network, (20, 20, 3))])
def test_rewrites_for_one_input_refuse_several(rewrite: object) -> None:
    assert callable(rewrite)
    with pytest.raises(ArchspecError) as caught:
        rewrite(api.load(str(GOOD)).graph())
    assert caught.value.diagnostics[0].code == "several-inputs"
    assert caught.value.diagnostics[0].notes == ("the inputs of `several-inputs` are `image` and `numbers`",)


def test_the_setting_input_is_for_networks_with_one_input() -> None:
    with pytest.raises(ArchspecError) as caught:
        api.load(str(GOOD), input=[8, 8, 3]).graph()
    assert caught.value.diagnostics[0].code == "unknown-parameter"


@pytest.mark.parametrize("shapes", ["{left: [3], right: [4]}", "{left: [9, 8, 3], right: [5, 8, 3]}"])
def test_inputs_of_unequal_shapes_cannot_be_added(shapes: str) -> None:
    with pytest.raises(ArchspecError, match=r"cannot add \("):
        graph("[{add: ~, from: [left, right]}]", shapes)


def test_the_name_of_an_output_is_a_name() -> None:
    text = "name: net\ninput: [4]\nlayers: [{name: a, dense: 3}]\noutputs: {a b: a}\n"
    with pytest.raises(ArchspecError, match="`a b` is not a valid name"):
        networks(Source("net.yaml", text))


def test_channels_are_those_of_the_layer_that_from_names() -> None:
    layers = ["{name: a, conv: 5}", "{name: b, conv: 7, from: right}", "{name: c, conv: $channels, from: a}"]
    joined = ["{crop: 1, from: b}", "{concat: ~, from: [c, crop]}"]
    found = graph(f"[{', '.join([*layers, *joined])}]")
    assert found["c"].shape[-1] == 5
