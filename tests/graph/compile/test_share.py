"""`share`: which layers use whose weights, what is counted once, and what the language refuses."""

from pathlib import Path

import pytest

from archspec import api
from archspec.diagnostics import ArchspecError, Source
from archspec.graph.ir import Graph
from tests.strategies import networks

GOOD = Path(__file__).parents[2] / "examples" / "good" / "shared-weights.yaml"
TOWER = 3 * 3 * 3 * 6
SIDE = 16 * 18


def graph(layers: str, blocks: str = "{}") -> Graph:
    return networks(Source("net.yaml", f"name: net\ninput: [9, 8, 3]\nblocks: {blocks}\nlayers:\n{layers}"))[0].graph()


def test_a_layer_with_share_has_the_weights_of_the_first_and_its_own_macs() -> None:
    network = api.load(str(GOOD)).graph()
    owners = {node.path: node.shared for node in network.layers if node.shared}
    assert owners["right/tower/conv"] == owners["written/tower/conv"] == "left/tower/conv"
    assert owners["right/tower/bn"] == "left/tower/bn"
    assert {owners[f"steps/{copy}"] for copy in (1, 2, 3)} == {"step"}
    assert network.params == TOWER + 6 + 4 * 6 + 2 * (6 * 3 + 3 + 3 * 6 + 6) + 6 * 6 + 6
    assert network.macs == 3 * SIDE * TOWER + 2 * 2 * (6 * 3 + 3 * 6) + 4 * SIDE * 6 * 6


def test_each_copy_of_a_block_shares_within_itself() -> None:
    network = api.load(str(GOOD)).graph()
    owners = {node.path: node.shared for node in network.layers if node.shared}
    assert owners["channel_gate/1/other"] == "channel_gate/1/one"
    assert owners["channel_gate/2/other"] == "channel_gate/2/one"
    assert owners["channel_gate/2/hidden_2"] == "channel_gate/2/hidden"


def test_a_layer_that_shares_with_one_that_shares_uses_the_weights_of_the_first() -> None:
    network = graph(
        "  - {name: a, conv: 3}\n  - {name: b, share: a}\n  - {name: c, from: b}\n  - {name: d, share: c}\n"
    )
    assert [node.shared for node in network.layers] == [None, "a", "a"]


def test_a_later_call_of_the_block_has_its_own_weights() -> None:
    layers = "  - {name: a, unit: 3}\n  - maxpool\n  - {name: b, unit: 3, share: a}\n  - unit: 3\n  - unit: 3\n"
    network = graph(layers, "{unit: {args: [n], layers: [conv: {filters: $n, padding: same}]}}")
    assert [node.shared for node in network.layers if node.op.name == "conv"] == [None, "a/unit/conv", None, None]
    assert network.params == 3 * (3 * 3 * 3 * 3 + 3)


def test_shared_layers_at_another_size_keep_their_weights() -> None:
    network = api.load(str(GOOD)).graph()
    larger = api.load(str(GOOD), input=[20, 24, 3]).graph()
    assert larger.params == network.params


CONV = "conv: {filters: 3, kernel_size: 3, padding: same}"
STEP = (
    f"{{step: {{inputs: [x, h], layers: [{{name: a, {CONV}, from: x}}, {{name: b, {CONV}, from: h}}, "
    "{add: ~, from: [a, b]}]}}"
)
FIRST = "  - {name: u, relu: ~}\n  - {name: s, step: ~, from: [u, u]}\n"


def test_a_call_that_reads_one_layer_twice_is_called_again_with_two() -> None:
    """The first step of a recurrent network: input and state are the same."""
    again = "  - {name: t, share: s, from: [s, u]}\n  - {name: v, share: t, from: [u, t]}\n"
    network = graph(FIRST + again, STEP)
    reads = {node.path: [network.nodes[index].path for index in node.inputs] for node in network.layers}
    owners = {node.path: node.shared for node in network.layers if node.shared}
    assert (reads["t/step/a"], reads["t/step/b"]) == (["s/step/add"], ["u"])
    assert (reads["v/step/a"], reads["v/step/b"]) == (["u"], ["t/step/add"])
    assert owners == {f"{call}/step/{name}": f"s/step/{name}" for call in "tv" for name in "ab"}
    assert network.params == 2 * (3 * 3 * 3 * 3 + 3)


def test_an_operator_that_reads_one_layer_twice_is_called_again_with_two() -> None:
    network = graph(
        "  - {name: q, reshape: [72, 3]}\n  - {name: k, relu: ~}\n"
        "  - {name: s, attention: {num_heads: 1, key_dim: 3}, from: [q, q]}\n  - {name: t, share: s, from: [k, q]}\n"
        "  - {add: ~, from: [s, t]}\n"
    )
    assert [network.nodes[index].path for index in network.layers[-2].inputs] == ["k", "q"]
    assert network.layers[-2].shared == "s"


def test_of_copies_that_read_one_layer_twice_the_first_can_be_shared() -> None:
    text = FIRST.replace("from:", "repeat: 2, from:")
    with pytest.raises(ArchspecError, match="reads one layer several times") as caught:
        graph(text + "  - {name: t, share: s, from: [s, u]}\n", STEP)
    assert caught.value.diagnostics[0].help == "share one copy, `s/1`"
    assert graph(text + "  - {name: t, share: s/1, from: [s, u]}\n", STEP).layers[-2].shared == "s/1/step/b"


@pytest.mark.parametrize(
    ("layers", "fact"),
    [
        (
            "[{name: a, conv: 4}, {name: b, conv: 4, share: a}]",
            "the kernel of `a` is (3, 3, 3, 4), but `b`, which shares it, needs (3, 3, 4, 4)",
        ),
        ("[{name: a, conv: 3}, {dense: 3, share: a}]", "is `dense`, but `a`, whose weights it shares, is `conv`"),
        ("[{name: a, bn: ~}, {name: x, add: ~, from: [a, a]}, {share: x}]", "`x` has no weights to share"),
        ("[{name: a, conv: 3}, {share: a, repeat: 2, first: {filters: 2}}]", "a layer with `share` alone has none"),
        ("[relu, {share: input}]", "`input` has no weights to share"),
    ],
)
def test_what_cannot_be_shared_is_refused(layers: str, fact: str) -> None:
    with pytest.raises(ArchspecError) as caught:
        networks(Source("net.yaml", f"name: net\ninput: [9, 8, 3]\nlayers: {layers}"))[0].graph()
    assert caught.value.diagnostics[0].code == "share"
    assert fact in caught.value.diagnostics[0].message
