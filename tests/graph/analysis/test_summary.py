"""The summary as its readers take it: a table on the terminal, in a README, in a spreadsheet, in a program."""

import csv
import io
import json
from typing import Any

import pytest

import archspec
from archspec.format import byte_size, count
from archspec.graph.analysis.summary import (
    FORMATS,
    HEADINGS,
    as_csv,
    as_json,
    as_markdown,
    as_text,
    rows,
)

KEYS = {
    "name",
    "op",
    "inputs",
    "output_shape",
    "params",
    "trainable_params",
    "macs",
    "activation_bytes",
    "receptive_field",
    "effective_stride",
    "receptive_field_offset",
    "line",
    "shared",
}


def graph(reference: str, **settings: Any) -> archspec.Graph:
    return archspec.load(reference, **settings).graph()


def table(text: str) -> dict[str, list[str]]:
    """The rows of a table for the terminal under their first cells; cells stand two spaces apart."""
    lines = text.splitlines()
    assert set(lines[1]) == set(lines[3]) == {"─"}
    starts = [lines[2].index(heading) for heading in HEADINGS[:4]]
    body = lines[4 : lines.index(lines[3], 4)]
    return {line.split()[0]: [line[start:].split("  ")[0].strip() for start in starts] for line in body}


def test_json_has_the_promised_keys_and_the_values_of_the_paper() -> None:
    """Simonyan & Zisserman 2014, Table 1, D: the third convolution of 256 channels on 56x56."""
    summary = json.loads(as_json(graph("vgg:D")))
    layer = next(layer for layer in summary["layers"] if layer["name"] == "conv3_3/conv3/conv")
    assert all(layer.keys() == KEYS for layer in summary["layers"])
    line = layer.pop("line")
    assert archspec.load("vgg:D").spec.text.splitlines()[line - 1].lstrip().startswith("conv3:")
    assert layer == {
        "name": "conv3_3/conv3/conv",
        "op": "conv",
        "inputs": ["conv3_2/conv3/relu"],
        "output_shape": [56, 56, 256],
        "params": 3 * 3 * 256 * 256 + 256,
        "trainable_params": 3 * 3 * 256 * 256 + 256,
        "macs": 56 * 56 * 256 * 3 * 3 * 256,
        "activation_bytes": 56 * 56 * 256 * 4,
        "receptive_field": [40, 40],
        "effective_stride": [4, 4],
        "receptive_field_offset": [-18, -18],
        "shared": None,
    }
    del summary["layers"]
    assert summary == {
        "name": "vgg-D",
        "input_shape": [224, 224, 3],
        "output_shape": [1000],
        "inputs": {"input": [224, 224, 3]},
        "outputs": {"softmax": [1000]},
        "params": 138_357_544,
        "trainable_params": 138_357_544,
        "non_trainable_params": 0,
        "macs": 15_470_264_320,
        "activation_bytes": summary["activation_bytes"],
    }


@pytest.mark.parametrize("depth", [None, 1, 2, 3])
@pytest.mark.parametrize("reference", ["resnet:50", "lenet:5", "vgg:E", "googlenet"])
def test_rows_of_any_depth_add_up_to_the_network(reference: str, depth: int | None) -> None:
    whole = graph(reference)
    shown = rows(whole, depth)
    assert sum(row.params for row in shown) == whole.params
    assert sum(row.trainable_params for row in shown) == whole.trainable_params
    assert sum(row.macs or 0 for row in shown) == whole.macs
    images = whole.nodes[0].activation_bytes or 0
    assert sum(row.activation_bytes or 0 for row in shown) + images == whole.activation_bytes
    names = [row.name for row in shown]
    assert len(set(names)) == len(names)
    for position, row in enumerate(shown):  # each reads rows above it
        assert set(row.inputs) <= {"input", *names[:position]}


def test_depth_folds_a_stage_into_one_row() -> None:
    """He et al. 2016, Table 1: conv3_x of ResNet-50 is four bottlenecks with 28x28 outputs."""
    (row,) = [row for row in rows(graph("resnet:50"), 1) if row.name == "conv3_x"]
    weights = [256 * 128, 9 * 128 * 128, 128 * 512, 256 * 512]  # the first unit, with its projection
    weights += 3 * [512 * 128, 9 * 128 * 128, 128 * 512]
    norms = 4 * (128 + 128 + 512) + 512
    assert row.op == f"{4 * 10 + 2} layers"
    assert row.output_shape == (28, 28, 512)
    assert row.trainable_params == sum(weights) + 2 * norms
    assert row.params - row.trainable_params == 2 * norms
    assert row.inputs == ("conv2_x",)


def test_text_is_a_table_whose_inputs_are_in_short() -> None:
    text = as_text(graph("resnet:18"))
    assert text.startswith("resnet-18: (224, 224, 3) -> (1000,)\n")
    shown = table(text)
    assert shown["conv1/conv_bn/conv"][1:] == ["conv", "", "(112, 112, 64)"]
    assert shown["conv2_x/1/basic/add"][1:] == ["add", "maxpool, ↑", "(56, 56, 64)"]
    assert shown["conv3_x/1/basic/add"][1:] == ["add", "↑, ./conv_bn_2/bn", "(28, 28, 128)"]
    assert "params  11,699,112 (46.8 MB in float32, 11,689,512 trainable)" in text
    assert "MACs    1,814,073,344 (1.814G)" in text
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_markdown_is_one_table_with_a_cell_for_each_heading() -> None:
    title, blank, *lines = as_markdown(graph("lenet:full"), 1).splitlines()
    assert (title, blank) == ("**lenet-full**", "")
    body = [line for line in lines if line.startswith("|")]
    assert all(line.count("|") == len(HEADINGS) + 1 for line in body)
    assert body[2].startswith("| C1 | conv |  | (28, 28, 6) | 156 | 156 |")


def test_csv_holds_plain_numbers_for_a_spreadsheet() -> None:
    whole = graph("resnet:50")
    found = list(csv.DictReader(io.StringIO(as_csv(whole))))
    assert len(found) == len(whole.layers)
    assert sum(int(row["params"]) for row in found) == whole.params
    assert sum(int(row["MACs"]) for row in found) == whole.macs
    added = next(row for row in found if row["layer"] == "conv2_x/1/bottleneck/add")
    assert added["inputs"] == "conv2_x/1/bottleneck/project/conv_bn/bn, conv2_x/1/bottleneck/conv_bn_3/bn"
    assert int(added["memory"]) == 56 * 56 * 256 * 4


@pytest.mark.parametrize("form", FORMATS)
def test_free_sizes_are_shown_as_unknown(form: str) -> None:
    text = FORMATS[form](graph("resnet-cifar:20", input=[None, None, 3]), None)
    if form == "json":
        summary = json.loads(text)
        assert (summary["input_shape"], summary["macs"], summary["activation_bytes"]) == ([None, None, 3], None, None)
        assert summary["layers"][0]["receptive_field"] == [3, 3]
        assert summary["layers"][-1]["receptive_field"] is None
    elif form == "csv":
        first, *_, last = csv.DictReader(io.StringIO(text))
        assert (first["MACs"], first["memory"], first["receptive field"]) == ("", "", "3")
        assert last["receptive field"] == "?"
    else:
        assert "unknown (a size is free)" in text
        assert "(None, None, 16)" in text


def test_axes_that_differ_are_shown_side_by_side() -> None:
    *_, softmax, _, _, _, _ = as_text(graph("lenet:full", input=[32, 36, 1]), 1).splitlines()
    assert softmax.split() == ["softmax", "softmax", "(10,)", "40", "B", "32×36", "0", "0", softmax.split()[-1]]


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (9999, "9999"), (10_000, "10K"), (138_357_544, "138.4M"), (15_470_264_320, "15.47G"), (None, "?")],
)
def test_counts_are_short_from_ten_thousand_on(number: int | None, shown: str) -> None:
    assert count(number) == shown


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_845_056, "12.8 MB"), (None, "?")]
)
def test_memory_is_in_powers_of_ten(size: int | None, shown: str) -> None:
    assert byte_size(size) == shown
