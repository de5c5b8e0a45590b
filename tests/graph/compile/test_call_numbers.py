"""Arguments that read `call`: clones give them the numbers of their own calls, and change nothing else."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec import api
from archspec.diagnostics import ArchspecError, Source
from archspec.graph.compile.compiler import Compiler
from archspec.graph.compile.parameters import parameters
from archspec.graph.ir import Graph
from archspec.lang.spec.spec import Spec, parse

HEAD = "name: net\ninput: [6, 6, 4]\n"


def compiler(text: str, variant: str | None = None) -> Compiler:
    spec = parse(Source("net.yaml", HEAD + text))
    return Compiler(spec, variant, parameters(spec, variant, {}))


def rates(graph: Graph) -> list[float]:
    return [node.op.rate for node in graph.nodes if node.op.name == "stochastic_depth"]  # type: ignore[attr-defined]


NESTED = """
blocks:
  drop: {layers: [stochastic_depth: $(call / 100)]}
  unit: {layers: [drop, {stochastic_depth: $(call / 10)}, drop]}
layers: [unit, drop, {unit: , repeat: 2}, unit]
"""


def test_each_block_counts_its_own_calls() -> None:
    found = compiler(NESTED)
    expected = [0.01, 0.1, 0.02, 0.03, 0.04, 0.2, 0.05, 0.06, 0.3, 0.07, 0.08, 0.4, 0.09]
    assert rates(found.graph("net")) == expected
    assert found.steps == 8  # the first call of `unit` with what is in it, the other items


def test_depth_with_rates_of_stochastic_depth_costs_no_steps() -> None:
    unit = "{layers: [stochastic_depth: $(call / 10000)]}"
    found = compiler(f"blocks: {{unit: {unit}}}\nlayers: [{{unit: , repeat: 2000}}]")
    assert rates(found.graph("net")) == [number / 10000 for number in range(1, 2001)]
    assert found.steps == 2


def test_a_layer_reads_the_number_of_its_block_in_each_of_its_copies() -> None:
    unit = "[{stochastic_depth: $(call / 10), repeat: 2}, {inner: , repeat: 2}, {stochastic_depth: $(call / 10)}]"
    spec = f"blocks: {{inner: {{layers: [relu]}}, unit: {{layers: {unit}}}}}\nlayers: [{{unit: , repeat: 3}}]"
    assert rates(compiler(spec).graph("net")) == [0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.3, 0.3, 0.3]


def test_a_block_that_calls_itself_counts_these_calls() -> None:
    spec = """
blocks:
  deep:
    args: [n]
    layers: [{deep: $(n - 1), when: $(n > 0)}, {stochastic_depth: $(call / 10), repeat: 2}]
layers: [deep: 2, deep: 2]
"""
    assert rates(compiler(spec).graph("net")) == [number / 10 for number in (3, 3, 2, 2, 1, 1, 6, 6, 5, 5, 4, 4)]


def test_copies_without_layers_count_as_calls() -> None:
    unit = "{args: [drop: false], layers: [{stochastic_depth: $(call / 10), when: $drop}]}"
    spec = f"blocks: {{unit: {unit}}}\nlayers: [relu, {{unit: , repeat: 5}}, unit: true]"
    assert rates(compiler(spec).graph("net")) == [0.6]


CHANGES = {
    "shape": "conv: {filters: $(2 + call // 3), kernel_size: 1}",
    "weights": "conv: {filters: 4, kernel_size: $(1 + call // 3), padding: same}",
    "cost": "conv: {filters: 4, kernel_size: 1, groups: $(1 + call // 3), use_bias: false}",
    "window": "maxpool: {pool_size: $(1 + call // 3), strides: 1, padding: same}",
    "stride": "residual: {shortcut: pad, body: [maxpool: {pool_size: 1, strides: $(1 + call // 3)}]}",
    "layers": "{relu: , when: $(call < 3)}",
}


@pytest.mark.parametrize("size", ["6, 6", "~, ~", "1, 1"])
@pytest.mark.parametrize("change", CHANGES)
def test_calls_that_other_layers_see_are_expanded(change: str, size: str) -> None:
    layers = f"[tanh, {CHANGES[change]}, relu]"
    text = f"name: net\ninput: [{size}, 4]\nblocks: {{unit: {{layers: {layers}}}}}\nlayers: [{{unit: , repeat: 4}}]"
    assert_clones_change_nothing(parse(Source("net.yaml", text)), [None])


def test_an_error_in_a_later_call_is_that_of_the_call() -> None:
    text = "blocks: {unit: {layers: [stochastic_depth: $(1 / (4 - call))]}}\nlayers: [{unit: , repeat: 4}]"
    with pytest.raises(ArchspecError) as raised:
        compiler(text).graph("net")
    assert raised.value.diagnostics[0].code == "wrong-value"
    assert "is `1`" in raised.value.diagnostics[0].message
    assert raised.value.diagnostics[0].notes[-1] == "in block `unit`, used on line 4"


@pytest.mark.parametrize("family", ["stochastic-depth", "convnext", "efficientnet-v2", "mlp-mixer"])
def test_clones_change_nothing_on_shipped_specs(family: str) -> None:
    spec = next(iter(api.networks(family))).spec
    assert_clones_change_nothing(spec, list(spec.variants)[:3])


DEEP = """\
name: net
input: [4, 4, 2]
params: {m: 0}
variants: {a: {m: 0}, b: {m: 37}}
blocks:
  leaf: {layers: [stochastic_depth: $(call / 100)]}
  mid: {layers: [leaf, leaf]}
  deep: {args: [n], layers: [{deep: $(n - 1), when: $(n > 0)}, {mid: , when: $(n == 0)}]}
layers: [deep: $m]
"""


def test_a_clone_is_not_nested_deeper_than_an_expansion() -> None:
    """In variant b, `mid` is called where its layers are too deep; variant a has kept its run."""
    spec = parse(Source("net.yaml", DEEP))
    assert isinstance(outcome(spec, "a", clones=True), Graph)
    error = outcome(spec, "b", clones=True)
    assert isinstance(error, ArchspecError)
    assert error.diagnostics[0].code == "too-deep"
    assert_clones_change_nothing(spec, ["a", "b"])


@pytest.mark.parametrize("layer", ["relu: ", "stochastic_depth: $(call / 100)"])
def test_a_clone_has_no_longer_paths_than_an_expansion(layer: str) -> None:
    name = "n" * 56
    calls = [f"{{layers: [{{{inner}: , name: {name}}}]}}" for inner in "uvwxy"]
    blocks = "".join(f"  {block}: {call}\n" for block, call in zip("vwxyz", calls, strict=True))
    text = f"{HEAD}blocks:\n  u: {{layers: [{{{layer}, name: {name}}}]}}\n{blocks}layers: [x, {{z: , name: {name}}}]\n"
    spec = parse(Source("net.yaml", text))
    assert isinstance(outcome(spec, None, clones=True), ArchspecError)
    assert_clones_change_nothing(spec, [None])


def test_what_is_kept_is_small() -> None:
    """Long lists are no keys, and a run counts the calls of its own blocks only."""
    blocks = "".join(f"  b{number}: {{layers: [stochastic_depth: $(call / len(w))]}}\n" for number in range(300))
    calls = ", ".join(f"b{number}" for number in range(300))
    text = f"name: net\ninput: [4, 4, 2]\nparams: {{w: {[*range(200)]}}}\nblocks:\n{blocks}layers: [{calls}]\n"
    compiled = Compiler(spec := parse(Source("net.yaml", text)), None, parameters(spec, None, {}))
    compiled.graph("net")
    assert not compiled.reuse.given
    assert len(compiled.reuse.runs) == 300
    assert all(len(run.calls) == 1 for run in compiled.reuse.runs.values())


def outcome(spec: Spec, variant: str | None, *, clones: bool) -> Graph | ArchspecError:
    try:
        return Compiler(spec, variant, parameters(spec, variant, {}), clones=clones).graph("net")
    except ArchspecError as error:
        return error


def assert_clones_change_nothing(spec: Spec, variants: list[str | None] | list[str]) -> None:
    for variant in variants:
        with_clones, expanded = (outcome(spec, variant, clones=clones) for clones in (True, False))
        if isinstance(expanded, ArchspecError):
            if expanded.diagnostics[0].code == "too-many-layers":
                return  # which clones may avoid
            assert isinstance(with_clones, ArchspecError)
            assert with_clones.diagnostics == expanded.diagnostics
        else:
            assert with_clones == expanded


OPERATORS = [
    "stochastic_depth: $(call / 40)",
    "stochastic_depth: $(f / 10 * (call - 1) / 9)",
    "stochastic_depth: $(1 / (4 - call))",
    "{stochastic_depth: $(call * copy / 99), repeat: 2}",
    "{stochastic_depth: $(call / 99), repeat: 3}",
    "{stochastic_depth: $(call / 99), when: $(channels > f)}",
    "{relu: , when: $(call % 3 != 1)}",
    "conv: {filters: $f, kernel_size: 1}",
    "conv: {filters: $(f + call // 3), kernel_size: 1}",
    "conv: {filters: $(2 * f), kernel_size: 1, groups: $(1 + call % 2)}",
    "conv: {filters: 4, kernel_size: 3, padding: same, dilation_rate: $(1 + call % 2)}",
    "conv: {filters: 4, kernel_size: 1, strides: $(1 + call // 4)}",
    "maxpool: {pool_size: $(1 + call // 3), strides: 1, padding: same}",
    "crop: $(call // 5)",
    "row: [relu, {stochastic_depth: $(call / 50)}]",
    "tanh",
]


def block(random: Random, name: str, inner: list[str]) -> str:
    """The layers of a block that may call the `inner` ones, and itself with a smaller argument."""
    return f"{name}: {{args: [f: 2, n: 1], layers: {items(random, name, inner, 2)}}}"


def items(random: Random, name: str, inner: list[str], depth: int) -> str:
    return f"[{', '.join(item(random, name, inner, depth) for _ in range(random.randint(1, 3)))}]"


def item(random: Random, name: str, inner: list[str], depth: int) -> str:
    kind = random.random()
    if inner and kind < 0.4:
        return call(random, random.choice(inner))
    if name and kind < 0.5:
        return f"{{{name}: {{f: $f, n: $(n - 1)}}, when: $(n > 0)}}"
    if depth and kind < 0.6:
        body = items(random, name, inner, depth - 1)
        return f"residual: {{shortcut: {random.choice(['pad', 'if_same_shape', 'none'])}, body: {body}}}"
    if depth and kind < 0.7:
        side = items(random, name, inner, depth - 1)
        return f"concat: {{a: [], b: {{repeat: 2, layers: {side}}}}}"
    return random.choice(OPERATORS) if name else "relu"


def call(random: Random, name: str) -> str:
    arguments = random.choice(["", "", "{f: 3}", "{f: $f}", "{n: 0}", "{f: $(f + copy // 3)}"])
    repeat = random.choice(["", ", repeat: 3", ", repeat: $f"]) if "copy" not in arguments else ", repeat: 4"
    first = ", first: {f: 5}" if repeat and random.random() < 0.2 else ""
    return f"{{{name}: {arguments}{repeat}{first}}}"


def numbered(random: Random) -> str:
    """A spec of two variants whose blocks read the numbers of their calls."""
    names = ["one", "two", "three"][: random.randint(1, 3)]
    blocks = ", ".join(block(random, name, names[:number]) for number, name in enumerate(names))
    size = random.choice(["1, 1", "9, 7", "~, ~"])
    layers = ", ".join(item(random, "", names, 1) for _ in range(random.randint(2, 6)))
    head = f"name: net\ninput: [{size}, 4]\nparams: {{f: 2}}\nvariants: {{a: {{}}, b: {{f: {random.randint(2, 4)}}}}}"
    return f"{head}\nblocks: {{{blocks}}}\nlayers: [linear: ~, {{dense: $f}}, {layers}]\n"


@given(st.randoms(use_true_random=True).map(numbered))
@settings(max_examples=150)
def test_clones_change_nothing_where_arguments_read_call(text: str) -> None:
    assert_clones_change_nothing(parse(Source("random.yaml", text)), ["a", "b", "a"])
