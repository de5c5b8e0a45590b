"""Blocks of several inputs, numbered copies and calls: what each copy reads, and that clones change nothing."""

from pathlib import Path

import pytest

from archspec import api
from archspec.diagnostics import ArchspecError
from archspec.graph.compile.compiler import Compiler
from archspec.graph.compile.parameters import parameters
from archspec.graph.ir import Graph

GOOD = Path(__file__).parents[2] / "examples" / "good"
CELL = """
name: net
input: [16, 12, 3]
blocks:
  cell:
    inputs: [x, previous]
    layers:
      - {conv: {filters: 3, kernel_size: 1}, from: x}
      - {name: p, conv: {filters: 3, kernel_size: 1}, from: previous}
      - {add: ~, from: [conv, p]}
"""


def graph(tmp_path: Path, layers: str) -> Graph:
    spec = tmp_path / "net.yaml"
    spec.write_text(CELL + layers, encoding="utf-8")
    return api.load(str(spec)).graph()


def read_by(network: Graph, path: str) -> list[str]:
    return [network.nodes[i].path for i in network[path].inputs]


def test_each_copy_reads_the_two_before_it() -> None:
    network = api.load(str(GOOD / "two-inputs.yaml")).graph()
    reads = {
        copy: (*read_by(network, f"{copy}/cell/h"), *read_by(network, f"{copy}/cell/p"))
        for copy in ("first", "cells/1", "cells/2", "cells/3", "cells/4")
    }
    assert reads == {
        "first": ("stem", "stem"),
        "cells/1": ("first/cell/add", "stem"),
        "cells/2": ("cells/1/cell/add", "first/cell/add"),
        "cells/3": ("cells/2/cell/add", "cells/1/cell/add"),
        "cells/4": ("cells/3/cell/add", "cells/2/cell/add"),
    }
    assert read_by(network, "cell/p") == ["cells/3/cell/add"]
    assert read_by(network, "conv") == ["first/cell/add"]  # last, which is cells/2/previous


def test_a_row_or_a_condition_between_cells_does_not_move_what_they_read(tmp_path: Path) -> None:
    network = graph(
        tmp_path,
        """
layers:
  - {name: stem, conv: {filters: 3, padding: same}}
  - {name: a, cell: ~, from: [stem, stem]}
  - {relu: ~, when: false}
  - {name: b, cell: ~}
""",
    )
    assert read_by(network, "b/cell/p") == ["stem"]


def test_layers_between_cells_count(tmp_path: Path) -> None:
    network = graph(
        tmp_path, "layers: [{name: s, conv: 3}, {name: t, relu: ~}, {name: a, sigmoid: ~}, {name: b, cell: ~}]"
    )
    assert read_by(network, "b/cell/conv") == ["a"]
    assert read_by(network, "b/cell/p") == ["t"]


@pytest.mark.parametrize(
    "layers", ["[cell]", "[relu, {cell: ~, from: [relu]}]", "[{cell: ~, from: [input, input, input]}]"]
)
def test_a_block_of_two_inputs_refuses_any_other_number(tmp_path: Path, layers: str) -> None:
    with pytest.raises(ArchspecError, match="one-input"):
        graph(tmp_path, f"layers: {layers}")


def test_copies_and_calls_are_numbered_and_not_cloned() -> None:
    network = api.load(str(GOOD / "copy-and-call.yaml")).graph()
    rates = [node.op.rate for node in network.layers if node.op.name == "stochastic_depth"]  # type: ignore[attr-defined]
    assert rates == pytest.approx([0.04, 0.08, 0.12, 0.16, 0.2])
    dilation = [network[f"dilated/{copy}"].op.dilation_rate for copy in (1, 2, 3)]  # type: ignore[attr-defined]
    assert dilation == [2, 4, 8]


@pytest.mark.parametrize("spec", ["two-inputs", "copy-and-call"])
def test_clones_change_nothing(spec: str) -> None:
    network = api.load(str(GOOD / f"{spec}.yaml"))
    spec = network.spec
    slow = Compiler(spec, None, parameters(spec, None, {}), clones=False)
    assert slow.graph(network.name).nodes == network.graph().nodes


def test_cloned_copies_count_as_calls(tmp_path: Path) -> None:
    spec = """
name: net
input: [4, 3, 2]
blocks:
  unit:
    args: [drop: false]
    layers: [relu, {stochastic_depth: $(call / 10), when: $drop}]
layers: [{unit: ~, repeat: 5}, {name: last, unit: true}]
"""
    (tmp_path / "net.yaml").write_text(spec, encoding="utf-8")
    network = api.load(str(tmp_path / "net.yaml")).graph()
    assert network["last/unit/stochastic_depth"].op.rate == 0.6  # type: ignore[attr-defined]
