"""The difference of two networks: every layer accounted for, changes in arguments, shapes and wiring, the totals."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import archspec
from archspec.cli.main import cli
from archspec.diagnostics import Source
from archspec.graph.compile.compiler import compile_spec
from archspec.graph.diff.diff import Difference, difference
from archspec.graph.diff.formats import as_json, as_markdown, as_text, rows
from archspec.graph.ir import Graph
from archspec.lang.spec.spec import parse


def graph(layers: str, name: str = "net") -> Graph:
    return compile_spec(parse(Source("net.yaml", f"name: {name}\ninput: [8, 6, 3]\nlayers:\n{layers}")))


def between(one: str, other: str) -> Difference:
    return difference(archspec.load(one).graph(), archspec.load(other).graph())


def signs(found: Difference) -> list[tuple[str, str]]:
    return [(change.sign, (change.right or change.left).path) for change in found.changes if change.sign != "="]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("vgg:C", "vgg:D"),
        ("resnet:34", "vgg:E"),
        ("resnet:50", "resnet:101"),
        ("lenet", "mlp"),
        ("resnet-cifar:1202", "vgg:A"),
    ],
)
def test_every_layer_of_both_is_in_the_difference_once_and_in_order(one: str, other: str) -> None:
    found = between(one, other)
    lefts = [change.left.path for change in found.changes if change.left]
    rights = [change.right.path for change in found.changes if change.right]
    assert lefts == [node.path for node in found.left.layers]
    assert rights == [node.path for node in found.right.layers]
    for change in found.changes:  # only like is compared with like
        assert change.left is None or change.right is None or change.left.op.name == change.right.op.name


@pytest.mark.parametrize("reference", ["vgg:E", "resnet:152", "densenet:121"])
def test_a_network_does_not_differ_from_itself(reference: str) -> None:
    found = between(reference, reference)
    assert {change.sign for change in found.changes} == {"="}
    assert "equal layers" in as_text(found)


def test_vgg_c_and_d_differ_in_three_convolutions() -> None:
    """Simonyan & Zisserman 2014, section 2.2: D has 3x3 where C has 1x1."""
    found = between("vgg:C", "vgg:D")
    changed = [change for change in found.changes if change.sign != "="]
    assert [dict(change.arguments)["kernel_size"] for change in changed] == [(1, 3)] * 3
    text = as_text(found)
    assert "~  conv3_3/conv1/conv → conv3_3/conv3/conv  conv: kernel_size 1 → 3; padding valid → same" in text
    assert "params             133,638,952  138,357,544  +4,718,592 (+3.5 %)" in text


def test_a_deeper_network_has_whole_copies_more() -> None:
    """He et al. 2015, Table 1: ResNet-101 has 23 units in conv4_x where ResNet-50 has 6."""
    found = rows(between("resnet:50", "resnet:101"), context=0)
    assert [row[:3] for row in found if row[0] == "+"] == [("+", "conv4_x/7 … conv4_x/23", "17 copies of 10 layers")]
    assert [row[0] for row in found] == ["=", "+", "="]


def test_what_changed_everywhere_is_said_once() -> None:
    found = rows(between("resnet:50", "resnet-torchvision:50"), context=0)
    assert found[0][0] == "~"
    assert found[0][2] == "bn: momentum 0.99 → 0.9; epsilon 0.001 → 1e-05"
    strides = [row[2] for row in found if "strides" in row[2]]
    assert strides == ["conv: strides 2 → 1", "conv: strides 1 → 2"] * 3  # the stride moved to the 3x3


def test_padding_counts_by_what_it_does() -> None:
    same = graph("  - conv: {filters: 4, kernel_size: 3, padding: same}")
    pixels = graph("  - conv: {filters: 4, kernel_size: 3, padding: 1}")
    more = graph("  - conv: {filters: 4, kernel_size: 3, padding: [[0, 2], [1, 1]]}")
    assert signs(difference(same, pixels)) == []
    assert signs(difference(same, more)) == [("~", "conv")]


def test_a_change_of_wiring_is_seen() -> None:
    layers = "  - {name: a, relu: }\n  - {name: b, tanh: }\n  - {name: c, from: a, sigmoid: }\n  - {add: , from: [%s]}"
    found = difference(graph(layers % "b, c"), graph(layers % "c, b"))
    assert signs(found) == [("~", "add")]
    assert "reads b, c → c, b" in as_text(found)


def test_a_new_layer_is_one_change_and_not_two() -> None:
    found = difference(graph("  - conv: 4\n  - relu"), graph("  - conv: 4\n  - bn\n  - relu"))
    assert signs(found) == [("+", "bn")]


def test_json_has_the_totals_and_the_changes() -> None:
    data: Any = json.loads(as_json(between("vgg:C", "vgg:D")))
    assert data["left"]["params"] == 133_638_952
    assert data["right"]["receptive_field"] == [212, 212]
    assert data["equal_layers"] == 37
    (first, *others) = data["changes"]
    assert len(others) == 2
    assert first["change"] == "changed"
    assert first["arguments"] == {"kernel_size": [1, 3], "padding": ["valid", "same"]}
    assert first["right"]["output_shape"] == [56, 56, 256]


def test_the_example_in_the_documentation_is_the_output() -> None:
    spec = (Path(__file__).parents[3] / "docs" / "keras.md").read_text(encoding="utf-8")
    assert f"```text\n{as_text(between('vgg:C', 'vgg:D'))}\n```" in spec


def test_markdown_is_two_tables() -> None:
    lines = as_markdown(between("vgg:C", "vgg:D")).split("\n")
    assert lines[0] == "**vgg-C → vgg-D**"
    assert all(line.startswith("|") and line.endswith("|") for line in lines[2:] if line)
    assert {line.count("|") for line in lines if line.startswith("| ~")} == {6}


def test_the_command_colors_a_terminal_only() -> None:
    plain = CliRunner().invoke(cli, ["diff", "vgg:C", "vgg:D"])
    color = CliRunner().invoke(cli, ["diff", "vgg:C", "vgg:D"], color=True)
    assert plain.exit_code == color.exit_code == 0
    assert "\x1b[33m~" in color.output
    assert "\x1b" not in plain.output
    changed = CliRunner().invoke(cli, ["diff", "vgg:C", "vgg:D", "--set", "classes=10", "--format", "json"])
    assert json.loads(changed.output)["right"]["params"] == 134_301_514


@pytest.mark.parametrize("named", [True, False], ids=["the same paths", "other paths"])
def test_long_networks_are_aligned_at_layers_that_occur_once(named: bool) -> None:
    """1,500 layers need a table of 2,250,000 cells, so it is divided where a layer occurs once in both."""
    rates = [f"0.{i:04}1" for i in range(1500)]
    here = "".join(f"- {{name: d{i}, dropout: {rate}}}\n" for i, rate in enumerate(rates))
    there = here if named else here.replace("name: d", "name: e")
    for place in (3, 700, 1490):
        there = there.replace(f"dropout: {rates[place]}", "relu: ~")
    found = difference(graph(here), graph(there))
    different = {
        (change.sign, change.left and change.left.op.name, change.right and change.right.op.name)
        for change in found.changes
        if change.sign != "="
    }
    assert different == {("-", "dropout", None), ("+", None, "relu")}
    assert sum(change.sign != "=" for change in found.changes) == 6


def test_networks_of_too_many_layers_are_not_compared() -> None:
    long = graph("- {relu: ~, repeat: 5001}", "long")
    with pytest.raises(archspec.ArchspecError) as caught:
        difference(long, graph("- relu"))
    assert caught.value.diagnostics[0].message == "`long` has 5,001 layers, but `diff` compares at most 5,000"


def test_the_networks_of_a_comparison_have_one_budget(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text('name: net\ninput: [8, 6, 3]\nlayers: [{dropout: "$(1 / (copy + 1))", repeat: 9000}]\n')
    assert archspec.check(str(file)) == []
    with pytest.raises(archspec.ArchspecError) as caught:
        archspec.diff(str(file), str(file))
    assert "the two networks expand to more than 80,000 layers together" in caught.value.diagnostics[0].message
