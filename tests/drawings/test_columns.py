"""Networks side by side have every layer of the graph, aligned, with the shortcuts of the paper's figure."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import archspec
from archspec.drawings.columns import boxes
from archspec.drawings.font import text_width

SVG = "{http://www.w3.org/2000/svg}"


def drawing(*references: str) -> ElementTree.Element:
    return ElementTree.fromstring(archspec.draw(*references, style="columns").svg())


def rectangles(root: ElementTree.Element) -> list[tuple[float, float, float, float, str]]:
    """x, y, width and height of each box, and its output size."""
    found = [each for each in root.iter(f"{SVG}rect") if "data-size" in each.attrib]
    return [
        (*(float(each.get(name, 0)) for name in ("x", "y", "width", "height")), each.attrib["data-size"])  # type: ignore[misc]
        for each in found
    ]


def test_resnet_34_has_the_boxes_of_figure_3() -> None:
    """He et al. 2015, Figure 3, right, from the image to the fully connected layer."""
    expected = ["image", "7×7 conv, 64, /2", "pool, /2", *["3×3 conv, 64"] * 6]
    for width, layers in ((128, 8), (256, 12), (512, 6)):
        expected += [f"3×3 conv, {width}, /2", *[f"3×3 conv, {width}"] * (layers - 1)]
    for variant in ("34", "plain-34"):
        found = [box.text for box in boxes(archspec.load(f"resnet:{variant}").graph())]
        assert found == [*expected, "avg pool", "fc 1000", "softmax"]


def test_vgg_19_has_the_boxes_of_figure_3() -> None:
    """He et al. 2015, Figure 3, left."""
    expected = ["image", *["3×3 conv, 64"] * 2]
    for width, layers in ((128, 2), (256, 4), (512, 4), (512, 4)):
        expected += ["pool, /2", *[f"3×3 conv, {width}"] * layers]
    expected += ["pool, /2", "fc 4096", "fc 4096", "fc 1000", "softmax"]
    assert [box.text for box in boxes(archspec.load("vgg:E").graph())] == expected


def test_shortcuts_are_those_of_figure_3() -> None:
    """ResNet-34 has 16 shortcuts, of which three increase dimensions and are dotted; plain nets have none."""
    arcs = [each.attrib["class"] for each in drawing("resnet:plain-34", "resnet:34").iter(f"{SVG}path")]
    assert arcs.count("arc") == 13
    assert arcs.count("arc dotted") == 3


def test_boxes_are_aligned_by_output_size_and_do_not_overlap() -> None:
    root = drawing("vgg:E", "resnet:plain-34", "resnet:34")
    found = rectangles(root)
    columns = {x: [each for each in found if each[0] == x] for x in {each[0] for each in found}}
    assert len(columns) == 3
    tops: dict[str, set[float]] = {}
    for column in columns.values():
        for above, below in pairwise(column):
            assert above[1] + above[3] < below[1]
        for size in {each[4] for each in column}:
            tops.setdefault(size, set()).add(min(each[1] for each in column if each[4] == size))
    assert tops.keys() == {"224", "112", "56", "28", "14", "7", "1"}
    assert all(len(places) == 1 for places in tops.values())
    labels = [each.text for each in root.iter(f"{SVG}text") if (each.text or "").startswith("output size")]
    assert labels == [f"output size: {size}" for size in (224, 112, 56, 28, 14, 7, 1)]


def test_text_is_inside_its_box() -> None:
    root = drawing("vgg:E", "googlenet", "mobilenet-v2:1.0", "vit:B-16", "conv1d:M5")
    found = rectangles(root)
    named = 0
    for each in root.iter(f"{SVG}text"):
        x, y, size = (float(each.get(name, 0)) for name in ("x", "y", "font-size"))
        holders = [box for box in found if box[0] < x < box[0] + box[2] and box[1] < y < box[1] + box[3]]
        for left, _, width, _, _ in holders:
            assert left <= x - text_width(each.text or "", size) / 2
            assert x + text_width(each.text or "", size) / 2 <= left + width
        named += len(holders)
    assert named == len(found)


def test_a_module_is_one_box() -> None:
    """GoogLeNet has nine inception modules."""
    texts = [box.text for box in boxes(archspec.load("googlenet").graph()) if box.family == "block"]
    assert texts == [
        *("3a, 256", "3b, 480", "4a, 512", "4b, 512", "4c, 512", "4d, 528", "4e, 832", "5a, 832", "5b, 1024"),
    ]


def test_a_network_that_upsamples_goes_on_downwards() -> None:
    """Ronneberger et al. 2015, Figure 1: 572 down to 28, and up to 388."""
    found = rectangles(drawing("unet"))
    tops = [each[1] for each in found]
    assert tops == sorted(tops)
    sizes = list(dict.fromkeys(int(each[4]) for each in found))
    assert sizes[0] == 572
    assert min(sizes) == 28
    assert sizes[-1] == 388


def test_a_class_token_stands_where_it_joins_the_others() -> None:
    """Dosovitskiy et al. 2021, section 3.1: it is prepended to the embedded patches, before the positions are added."""
    found = [(box.text, box.size) for box in boxes(archspec.load("vit:B-16").graph())]
    assert found[1:4] == [
        ("16×16 conv, 768, /16", (14, 14)),
        ("class token", (197,)),  # 14 x 14 patches and the token
        ("position embedding", (197,)),
    ]
    assert [text for text, size in found if size == (1, 1)] == ["fc 1000", "softmax"]
