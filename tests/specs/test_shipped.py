"""What every shipped spec owes its reader: it checks, names its source, stays a spec, and its names are stable."""

import re

import pytest

import archspec
from archspec import api

CORE = ("alexnet", "conv1d", "lenet", "mlp", "resnet", "resnet-cifar", "resnet-digits", "vgg")
"""The families of the first release; the network of each, without its recipe, takes at most LINES lines."""
LINES = 60
RECIPE = re.compile(r"^(preprocess|train|evaluate):", re.MULTILINE)

PATHS = {
    "resnet:50": [
        "conv1/conv_bn/conv",
        "maxpool",
        "conv3_x/1/bottleneck/project/conv_bn/conv",
        "conv3_x/2/bottleneck/conv_bn/conv",
        "conv3_x/2/bottleneck/conv_bn_3/bn",
        "conv3_x/2/bottleneck/add",
        "conv5_x/3/bottleneck/relu_3",
        "global_avgpool",
        "dense",
        "softmax",
    ],
    "resnet:18": ["conv2_x/2/basic/conv_bn_2/conv", "conv3_x/1/basic/project/conv_bn/bn"],
    "resnet-cifar:1202": ["conv2_x/200/basic/add", "conv3_x/1/basic/shortcut/subsample", "conv4_x/200/basic/relu_2"],
    "vgg:D": ["conv1_1/conv3/conv", "conv5_3/conv3/relu", "maxpool_5", "fc_2/dropout", "dense"],
    "alexnet:grouped": ["conv1", "norm/lrn", "conv5", "fc7/fc/dense", "fc8"],
    "lenet:5": ["C1", "S2/subsample/depthwise_conv", "C3/table_1/concat/15/map/conv", "F6"],
    "mlp:3x512": ["flatten", "fc/1/fc/dense", "fc/3/fc/relu"],
    "conv1d:M11": ["conv80/conv", "conv3/2/bn", "global_avgpool"],
}
"""Checkpoints and Grad-CAM of users hold on to these."""


@pytest.mark.parametrize("family", api.families())
def test_a_shipped_spec_checks_and_meets_what_its_paper_prints(family: str) -> None:
    assert api.check(family) == []


@pytest.mark.parametrize("family", api.families())
def test_a_shipped_spec_names_its_source_and_states_what_to_expect(family: str) -> None:
    network = next(iter(api.networks(family)))
    assert re.search(r"[A-Z]\w+.* (19|20)\d\d", network.spec.title), network.spec.title
    assert network.spec.document.get("expect") is not None


@pytest.mark.parametrize("family", CORE)
def test_a_spec_of_the_core_fits_on_a_spec(family: str) -> None:
    network = RECIPE.split(api.read_spec(family).text)[0]
    assert len(network.rstrip().splitlines()) <= LINES


@pytest.mark.parametrize(("reference", "paths"), PATHS.items())
def test_the_paths_that_users_hold_on_to_stay(reference: str, paths: list[str]) -> None:
    graph = archspec.load(reference).graph()
    order = [node.path for node in graph.layers]
    assert len(set(order)) == len(order)
    assert [path for path in order if path in paths] == paths
