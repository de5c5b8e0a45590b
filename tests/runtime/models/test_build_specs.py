"""Every shipped spec, in every variant, builds in Keras exactly as its static graph says."""

import resource
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archspec
from archspec import api
from archspec.runtime.models.build import build_model, without_weights
from tests.agreement import assert_agree

DEEP = 3000
"""Layers; deeper networks repeat the units of shallower ones, and ResNet-1202 is built in test_build_deep.py."""
SHIPPED = [
    network.reference
    for family in api.families()
    for network in api.networks(family)
    if len(network.graph().nodes) < DEEP
]
GOOD = sorted((Path(__file__).parents[2] / "examples" / "good").glob("*.yaml"))


def build_without_weights(network: archspec.Network) -> Any:
    """The model with its variables declared and not allocated."""
    with without_weights():
        return build_model(network.graph())


def test_what_was_built_without_weights_is_not_allocated_later() -> None:
    build_without_weights(archspec.load("vgg:D"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x), keras.layers.Dense(2)])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes; VGG-D has 553,000


def first_of_each_family() -> list[Any]:
    """All shipped networks; the first two of each family run without `-m slow`, and those of VGG and ResNet."""
    found, seen = [], dict.fromkeys(api.families(), 0)
    for reference in SHIPPED:
        family = reference.partition(":")[0]
        seen[family] += 1
        every = seen[family] <= 2 or family in ("vgg", "resnet", "resnet-cifar")
        found.append(pytest.param(reference, marks=() if every else pytest.mark.slow))
    return found


@pytest.mark.parametrize("reference", first_of_each_family())
def test_the_static_graph_of_a_shipped_spec_is_what_keras_builds(reference: str) -> None:
    network = archspec.load(reference)
    assert_agree(network.graph(), build_without_weights(network))


@pytest.mark.parametrize("reference", ["resnet:18", "resnet:50", "resnet-cifar:20"])
@pytest.mark.parametrize("shortcut", ["pad", "project", "project_all", "none"])
def test_the_static_graph_agrees_with_every_option_of_the_shortcut(reference: str, shortcut: str) -> None:
    network = archspec.load(reference, shortcut=shortcut)
    assert_agree(network.graph(), build_without_weights(network))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_the_static_graph_of_a_good_example_is_what_keras_builds(path: Path) -> None:
    for network in api.networks(str(path)):
        assert_agree(network.graph(), build_without_weights(network))


@pytest.mark.parametrize(
    ("reference", "settings"),
    [
        ("lenet:5", {}),
        ("alexnet:grouped", {"classes": 7, "input": [67, 67, 3]}),
        ("resnet-cifar:20", {"input": [None, None, 3]}),
        ("resnet:50", {"classes": 5, "input": [64, 64, 3]}),
        ("conv1d:M5", {"input": [4096, 1]}),
        ("resnet-digits", {}),
    ],
)
def test_a_built_spec_returns_probabilities_and_trains_as_it_is(reference: str, settings: dict[str, Any]) -> None:
    network = archspec.load(reference, **settings)
    model = network.build()
    assert_agree(network.graph(), model)
    shape = [size or 40 for size in network.graph().input_shape]
    images = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    output = np.asarray(model(images))
    assert output.shape == (3, *network.graph().output_shape)
    np.testing.assert_allclose(output.sum(axis=-1), 1, atol=1e-5)


def test_a_layer_is_found_by_its_path_with_dots() -> None:
    model = archspec.build("resnet:50", input=[32, 32, 3])
    assert model.get_layer("conv3_x.2.bottleneck.conv_bn.conv").filters == 128
    assert model.get_layer("conv3_x.2.bottleneck.add").output.shape == (None, 4, 4, 512)
