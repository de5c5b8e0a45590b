"""The law of decompiling: the spec that is written for a network compiles to the same network."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archspec
from archspec.api import families, networks
from archspec.diagnostics import Source
from archspec.graph.compile.compiler import compile_spec
from archspec.graph.decompile import attempt, decompile
from archspec.graph.decompile.blocks import Blocks
from archspec.graph.decompile.draft import Structure, walk
from archspec.graph.diff.isomorphism import same_network
from archspec.graph.ir import Graph
from archspec.lang.spec.spec import parse


def graph(spec: str) -> Graph:
    return compile_spec(parse(Source("net.yaml", f"name: net\n{spec}")))


def of_layers(layers: str, given: str = "[9, 7, 4]") -> Graph:
    return graph(f"input: {given}\nlayers:\n{layers}")


@pytest.mark.parametrize("family", families())
def test_every_spec_is_written_again_and_compiles_to_the_same_network(family: str) -> None:
    chosen = list(networks(family))
    for network in [*chosen[:2], chosen[-1]]:  # all of them take a quarter of a minute
        found = network.graph()
        again = attempt(found, "again", "a comment")
        assert again is not None, network.reference
        assert again.graph.params == found.params, network.reference
        assert again.graph.macs == found.macs
        assert sorted(again.nodes) == sorted(again.nodes.values()) == list(range(len(found.nodes)))
        for node, other in again.nodes.items():
            assert found.nodes[node].op.name == again.graph.nodes[other].op.name
            assert found.nodes[node].shape == again.graph.nodes[other].shape


def test_resnet_50_is_the_table_of_its_paper_again() -> None:
    """He et al. 2015, Table 1: four stages of 3, 4, 6 and 3 bottlenecks."""
    spec = decompile(archspec.load("resnet:50").graph(), "again", "from its graph").text
    assert spec.startswith("# from its graph\nname: again\ninput: [224, 224, 3]\nparams: {classes: 1000}\n")
    lines = [line.split("  #")[0].rstrip() for line in spec.split("\n")]
    assert "  - {name: conv2_x, bottleneck: 64, repeat: 3}" in lines
    assert "  - {name: conv3_x, bottleneck: 128, repeat: 4, first: {strides: 2}}" in lines
    assert "  - {name: conv4_x, bottleneck: 256, repeat: 6, first: {strides: 2}}" in lines
    assert "  - {name: conv5_x, bottleneck: 512, repeat: 3, first: {strides: 2}}" in lines
    assert "            - conv: {filters: $(4 * filters), kernel_size: 1, use_bias: false}" in lines
    assert len(lines) <= 40


@pytest.mark.parametrize(
    ("reference", "lines"),
    [
        ("vgg:E", 30),
        ("densenet:121", 45),
        ("resnet-cifar:1202", 40),
        ("efficientnet:b0", 65),
        ("inception-v3:keras", 100),
    ],
)
def test_specs_stay_short(reference: str, lines: int) -> None:
    assert decompile(archspec.load(reference).graph(), "again", "").text.count("\n") <= lines


def test_classes_are_a_param_of_the_spec() -> None:
    text = decompile(archspec.load("mobilenet:1.0-224").graph(), "again", "").text
    spec = parse(Source("again.yaml", text))
    assert compile_spec(spec, None, {"classes": 7}).output_shape == (7,)


def test_rates_that_grow_with_depth_are_written_as_such() -> None:
    layers = "".join(
        f"  - residual: {{body: [conv: {{filters: 4, kernel_size: 1}}, bn, relu, dropout: {0.2 * i / 7}]}}\n"
        for i in range(1, 8)
    )
    spec = decompile(of_layers(layers), "again", "").text
    assert "repeat: 7" in spec
    assert "$(0.2 * copy / 7)" in spec


# ---- what has no branches of its own is read by name ----

TANGLES = {
    "two outputs": "  - {name: a, conv: 3}\n  - {name: b, conv: 5}\n  - {name: c, from: a, global_avgpool: }\n"
    "outputs: {b: 1, c: 0.3}",
    "crossed": "  - {name: a, relu: }\n  - {name: b, from: input, conv: {filters: 4, kernel_size: 1}}\n"
    "  - {name: s, add: , from: [a, b]}\n  - {name: p, multiply: , from: [a, b]}\n  - {concat: , from: [s, p]}",
    "the same twice": "  - {name: a, relu: }\n  - {concat: , from: [a, a]}",
    "a skip over a merge": "  - {name: a, relu: }\n  - residual: {body: [tanh]}\n"
    "  - concat: {x: [], y: [{sigmoid: , from: a}]}",
    "input read late": "  - relu\n  - tanh\n  - {add: , from: [input, tanh]}",
    "nested": "  - concat: {a: [residual: {body: [tanh, residual: {body: [relu]}]}], b: [], c: [sigmoid]}",
    "a merge of merges": "  - {name: a, relu: }\n  - {name: b, tanh: , from: input}\n"
    "  - add: {l: [add: {x: [{sigmoid: , from: a}], y: [{relu: , from: b}]}], r: [{tanh: , from: a}]}",
}


@pytest.mark.parametrize("name", TANGLES)
def test_any_graph_can_be_written(name: str) -> None:
    layers, _, outputs = TANGLES[name].partition("outputs:")
    found = graph(f"input: [9, 7, 4]\nlayers:\n{layers}" + (f"outputs:{outputs}" if outputs else ""))
    again = decompile(found, "again", "")
    assert again.graph.loss_weights == found.loss_weights


def test_names_of_layers_and_blocks_do_not_collide() -> None:
    """Layers that are read by name, and are called as an item without a name would be."""
    layers = (
        "  - {name: relu_1, relu: }\n  - {name: conv, conv: {filters: 4, kernel_size: 1}}\n  - {name: tanh_2, tanh: }\n"
    )
    layers += "  - {concat: {axis: 1}, from: [relu_1, tanh_2]}\n  - relu\n  - tanh\n  - tanh"
    decompile(of_layers(layers), "again", "")


OPERATORS = {
    "conv": "conv: {filters: 4, kernel_size: 1}",
    "relu": "relu: ",
    "bn": "bn: ",
    "small": "dropout: 0.1",
    "large": "dropout: 0.2",
}


def random_spec(random: Random, size: int) -> str:
    """Chains of a motif and merges of any earlier layers; what nothing reads is summed up or an output."""
    lines: list[str] = []
    read: set[str] = set()
    motif = random.choices(list(OPERATORS), k=random.randint(1, 4))

    def add(head: str, *sources: str) -> None:
        read.update(sources)
        name = f"n{len(lines) + 1}"
        origin = (
            ""
            if sources == (last(),)
            else f"from: [{', '.join(sources)}], "
            if sources[1:]
            else f"from: {sources[0]}, "
        )
        lines.append(f"  - {{name: {name}, {origin}{head}}}")

    def last() -> str:
        return f"n{len(lines)}" if lines else "input"

    def earlier() -> str:
        return f"n{random.randint(1, len(lines))}" if lines and random.random() < 0.9 else "input"

    while len(lines) < size:
        if random.random() < 0.7:
            for word in motif if random.random() < 0.8 else random.choices(list(OPERATORS)):
                add(OPERATORS[word], last() if random.random() < 0.95 else earlier())
        else:
            add(
                random.choice(["add: ", "multiply: ", "maximum: "]), *random.sample([last(), earlier(), earlier()], k=2)
            )
    unread = [f"n{i + 1}" for i in range(len(lines) - 1) if f"n{i + 1}" not in read]
    spec = "input: [9, 7, 4]\nlayers:\n"
    if unread and random.random() < 0.5:
        return spec + "\n".join(lines) + f"\noutputs: [{', '.join([last(), *unread])}]"
    if unread:
        add("add: ", *unread, last())
    return spec + "\n".join(lines)


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), st.integers(1, 50))
def test_random_networks_are_written_with_blocks_and_compile_to_themselves(random: Random, size: int) -> None:
    found = graph(random_spec(random, size))
    assert attempt(found, "again", "") is not None
    assert attempt(found, "again", "", blocks=False) is not None


# ---- when two networks are the same ----


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (
            "  - conv: {filters: 4, kernel_size: 3, padding: 1}",
            "  - conv: {filters: 4, kernel_size: 3, padding: same}",
            True,
        ),
        ("  - conv: {filters: 4, kernel_size: 3}", "  - conv: {filters: 4, kernel_size: 3, dilation_rate: 2}", False),
        ("  - add: {a: [relu], b: [tanh]}", "  - add: {a: [tanh], b: [relu]}", True),
        ("  - concat: {a: [relu], b: [tanh]}", "  - concat: {a: [tanh], b: [relu]}", False),
        ("  - relu\n  - tanh", "  - tanh\n  - relu", False),
        ("  - dropout: 0.1", "  - dropout: 0.2", False),
        ("  - dropout: 0.3", "  - dropout: $(0.1 * 3)", True),
        (
            "  - {name: a, relu: }\n  - {name: b, from: input, tanh: }\n  - {add: , from: [a, b]}",
            "  - add: {a: [tanh], b: [relu]}",
            True,
        ),
    ],
)
def test_same_network_sees_what_is_computed(one: str, other: str, same: bool) -> None:
    assert (same_network(of_layers(one), of_layers(other)) is not None) is same


def test_same_network_pairs_each_node_with_the_one_that_computes_the_same() -> None:
    one = of_layers("  - add: {a: [relu, tanh], b: [tanh, relu]}")
    other = of_layers("  - add: {a: [tanh, relu], b: [relu, tanh]}")
    found = same_network(one, other)
    assert found is not None
    assert [other.nodes[found[i]].op.name for i in range(1, 5)] == [node.op.name for node in one.nodes[1:5]]


# ---- the parts ----


def test_what_is_read_by_name_has_a_name() -> None:
    found = Structure(archspec.load("nasnet:mobile").graph()).items()
    blocks = Blocks(found)
    blocks.find()
    assert any(block.inputs for block in blocks.blocks)
    on_spec = list(walk(found))
    assert {node for item in on_spec for node in item.origin} - {0} == {item.node for item in on_spec if item.labelled}
    for block in blocks.blocks:
        inside = list(walk(block.items))
        names = {item.name for item in inside if item.name}
        assert {name for item in inside for name in item.origin} <= names | set(block.inputs)


def test_the_cells_of_nasnet_are_blocks_of_two_inputs() -> None:
    """Zoph et al. 2017, Figure 2: N normal cells between reductions, 6 in NASNet-A (6 @ 4032)."""
    spec = decompile(archspec.load("nasnet:large").graph(), "again", "").text
    assert spec.count("inputs: [x, previous]") >= 2
    assert spec.count("repeat: 4") == 2
    assert spec.count("\n") < 170
