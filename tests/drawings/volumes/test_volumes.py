"""Volumes are in proportion to the shapes of the graph, and have the labels of the figures in the papers."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

import archspec
from archspec.drawings.font import text_width

SVG = "{http://www.w3.org/2000/svg}"
Points = list[tuple[float, float]]


def drawing(reference: str, log: bool = False) -> ElementTree.Element:
    return ElementTree.fromstring(archspec.draw(reference, style="volumes", log=log).svg())


def texts(root: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


def polygons(root: ElementTree.Element, attribute: str) -> list[tuple[str, Points]]:
    found = []
    for each in root.iter(f"{SVG}polygon"):
        if attribute in each.attrib:
            pairs = [pair.split(",") for pair in each.attrib["points"].split()]
            found.append((each.attrib[attribute], [(float(x), float(y)) for x, y in pairs]))
    return found


def area(points: Points) -> float:
    """The shoelace formula."""
    corners = zip(points, points[1:] + points[:1], strict=True)
    return abs(sum(x * to_y - to_x * y for (x, y), (to_x, to_y) in corners)) / 2


def test_areas_of_the_maps_are_in_proportion() -> None:
    for reference in ("alexnet", "vgg:D", "resnet:50"):
        shares = []
        for sizes, points in polygons(drawing(reference), "data-map"):
            height, width = map(int, sizes.split("x"))
            if height > 20:  # coordinates have one digit behind the point
                shares.append(area(points) / (height * width))
        assert len(shares) > 3
        assert shares == pytest.approx([shares[0]] * len(shares), rel=0.06), reference


def test_lengths_of_the_channels_are_in_proportion() -> None:
    shares = []
    for sizes, points in polygons(drawing("vgg:D"), "data-box"):
        channels = int(sizes.split("x")[2])
        shares.append((points[1][0] - points[0][0]) / channels)
    assert shares[1:] == pytest.approx([shares[1]] * (len(shares) - 1), rel=0.03)  # 3 channels have the least length


def test_log_makes_lengths_proportional_to_logarithms() -> None:
    shares = []
    for sizes, points in polygons(drawing("vgg:D", log=True), "data-box"):
        channels = int(sizes.split("x")[2])
        shares.append((points[1][0] - points[0][0]) / math.log2(1 + channels))
    assert shares == pytest.approx([shares[0]] * len(shares), rel=0.02)


def test_every_convolution_and_dense_layer_of_a_chain_is_a_volume() -> None:
    root = drawing("vgg:E")
    graph = archspec.load("vgg:E").graph()
    maps = [node.shape for node in graph.nodes if node.op.name in ("", "conv")]
    units = [node.shape for node in graph.nodes if node.op.name == "dense"]
    assert [sizes for sizes, _ in polygons(root, "data-box")] == ["x".join(map(str, shape)) for shape in maps]
    assert [sizes for sizes, _ in polygons(root, "data-units")] == [str(shape[0]) for shape in units]


def test_alexnet_is_figure_2() -> None:
    """Krizhevsky et al. 2012, Figure 2: two halves of 48, 128, 192, 192, 128 maps, 2048 and 2048 units, then 1000."""
    root = drawing("alexnet")
    boxes = [sizes for sizes, _ in polygons(root, "data-box")]
    half = ["55x55x48", "27x27x128", "13x13x192", "13x13x192", "13x13x128"]
    assert boxes == [
        "227x227x3",
        *(sizes for sizes in half for _ in range(2)),
    ]  # 224 in the paper
    assert [units for units, _ in polygons(root, "data-units")] == ["2048"] * 4 + ["1000"]
    words = texts(root)
    assert words.count("Max pooling") == 3
    assert words.count("dense") == 3
    assert {"11×11", "5×5", "3×3", "stride of 4"} <= set(words)


def test_halves_read_each_other_where_the_convolution_has_no_groups() -> None:
    """Figure 2: "the kernels of the third layer take input from all of those kernel maps in layer 2"."""
    rays = [each for each in drawing("alexnet").iter(f"{SVG}path") if each.get("class") == "ray"]
    # two lines each: the input to both halves, conv2, conv4 and conv5 within halves, conv3 across
    assert len(rays) == 2 * (2 + 2 + 4 + 2 + 2)


def test_lenet_is_figure_2() -> None:
    """LeCun et al. 1998, Figure 2; its output has Gaussian connections, that of the spec is dense."""
    root = drawing("lenet:5")
    labels = {
        "INPUT": "32x32",
        "C1: feature maps": "6@28x28",
        "S2: f. maps": "6@14x14",
        "C3: f. maps": "16@10x10",
        "S4: f. maps": "16@5x5",
        "C5: layer": "120",
        "F6: layer": "84",
        "OUTPUT": "10",
    }
    words = texts(root)
    for label, size in labels.items():
        assert label in words
        assert size in words
    operations = ["Convolutions", "Subsampling"] * 2 + ["Full connection"] * 3
    assert words[-len(operations) :] == operations
    maps = [each.get("data-map") for each in root.iter(f"{SVG}rect") if each.get("data-map")]
    assert [maps.count(size) for size in ("32x32", "28x28", "14x14", "10x10", "5x5")] == [1, 6, 6, 16, 16]


@pytest.mark.parametrize("reference", ["lenet:5", "alexnet", "vgg:D", "resnet:152", "googlenet", "densenet:121"])
def test_text_is_within_the_drawing_and_does_not_overlap(reference: str) -> None:
    root = drawing(reference)
    _, _, right, low = map(float, root.attrib["viewBox"].split())
    boxes: list[tuple[float, float, float, float, str]] = []
    for each in root.iter(f"{SVG}text"):
        x, y, size = (float(each.get(name, 0)) for name in ("x", "y", "font-size"))
        wide = text_width(each.text or "", size)
        left = x - {"middle": wide / 2, "end": wide}.get(each.get("text-anchor", ""), 0)
        assert 0 <= left <= right - wide, each.text
        assert size <= y <= low, each.text
        boxes.append((left, y - size * 0.75, left + wide, y, each.text or ""))
    for number, (left, top, end, bottom, text) in enumerate(boxes):
        for other in boxes[number + 1 :]:
            apart = end <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
            assert apart, (text, other[4])


def test_networks_of_other_forms_are_drawn() -> None:
    for reference in ("mlp", "conv1d:M5", "vit:B-16", "mobilenet-v3:large", "resnet-digits", "inception-v3"):
        assert len(list(drawing(reference).iter(f"{SVG}polygon"))) > 3
