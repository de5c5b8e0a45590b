"""The compiler: clones change nothing, errors lead back to the calls, names are found or explained, limits hold."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings

from archspec import api
from archspec.diagnostics import ArchspecError, Diagnostic, Source
from archspec.graph.compile.builder import MAX_LAYERS
from archspec.graph.compile.compiler import Compiler, compile_spec
from archspec.graph.compile.parameters import parameters
from archspec.lang.spec.spec import parse
from tests.examples.specs import GOOD
from tests.strategies import networks, specs

HEAD = "name: net\ninput: [16, 12, 3]\n"


def compiled(text: str, *, clones: bool = True) -> Compiler:
    spec = parse(Source("net.yaml", HEAD + text))
    compiler = Compiler(spec, None, parameters(spec, None, {}), clones=clones)
    compiler.graph("net")
    return compiler


def refused(text: str) -> Diagnostic:
    with pytest.raises(ArchspecError) as raised:
        compile_spec(parse(Source("net.yaml", HEAD + text)))
    return raised.value.diagnostics[0]


def assert_clones_change_nothing(network: api.Network) -> None:
    expanded = Compiler(network.spec, network.variant, network.params, clones=False).graph(network.name)
    assert network.graph() == expanded


@pytest.mark.parametrize("spec", GOOD, ids=lambda spec: spec.stem)
def test_clones_change_nothing_on_the_examples(spec: Path) -> None:
    for network in api.networks(str(spec)):
        assert_clones_change_nothing(network)


@pytest.mark.parametrize("reference", ["resnet:50", "resnet-cifar:110", "mlp:3x512"])
def test_clones_change_nothing_on_shipped_specs(reference: str) -> None:
    assert_clones_change_nothing(api.load(reference))


@pytest.mark.parametrize("family", ["densenet", "mobilenet-v3", "nasnet", "inception-v4"])
def test_calls_of_blocks_are_cloned_between_variants(family: str) -> None:
    for network in api.networks(family):
        assert_clones_change_nothing(network)


ALIKE = """
name: net
input: [19, 17, 4]
params: {width: 4, deep: false}
variants: {a: {}, b: {width: 6}, c: {deep: true}}
blocks:
  by_param: {args: [scale: 1], layers: [conv: {filters: $(width * scale), padding: same}, inner]}
  inner: {layers: [{conv: {filters: 3, padding: same}, when: $deep}, relu]}
  by_variant: {layers: [row: [relu, tanh, ~]]}
  by_call: {layers: [stochastic_depth: $(call / 10)]}
  merged: {inputs: [p, q], layers: [{add: ~, from: [p, q]}]}
layers:
  - {name: input_conv, conv: {filters: 4, padding: same}}
  - {name: stem, relu: ~}
  - {name: left, by_param: ~}
  - {by_param: ~, from: stem}
  - {by_param: 2, from: stem}
  - {by_param: 2.0, from: stem}
  - {name: right, by_param: ~, from: left}
  - {by_variant: ~}
  - {by_variant: ~}
  - {name: x, by_call: ~}
  - {name: y, by_call: ~}
  - {name: sum, merged: ~, from: [x, y]}
  - {name: square, merged: ~, from: [sum, sum]}
  - {name: again, merged: ~, from: [square, sum]}
outputs: [again, by_param, by_param_2, by_param_3]
"""


@pytest.mark.parametrize("order", ["abc", "cba", "bab"])
def test_calls_of_blocks_that_differ_are_not_cloned(order: str) -> None:
    spec = parse(Source("net.yaml", ALIKE))
    for variant in order:
        expanded = Compiler(spec, variant, parameters(spec, variant, {}), clones=False).graph("net")
        assert Compiler(spec, variant, parameters(spec, variant, {})).graph("net") == expanded


@given(specs(inputs=True))
@settings(max_examples=40)
def test_clones_change_nothing_on_random_specs(text: str) -> None:
    for network in networks(Source("random.yaml", text)):
        assert_clones_change_nothing(network)


def test_a_copy_that_reads_what_the_one_before_read_is_expanded_once() -> None:
    assert compiled("layers: [{residual: {body: [relu]}, repeat: 1000}]").steps == 2
    spec = "blocks: {unit: {layers: [relu, tanh]}}\nlayers: [{unit: , repeat: 1000, first: {}}]"
    assert compiled(spec.replace(", first: {}", "")).steps == 3


def test_the_depth_of_resnet_1202_costs_nodes_and_no_steps() -> None:
    network = api.load("resnet-cifar:1202")
    compiler = Compiler(network.spec, "1202", network.params)
    assert len(compiler.graph("deep").nodes) > 4000
    assert compiler.steps < 200


def test_true_is_not_one() -> None:
    layers = "blocks: {fc: {args: [bias], layers: [dense: {units: 3, use_bias: $bias}]}}\nlayers: [fc: true, fc: 1]"
    diagnostic = refused(layers)
    assert diagnostic.message == "`use_bias` of `dense` must be true or false, but is `1`"
    assert refused("params: {n: true}\nlayers: [dense: 1, dense: $n]").message == (
        "`units` of `dense` must be an integer, but is `true`"
    )


def test_whole_numbers_written_as_fractions_are_integers() -> None:
    graph = compiled("params: {n: 4.0}\nlayers: [{dense: $(n / 2), repeat: 2.0}, conv: {filters: 3.0, kernel_size: 1}]")
    assert [node.shape[-1] for node in graph.builder.nodes] == [3, 2, 2, 3]
    assert all(isinstance(size, int) for node in graph.builder.nodes for size in node.shape)


def test_an_error_leads_back_through_the_calls_and_the_variant() -> None:
    yaml = """
variants: [A, B]
blocks:
  inner:
    layers:
      - maxpool: 99
  outer:
    layers:
      - inner
layers:
  - row: [relu, outer]
"""
    spec = parse(Source("net.yaml", HEAD + yaml))
    assert compile_spec(spec, "A")
    with pytest.raises(ArchspecError) as raised:
        compile_spec(spec, "B")
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.notes == (
        "the input is (16, 12, 3), from the input of the network (line 2)",
        "in block `inner`, used on line 11",
        "in block `outer`, used on line 13",
        "in variant `B`",
    )
    assert diagnostic.place == (8, 18)


def test_nodes_know_their_lines() -> None:
    nodes = compiled("blocks:\n  unit:\n    layers:\n      - relu\nlayers:\n  - unit\n  - tanh\n").builder.nodes
    assert [(node.path, node.span.line) for node in nodes] == [("input", 2), ("unit/relu", 6), ("tanh", 9)]


def test_all_unused_layers_are_said_at_once_and_those_of_copies_once() -> None:
    spec = """
blocks:
  unit:
    layers:
      - {name: lost, relu: }
      - {from: input, tanh: }
layers:
  - {unit: , repeat: 3}
  - {name: alone, from: input, elu: }
  - {from: input, selu: }
"""
    with pytest.raises(ArchspecError) as raised:
        compile_spec(parse(Source("net.yaml", HEAD + spec)))
    assert [each.message for each in raised.value.diagnostics] == [
        "nothing reads the output of `unit/1/lost`",
        "nothing reads the output of `unit/3/tanh`",  # those before it are read by the `lost` of the next copy
        "nothing reads the output of `alone`",
    ]


def test_a_path_cannot_grow_without_end() -> None:
    blocks = ["b0: {layers: [relu]}"]
    for i in range(1, 20):
        blocks.append(f"b{i}: {{layers: [{{name: {'x' * 60}, b{i - 1}: }}]}}")
    spec = "blocks: {" + ", ".join(blocks) + "}\nlayers: [b19]"
    assert refused(spec).message == "the path of this layer is longer than 300 characters"


def test_the_limit_on_layers_is_reached_and_not_passed() -> None:
    fits = f"layers: [{{relu: , repeat: {MAX_LAYERS}}}]"
    assert len(compiled(fits).builder.nodes) == MAX_LAYERS + 1
    assert refused(fits.replace("}]", "}, tanh]")).code == "too-many-layers"


@pytest.mark.parametrize(
    "spec",
    [
        "layers: [{relu: , repeat: 999999999999999999}]",
        "blocks: {a: {layers: [{relu: , repeat: 99999}]}}\nlayers: [{a: , repeat: 99999}]",
        "blocks: {a: {layers: [{from: input, b: }]}, b: {layers: []}}\nlayers: [{a: , repeat: 99999999}, relu]",
        "layers: [{upsample: 1000000, repeat: 100000}]",
        "layers: [{zero_pad: 1, repeat: 999999999}]",
        "blocks: {a: {layers: [concat: {x: [], y: []}]}}\nlayers: [{a: , repeat: 100000}]",
        "layers: [flatten, dense: 1000000000000000000]",
        "layers: [conv: {filters: 1000000000000, kernel_size: 1000000, padding: same}]",
    ],
)
def test_specs_that_would_never_end_are_refused_in_time(spec: str) -> None:
    started = time.process_time()
    code = refused(spec).code
    assert code in ("too-many-layers", "too-many-parameters", "output-too-large")
    assert time.process_time() - started < 10
