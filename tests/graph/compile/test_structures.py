"""Branches in copies, parts of a layer, outputs of blocks by name, and blocks that call themselves."""

from pathlib import Path

import pytest

from archspec import api
from archspec.diagnostics import ArchspecError, Source
from archspec.graph.ir import Graph
from tests.strategies import networks

GOOD = Path(__file__).parents[2] / "examples" / "good"


def graph(layers: str, blocks: str = "{}", input: str = "[9, 8, 6]") -> Graph:
    return networks(Source("net.yaml", f"name: net\ninput: {input}\nblocks: {blocks}\nlayers: {layers}"))[0].graph()


def read_by(network: Graph, path: str) -> list[str]:
    return [network.nodes[i].path for i in network[path].inputs]


# ---- outputs of blocks ---------------------------------------------------------------------------------------------


def test_copies_of_a_block_read_all_outputs_of_the_copy_before() -> None:
    network = api.load(str(GOOD / "block-outputs.yaml")).graph()
    for before, path in (("first", "stage/1"), ("stage/1", "stage/2"), ("stage/2", "stage/3")):
        assert read_by(network, f"{path}/exchange/h/conv_bn/conv") == [f"{before}/exchange/new_high"]
        assert read_by(network, f"{path}/exchange/l/conv_bn/conv") == [f"{before}/exchange/new_low"]
    assert read_by(network, "exchange/l/conv_bn/conv") == ["stage/3/exchange/new_low"]


def test_the_first_output_is_what_the_next_layer_reads() -> None:
    block = "{two: {outputs: [a, b], layers: [{name: a, conv: 3}, {name: b, conv: 2}]}}"
    network = graph(
        "[two, {name: t, tanh: ~}, {name: side, global_avgpool: ~, from: two/b}, {name: p, global_avgpool: ~, from: t},"
        " {concat: ~, from: [p, side]}]",
        block,
    )
    assert read_by(network, "t") == ["two/a"]
    assert network.output_shape == (5,)


def test_an_output_is_read_by_the_name_of_the_call() -> None:
    block = "{two: {outputs: [a, b], layers: [{name: a, conv: 3}, {name: b, conv: 3}]}}"
    layers = (
        "[{name: call, two: ~}, {name: x, global_avgpool: ~, from: call/a}, {name: y, global_avgpool: ~, from: call/b},"
    )
    network = graph(f"{layers} {{add: ~, from: [x, y]}}]", block)
    assert [read_by(network, path) for path in ("x", "y")] == [["call/two/a"], ["call/two/b"]]


def test_an_output_that_nothing_reads_is_refused() -> None:
    block = "{two: {outputs: [a, b], layers: [{name: a, conv: 3}, {name: b, conv: 3}]}}"
    with pytest.raises(ArchspecError, match="nothing reads the output of `two/b`"):
        graph("[two, relu]", block)


LAST = (
    "{two: {args: [last: false], outputs: [a, b], layers: [{name: h, relu: ~}, "
    "{name: a, relu: ~, from: h, when: $(not last)}, {name: b, tanh: ~, from: h}]}}"
)


def test_an_output_that_when_leaves_out_is_not_returned() -> None:
    """As the last layer of WaveNet, which has a skip connection only (van den Oord et al. 2016, Figure 4)."""
    call = "{name: stack, two: {last: $(copy == 3)}, repeat: 3}"
    network = graph(f"[{call}, {{concat: ~, from: [stack/1/b, stack/2/b, stack/3/b]}}]", LAST)
    assert [node.path for node in network.layers if node.path.startswith("stack/3")] == [
        "stack/3/two/h",
        "stack/3/two/b",
    ]
    assert read_by(network, "stack/3/two/h") == ["stack/2/two/a"]
    after = graph("[{two: {last: true}}, {name: r, relu: ~}]", LAST)
    assert read_by(after, "r") == ["two/b"]


def test_an_output_that_is_left_out_cannot_be_read() -> None:
    with pytest.raises(ArchspecError, match="`two/a`"):
        graph("[{two: {last: true}}, {add: ~, from: [two/a, two/b]}]", LAST)
    none = LAST.replace("from: h}", "from: h, when: $(not last)}")
    with pytest.raises(ArchspecError, match="every output of the block `two` is left out"):
        graph("[{two: {last: true}}]", none)


def test_an_unread_output_of_the_last_copy_has_a_remedy() -> None:
    with pytest.raises(ArchspecError, match="nothing reads the output of `stack/3/two/a`") as caught:
        graph("[{name: stack, two: ~, repeat: 3}, {concat: ~, from: [stack/1/b, stack/2/b, stack/3/b]}]", LAST)
    assert "let `when` leave it out" in str(caught.value.diagnostics[0].help)


# ---- parts ---------------------------------------------------------------------------------------------------------


def test_parts_are_consecutive_channels() -> None:
    network = graph("[{name: p, parts: {a: 1, b: ~, c: $(channels // 3)}}, {concat: ~, from: [p/c, p/b, p/a]}]")
    assert [(node.op.start, node.op.end) for node in network.layers[:3]] == [(0, 1), (1, 4), (4, 6)]  # type: ignore[attr-defined]
    assert network.output_shape == (9, 8, 6)


def test_a_block_of_two_inputs_reads_two_parts() -> None:
    block = "{pair: {inputs: [x, y], layers: [{multiply: ~, from: [x, y]}]}}"
    network = graph("[{parts: {a: 3, b: 3}}, pair]", block)
    assert read_by(network, "pair/multiply") == ["parts/a", "parts/b"]


# ---- branches ------------------------------------------------------------------------------------------------------


def test_branches_are_repeated_side_by_side() -> None:
    network = graph("[{concat: {x: [], wide: {repeat: 3, layers: [conv: {filters: $(2 * copy), kernel_size: 1}]}}}]")
    assert [node.path for node in network.layers] == [*(f"concat/wide/{i}/conv" for i in (1, 2, 3)), "concat"]
    assert network.output_shape == (9, 8, 6 + 2 + 4 + 6)


def test_a_merge_with_one_branch_left_is_that_branch() -> None:
    network = graph(
        "[{name: one, add: {a: [conv: 3], b: {when: false, layers: [conv: 3]}}}, {name: r, relu: ~, from: one}]"
    )
    assert [node.path for node in network.layers] == ["one/a/conv", "r"]


def test_mobileone_has_the_branches_of_its_figure() -> None:
    network = api.load(str(GOOD / "parallel-copies.yaml")).graph()
    sums = {path: len(network[f"{path}/one/add"].inputs) for path in "abc"}
    assert sums == {"a": 1 + 4, "b": 2 + 4, "c": 4}  # the scale, the identity and the copies


def test_a_difference_needs_both_branches() -> None:
    with pytest.raises(ArchspecError):
        graph("[{subtract: {a: [conv: 3], b: {when: false, layers: [conv: 3]}}}]")


# ---- recursion -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 2, 3, 4, 5])
def test_a_fractal_has_as_many_layers_as_the_paper_says(columns: int) -> None:
    """Larsson et al. 2017, section 3: depth 2^(C-1), and C columns of 1, 2, 4, ... layers, so 2^C - 1 in all."""
    spec = api.load("fractalnet:20").spec
    network = api.Network(spec, "fractalnet", "20", {"columns": columns}).graph()
    convolutions = [node for node in network.layers if node.op.name == "conv"]
    assert len(convolutions) == 5 * (2**columns - 1)
    depth = [0] * len(network.nodes)
    for index, node in enumerate(network.nodes):
        depth[index] = max((depth[i] for i in node.inputs), default=0) + (node.op.name == "conv")
    assert depth[-1] == 5 * 2 ** (columns - 1)


def test_the_columns_of_a_fractal_are_averaged() -> None:
    """The product of the factors on the way of each column to the join is 1 / C."""
    network = api.load("fractalnet:20").graph()
    ways: list[dict[float, int]] = [{1.0: 1}]
    for node in network.layers:
        if node.op.name == "maxpool":
            break
        entering: dict[float, int] = {}
        for i in node.inputs:
            for factor, count in ways[i].items():
                entering[factor] = entering.get(factor, 0) + count
        scale = getattr(node.op, "scale", 1.0) if node.op.name == "rescale" else 1.0
        ways.append({factor * scale: count for factor, count in entering.items()})
    assert sum(factor * count for factor, count in ways[-1].items()) == pytest.approx(1.0)


def test_a_block_that_calls_itself_with_the_same_arguments_is_refused() -> None:
    with pytest.raises(ArchspecError) as caught:
        graph("[a: 1]", "{a: {args: [n], layers: [{b: $n}]}, b: {args: [n], layers: [relu, {a: $n}]}}")
    assert caught.value.diagnostics[0].code == "block-cycle"
    assert "a -> b -> a" in caught.value.diagnostics[0].message


def test_endless_recursion_is_refused() -> None:
    with pytest.raises(ArchspecError) as caught:
        graph("[a: 1]", "{a: {args: [n], layers: [relu, {a: $(n + 1)}]}}")
    assert caught.value.diagnostics[0].code == "too-deep"
    help = "the block `a` calls itself: the `when` of the call must become false earlier"
    assert caught.value.diagnostics[0].help == help


def test_doubling_recursion_is_bounded() -> None:
    with pytest.raises(ArchspecError) as caught:
        graph(
            "[a: 30]", "{a: {args: [n], layers: [{relu: ~, when: $(n < 1)}, {a: $(n - 1), repeat: 2, when: $(n > 0)}]}}"
        )
    assert caught.value.diagnostics[0].code == "too-many-layers"


@pytest.mark.parametrize(
    ("layers", "fact", "help"),
    [
        ("[parts: {a: 3, b: ~}]", "nothing is left for `b`", "make them smaller, or remove `b`"),
        ("[add: {a: [relu], l: {repeat: -1, layers: [relu]}}]", "at least 0", "side by side"),
        ("[{conv: 3, repeat: -1}]", "at least 0", "each reading the one before"),
        ("[add: {a: [relu], l: {repeat: 2, first: {}, layers: [relu]}}]", "has no key `first`", "use `$copy`"),
        ("[add: {a: [relu], l: {from: a, layers: [relu]}}]", "has no key `from`", "beside an operator"),
    ],
)
def test_a_wrong_branch_or_part_gets_the_remedy_of_its_own(layers: str, fact: str, help: str) -> None:
    with pytest.raises(ArchspecError) as caught:
        networks(Source("net.yaml", f"name: net\ninput: [9, 8, 3]\nlayers: {layers}"))[0].graph()
    (wrong,) = caught.value.diagnostics
    assert fact in wrong.message
    assert help in str(wrong.help)
