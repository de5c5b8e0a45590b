"""The numbers in drawings of cost and receptive fields are those of `summarize`."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

import archspec
from archspec.diagnostics import ArchspecError
from archspec.graph.analysis.summary import axes

SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawing: archspec.Drawing) -> ElementTree.Element:
    return ElementTree.fromstring(drawing.svg())


@pytest.mark.parametrize("reference", ["vgg:D", "resnet:152", "densenet:121", "lenet:5"])
def test_bars_are_the_numbers_of_summarize(reference: str) -> None:
    root = parsed(archspec.draw(reference, style="cost", depth=1))
    bars = [each for each in root.iter(f"{SVG}rect") if "data-value" in each.attrib]
    rows = archspec.summarize(reference, depth=1).rows
    graph = archspec.load(reference).graph()
    outputs = sum(node.activation_bytes or 0 for node in graph.layers)
    values = [int(each.attrib["data-value"]) for each in bars]
    panels = [values[start : start + len(rows)] for start in range(0, len(values), len(rows))]
    assert panels == [
        [row.params for row in rows],
        [row.macs for row in rows],
        [row.activation_bytes for row in rows],
    ]
    assert [sum(panel) for panel in panels] == [graph.params, graph.macs, outputs]
    totals = [each.text for each in root.iter(f"{SVG}text") if each.text and " in total" in each.text]
    printed = archspec.summarize(reference, depth=1).render().splitlines()
    memory = next(line.split()[1] for line in printed if line.startswith("memory"))
    assert totals[2].startswith(f"{memory} ")
    assert totals[2].endswith("in total, with the input")
    for panel in range(3):
        lengths = [float(each.get("width", 0)) for each in bars[panel * len(rows) : (panel + 1) * len(rows)]]
        for length, value in zip(lengths, panels[panel], strict=True):
            assert length == pytest.approx(max(0.5, max(lengths) * value / max(panels[panel])), abs=0.06)


def test_windows_are_those_of_summarize() -> None:
    rows = archspec.summarize("resnet:50").rows
    last = {row.name.split("/")[0]: row.receptive_field for row in rows}
    root = parsed(archspec.draw("resnet:50", style="receptive-field"))
    drawn = [each.attrib["data-field"] for each in root.iter(f"{SVG}rect") if "data-field" in each.attrib]
    stages = ["conv1", "maxpool", "conv2_x", "conv3_x", "conv4_x", "conv5_x"]
    assert drawn == [axes(field.size) for stage in stages if (field := last[stage])]
    texts = [each.text for each in root.iter(f"{SVG}text")]
    for stage in stages:
        field = last[stage]
        assert field is not None
        place = texts.index(stage)
        assert texts[place + 1 : place + 3] == [axes(field.size), axes(field.stride)]
        assert texts[place + 4] == axes(field.offset)


def test_a_layer_is_shown_with_the_middles_of_all_its_windows() -> None:
    """conv3 of AlexNet has 13 × 13 units."""
    root = parsed(archspec.draw("alexnet", style="receptive-field", layer="conv3"))
    assert sum(each.get("class") == "unit" for each in root.iter(f"{SVG}circle")) == 13 * 13
    (row,) = [row for row in archspec.summarize("alexnet").rows if row.name == "conv3"]
    assert row.receptive_field is not None
    (window,) = [each for each in root.iter(f"{SVG}rect") if "data-field" in each.attrib]
    image = next(each for each in root.iter(f"{SVG}rect") if each.get("class") == "image")
    pixel = float(image.get("width", 0)) / 227
    assert float(window.get("width", 0)) / pixel == pytest.approx(row.receptive_field.size[0], rel=0.01)
    start = row.receptive_field.offset[1] + 6 * row.receptive_field.stride[1]
    assert (float(window.get("x", 0)) - float(image.get("x", 0))) / pixel == pytest.approx(start, abs=0.1)


def test_an_image_is_embedded(tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), (200, 30, 30)).save(tmp_path / "red.png")
    svg = archspec.draw("alexnet", style="receptive-field", image=tmp_path / "red.png").svg()
    assert 'href="data:image/jpeg;base64,' in svg


@pytest.mark.parametrize(
    ("reference", "options", "code"),
    [
        ("alexnet", {"layer": "cnv3"}, "unknown-layer"),
        ("alexnet", {"image": "nowhere.png"}, "data-not-found"),
        ("alexnet", {"image": __file__}, "bad-images"),
        ("conv1d:M5", {}, "draw-option"),
        ("resnet:18", {"input": [None, None, 3]}, "free-input"),
    ],
)
def test_what_cannot_be_drawn_is_refused(reference: str, options: dict[str, object], code: str) -> None:
    with pytest.raises(ArchspecError) as caught:
        archspec.draw(reference, style="receptive-field", **options)  # type: ignore[arg-type]
    assert [each.code for each in caught.value.diagnostics] == [code]
