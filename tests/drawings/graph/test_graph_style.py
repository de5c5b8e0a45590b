"""The SVG of a network, read back: every layer and edge is in it, and nothing is on top of anything else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

import archspec
from archspec.api import families, networks
from archspec.diagnostics import Source
from archspec.drawings.graph.grid import PITCH, _entries
from archspec.drawings.graph.tracks import End
from archspec.format import count
from tests.drawings.graph.drawn import Drawn, Item, Rect, problems, read
from tests.strategies import networks as networks_of
from tests.strategies import specs

MOST_NODES = 700
"""Of a network that the tests draw layer by layer; larger ones are drawn with repeats folded only."""


@pytest.mark.parametrize("family", families())
def test_drawings_of_the_zoo_show_every_layer_and_edge(family: str) -> None:
    """Of the first network of each family."""
    network = next(networks(family))
    graph = network.graph()
    for direction in ("down", "right"):
        folded = read(archspec.draw(network, direction=direction).svg())  # type: ignore[arg-type]
        assert problems(folded, graph, complete=False) == []
    assert problems(read(archspec.draw(network, unfold=True, depth=2).svg()), graph, complete=True) == []
    if len(graph.nodes) <= MOST_NODES:
        assert problems(read(archspec.draw(network, unfold=True).svg()), graph, complete=True) == []


def test_a_stride_divides_the_size_and_that_of_a_transposed_convolution_multiplies_it() -> None:
    layers = "[{conv: {filters: 8, strides: 2, padding: same}}, {conv_transpose: {filters: 8, strides: 2}}]"
    (network,) = networks_of(Source("net.yaml", f"name: net\ninput: [8, 8, 3]\nlayers: {layers}"))
    labels = re.findall(r"<text[^>]*>([^<]*conv[^<]*)<", archspec.draw(network).svg())
    assert labels == ["conv 3×3, 8, /2", "conv_transpose 3×3, 8, ×2"]


@pytest.mark.parametrize("reference", ["resnet:152", "nasnet:mobile", "inception-v3"])
def test_drawings_to_the_right_show_every_layer_and_edge(reference: str) -> None:
    network = archspec.load(reference)
    drawn = read(archspec.draw(network, unfold=True, direction="right", show=["params", "macs"]).svg())
    assert problems(drawn, network.graph(), complete=True) == []


@given(specs())
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
def test_drawings_of_random_specs_show_every_layer_and_edge(spec: str) -> None:
    for network in networks_of(Source("random.yaml", spec)):
        graph = network.graph()
        for direction in ("down", "right"):
            drawn = read(network.draw(unfold=True, direction=direction).svg())  # type: ignore[arg-type]
            assert problems(drawn, graph, complete=True) == []
            assert problems(read(network.draw(direction=direction).svg()), graph, complete=False) == []  # type: ignore[arg-type]


def test_two_outputs_of_a_block_are_read_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    layers = "[relu, concat: {left: [relu], pool: {layers: [relu], repeat: 2}, right: [bn]}]"
    path.write_text(f"name: net\ninput: [8, 8, 4]\nlayers: {layers}\n")
    network = archspec.load(path)
    assert problems(read(network.draw(unfold=True).svg()), network.graph(), complete=True) == []


def test_lines_from_one_side_end_at_the_box() -> None:
    """The nearest one in the middle, so that the box is wide enough for the others."""
    assert _entries(0, {5: End(1, 0), 6: End(2, 0)}, (0, 0)) == ((5, 0), (6, PITCH))
    assert _entries(2, {5: End(0, 0), 6: End(1, 0)}, (2, 2)) == ((5, -PITCH), (6, 0))


def test_the_checks_find_mistakes() -> None:
    network = archspec.load("resnet:18")
    graph = network.graph()
    drawn = read(network.draw(unfold=True).svg())
    first, second, *others = drawn.boxes
    conv = next(node.path for node in graph.nodes if node.op.name == "conv")
    assert problems(drawn, graph, complete=True) == []

    def found(**changes: object) -> str:
        return "\n".join(problems(replace(drawn, **changes), graph, complete=True))  # type: ignore[arg-type]

    without = [edge for edge in drawn.edges if edge[0] != 1]
    assert f"no line leads from {conv}" in found(edges=without)
    crossing = (1, [(first.rect.left - 9.0, first.rect.top + 5), (first.rect.right + 9.0, first.rect.top + 5)])
    assert f"crosses {first.path}" in found(edges=[*drawn.edges, crossing])
    assert "edges of nodes 0 and 1" in found(edges=[*drawn.edges, (1, drawn.edges[0][1])])
    moved = replace(second, rect=first.rect)
    assert "overlaps" in found(items=[first, moved, *others, *drawn.of("block")])
    narrow = replace(first, rect=Rect(first.rect.left, first.rect.top, first.rect.left + 9, first.rect.bottom))
    assert "the text 'input' is outside input" in found(items=[narrow, second, *others])
    assert "too often" in found(items=[first, *drawn.items])
    net, _, place = drawn.shapes[0]
    assert "but the label 1×2" in found(shapes=[(net, "1×2", place)])
    assert "on top of" in found(shapes=[drawn.shapes[0], drawn.shapes[0]])


def test_a_drawing_has_the_same_bytes_every_time() -> None:
    assert archspec.draw("nasnet:mobile", unfold=True).svg() == archspec.draw("nasnet:mobile", unfold=True).svg()


def paths(drawn: Drawn) -> list[str]:
    return [item.path for item in drawn.items]


def test_repeats_are_folded_unless_asked_for() -> None:
    """Table 1 of He et al. 2016: conv4_x of ResNet-152 has 36 blocks, of which the first one projects."""
    texts = [text for item in read(archspec.draw("resnet:152", depth=9).svg()).items for text, *_ in item.texts]
    assert {"conv4_x: bottleneck × 36", "bottleneck × 35"} <= {*texts}
    unfolded = read(archspec.draw("resnet:152", unfold=True, depth=3).svg())
    assert sum("conv4_x/" in path and path.count("/") == 2 for path in paths(unfolded)) == 36


def test_depth_folds_blocks_as_summarize_does() -> None:
    drawn = read(archspec.draw("googlenet", depth=1).svg())
    assert [item.path.split("/")[0] for item in drawn.items if item.kind == "folded"][3] == "3a"
    assert not drawn.of("block")


def test_a_repeat_that_grows_shows_the_shape_of_its_last_copy() -> None:
    """Table 1 of Huang et al. 2017: dense block 1 of DenseNet-121 has 6 layers of 32 channels, after 64."""
    shapes = [text for _, text, _ in read(archspec.draw("densenet:121").svg()).shapes]
    assert {"56×56×96", f"56×56×{64 + 6 * 32}"} <= {*shapes}


def test_figures_are_those_of_the_summary() -> None:
    rows = {row.name: row for row in archspec.summarize("lenet:5").rows}
    shown: dict[str, Item] = {item.path: item for item in read(archspec.draw("lenet:5", show=["params"]).svg()).items}
    layers = [path for path in shown if path in rows and rows[path].params]
    assert layers
    for path in layers:
        assert [text for text, *_ in shown[path].texts][1] == f"{count(rows[path].params)} params"


@pytest.mark.parametrize("reference", ["resnet:152", "googlenet", "densenet:121", "vit", "mobilenet-v3:large"])
def test_a_folded_drawing_fits_a_page(reference: str) -> None:
    """A4 at a scale at which labels of 11 pixels are 2 mm high: 200 mm by 290 mm."""
    drawing = archspec.draw(reference)
    assert drawing.width <= 1100
    assert drawing.height <= 1650


def test_boxes_tell_shared_weights_and_the_names_of_outputs(tmp_path: Path) -> None:
    spec = tmp_path / "two.yaml"
    spec.write_text(
        """\
name: two
inputs: {left: [8], right: [8]}
layers:
  - {name: one, from: left, dense: 4}
  - {name: other, share: one, from: right}
  - {subtract: ~, from: [one, other]}
  - {name: head, dense: 3}
outputs: {distance: subtract, label: head, one: one}
"""
    )
    drawing = archspec.draw(str(spec), unfold=True).svg()
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", drawing)
    expected = {
        "one: dense, 4",
        "other: dense, 4, shared",
        "subtract (output distance)",
        "head: dense, 3 (output label)",
    }
    assert expected <= set(texts)
    siamese = archspec.draw("siamese").svg()
    assert ">other/tower, shared<" in siamese
    assert ">one/tower<" in siamese
