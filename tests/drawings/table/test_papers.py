"""The tables equal those printed in the papers, cell by cell. Expected values are typed from the papers."""

from __future__ import annotations

import pytest

import archspec
from archspec.api.drawing import _caption, _networks
from archspec.drawings.table.model import PaperTable
from archspec.drawings.table.style import table_of


def table(*references: str) -> PaperTable:
    networks = [each for reference in references for each in _networks(reference, True, {})]
    return table_of([network.graph() for network in networks], [_caption(network) for network in networks])


VGG = """
A         | A-LRN     | B         | C         | D         | E
11 weight layers | 11 weight layers | 13 weight layers | 16 weight layers | 16 weight layers | 19 weight layers
input (224 × 224 RGB image)
conv3-64  | conv3-64 *LRN | conv3-64 *conv3-64 | conv3-64 conv3-64 | conv3-64 conv3-64 | conv3-64 conv3-64
maxpool
conv3-128 | conv3-128 | conv3-128 *conv3-128 | conv3-128 conv3-128 | conv3-128 conv3-128 | conv3-128 conv3-128
maxpool
conv3-256 conv3-256 | conv3-256 conv3-256 | conv3-256 conv3-256 | conv3-256 conv3-256 *conv1-256 | \
conv3-256 conv3-256 *conv3-256 | conv3-256 conv3-256 conv3-256 *conv3-256
maxpool
conv3-512 conv3-512 | conv3-512 conv3-512 | conv3-512 conv3-512 | conv3-512 conv3-512 *conv1-512 | \
conv3-512 conv3-512 *conv3-512 | conv3-512 conv3-512 conv3-512 *conv3-512
maxpool
conv3-512 conv3-512 | conv3-512 conv3-512 | conv3-512 conv3-512 | conv3-512 conv3-512 *conv1-512 | \
conv3-512 conv3-512 *conv3-512 | conv3-512 conv3-512 conv3-512 *conv3-512
maxpool
FC-4096
FC-4096
FC-1000
soft-max
"""
"""Simonyan & Zisserman 2014, Table 1, below its first line; * before a layer in bold."""


def test_vgg_is_table_1() -> None:
    printed = [[cell.strip() for cell in row.split("|")] for row in VGG.strip().split("\n")]
    title, *rows = table("vgg").rows
    assert [cell.text for cell in title] == ["ConvNet Configuration"]
    written = []
    for row in rows:
        merged = len(row) == 1
        assert row[0].columns == (6 if merged else 1)
        lines = [[line for part in cell.parts for line in part.lines] for cell in row]
        written.append([" ".join(f"*{line.text}" if line.bold else line.text for line in each) for each in lines])
    assert written == printed


def test_resnet_is_table_1() -> None:
    """He et al. 2015, Table 1, all cells but the FLOPs."""
    basic, bottleneck = "[3×3, {0}; 3×3, {0}] × {2}", "[1×1, {0}; 3×3, {0}; 1×1, {1}] × {2}"
    blocks = [basic, basic, bottleneck, bottleneck, bottleneck]
    copies = {
        ("conv2_x", "56×56", 64): (2, 3, 3, 3, 3),
        ("conv3_x", "28×28", 128): (2, 4, 4, 4, 8),
        ("conv4_x", "14×14", 256): (2, 6, 6, 23, 36),
        ("conv5_x", "7×7", 512): (2, 3, 3, 3, 3),
    }
    stages = [
        [name, size, *(block.format(width, 4 * width, times) for block, times in zip(blocks, each, strict=True))]
        for (name, size, width), each in copies.items()
    ]
    layers = ["18-layer", "34-layer", "50-layer", "101-layer", "152-layer"]
    expected = [
        ["layer name", "output size", *layers],
        ["conv1", "112×112", *["7×7, 64, stride 2"] * 5],
        ["conv2_x", "56×56", *["3×3 max pool, stride 2"] * 5],
        *stages,
        ["", "1×1", *["average pool, 1000-d fc, softmax"] * 5],
    ]
    found = table("resnet")
    assert found.grid()[:-1] == expected
    assert "plain-34 as 34-layer" in found.notes[-1]


def test_resnet_flops_are_those_of_the_paper_and_the_graph() -> None:
    cells = table("resnet").grid()[-1][2:]
    printed = [1.8e9, 3.6e9, 3.8e9, 7.6e9, 11.3e9]
    graphs = [archspec.load(f"resnet:{depth}").graph().macs or 0 for depth in (18, 34, 50, 101, 152)]
    shown = [float(cell.removesuffix("×10⁹")) * 1e9 for cell in cells]
    assert shown == pytest.approx(printed, rel=0.03)  # the paper rounds to one digit behind the point, 34 down
    assert shown == pytest.approx(graphs, rel=0.005)  # three digits are shown


def test_densenet_is_table_1() -> None:
    """Huang et al. 2016, Table 1: the four networks, from the first convolution to the last dense block."""
    layers = {
        "dense1": (6, 6, 6, 6),
        "dense2": (12, 12, 12, 12),
        "dense3": (24, 32, 48, 64),
        "dense4": (16, 32, 32, 48),
    }
    sizes = ["56×56", "28×28", "14×14", "7×7"]
    expected = [
        ["conv1", "112×112", *["7×7 conv, stride 2"] * 4],
        ["maxpool", "56×56", *["3×3 max pool, stride 2"] * 4],
    ]
    for number, ((name, copies), size) in enumerate(zip(layers.items(), sizes, strict=True), 1):
        expected.append([name, size, *(f"[1×1 conv; 3×3 conv] × {times}" for times in copies)])
        if number < 4:
            expected.append([f"transition{number}", size, *["1×1 conv"] * 4])
            expected.append([f"transition{number}", sizes[number], *["2×2 average pool, stride 2"] * 4])
    found = table("densenet:121", "densenet:169", "densenet:201", "densenet:264")
    assert found.grid()[1:-2] == expected
    assert found.notes[0].startswith("Growth rate k = 32.")


GOOGLENET = """
convolution   | 7×7/2 | 112×112×64 | 1 | | | | | |
max pool      | 3×3/2 | 56×56×64   | 0 | | | | | |
convolution   | 3×3/1 | 56×56×192  | 2 | | 64 | 192 | | |
max pool      | 3×3/2 | 28×28×192  | 0 | | | | | |
inception (3a) | | 28×28×256 | 2 | 64  | 96  | 128 | 16 | 32  | 32
inception (3b) | | 28×28×480 | 2 | 128 | 128 | 192 | 32 | 96  | 64
max pool      | 3×3/2 | 14×14×480  | 0 | | | | | |
inception (4a) | | 14×14×512 | 2 | 192 | 96  | 208 | 16 | 48  | 64
inception (4b) | | 14×14×512 | 2 | 160 | 112 | 224 | 24 | 64  | 64
inception (4c) | | 14×14×512 | 2 | 128 | 128 | 256 | 24 | 64  | 64
inception (4d) | | 14×14×528 | 2 | 112 | 144 | 288 | 32 | 64  | 64
inception (4e) | | 14×14×832 | 2 | 256 | 160 | 320 | 32 | 128 | 128
max pool      | 3×3/2 | 7×7×832    | 0 | | | | | |
inception (5a) | | 7×7×832   | 2 | 256 | 160 | 320 | 32 | 128 | 128
inception (5b) | | 7×7×1024  | 2 | 384 | 192 | 384 | 48 | 128 | 128
avg pool      | 7×7/1 | 1×1×1024   | 0 | | | | | |
dropout (40%) |       | 1×1×1024   | 0 | | | | | |
linear        |       | 1×1×1000   | 1 | | | | | |
softmax       |       | 1×1×1000   | 0 | | | | | |
"""
"""Szegedy et al. 2014, Table 1, without params and ops, which it rounds or misprints (specs/googlenet.yaml)."""


def test_googlenet_is_table_1() -> None:
    printed = [[cell.strip() for cell in row.split("|")] for row in GOOGLENET.strip().split("\n")]
    head, *rows = table("googlenet").grid()
    names = ["#1×1", "#3×3 reduce", "#3×3", "#5×5 reduce", "#5×5", "pool proj", "params", "ops"]
    assert head == ["type", "patch size/stride", "output size", "depth", *names]
    assert [row[:-2] for row in rows] == printed


MOBILENET = """
Conv / s2    | 3×3×3×32      | 224×224×3
Conv dw / s1 | 3×3×32 dw     | 112×112×32
Conv / s1    | 1×1×32×64     | 112×112×32
Conv dw / s2 | 3×3×64 dw     | 112×112×64
Conv / s1    | 1×1×64×128    | 56×56×64
Conv dw / s1 | 3×3×128 dw    | 56×56×128
Conv / s1    | 1×1×128×128   | 56×56×128
Conv dw / s2 | 3×3×128 dw    | 56×56×128
Conv / s1    | 1×1×128×256   | 28×28×128
Conv dw / s1 | 3×3×256 dw    | 28×28×256
Conv / s1    | 1×1×256×256   | 28×28×256
Conv dw / s2 | 3×3×256 dw    | 28×28×256
Conv / s1    | 1×1×256×512   | 14×14×256
Conv dw / s1 | 3×3×512 dw    | 14×14×512
Conv / s1    | 1×1×512×512   | 14×14×512
Conv dw / s2 | 3×3×512 dw    | 14×14×512
Conv / s1    | 1×1×512×1024  | 7×7×512
Conv dw / s1 | 3×3×1024 dw   | 7×7×1024
Conv / s1    | 1×1×1024×1024 | 7×7×1024
Avg Pool / s1 | Pool 7×7     | 7×7×1024
FC / s1      | 1024×1000     | 1×1×1024
Softmax / s1 | Classifier    | 1×1×1000
"""
"""Howard et al. 2017, Table 1; the last depthwise convolution has s2 in print, but keeps its size."""


def test_mobilenet_is_table_1() -> None:
    printed = [[cell.strip() for cell in row.split("|")] for row in MOBILENET.strip().split("\n")]
    found = table("mobilenet")
    assert [row[1:] for row in found.grid()[1:]] == printed
    factors = [cell for _, x, cell in found.placed() if x == 0 and cell.columns == 1]
    assert [(cell.text, cell.rows) for cell in factors] == [("5×", 2)]


def test_resnext_is_table_1() -> None:
    """Xie et al. 2016, Table 1, right: ResNeXt-50 (32×4d)."""
    stages = [row[2] for row in table("resnext:50-32x4d").grid() if row[0].startswith("conv") and "[" in row[2]]
    assert stages == [
        f"[1×1, {width}; 3×3, {width}, C=32; 1×1, {2 * width}] × {times}"
        for width, times in ((128, 3), (256, 4), (512, 6), (1024, 3))
    ]


def test_se_resnet_is_table_1() -> None:
    """Hu et al. 2017, Table 1, middle: SE-ResNet-50, with the widths of the two dense layers of each unit."""
    stages = [row[2] for row in table("se-resnet:50").grid() if row[0].startswith("conv") and "[" in row[2]]
    assert stages == [
        f"[1×1, {width}; 3×3, {width}; 1×1, {4 * width}; fc, [{width // 4}, {4 * width}]] × {times}"
        for width, times in ((64, 3), (128, 4), (256, 6), (512, 3))
    ]
