"""Our networks are those of keras.applications: the smallest of each family, compared by their logits.

`python -m tests.zoo.parity` compares all of them, at length.
"""

import inspect
from dataclasses import replace

import keras
import pytest

from archspec import api
from archspec.runtime.weights.applications import FUNCTIONS
from tests.zoo import parity
from tests.zoo.cases import CASES
from tests.zoo.compare import BOUND, compare

SMALLEST = (
    "VGG16",
    "ResNet50",
    "ResNet50V2",
    "InceptionV3",
    "Xception",
    "MobileNet(alpha=0.5)",
    "MobileNetV2(alpha=0.35)",
    "MobileNetV3Small",
    "MobileNetV3Small(minimalistic=True)",
    "DenseNet121",
    "NASNetMobile",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "ConvNeXtTiny",
)
BY_NAME = {case.name: case for case in CASES}


def test_every_function_of_keras_applications_has_a_network() -> None:
    functions = {name for name, _ in inspect.getmembers(keras.applications, inspect.isfunction)}
    assert len(functions) == 40
    assert {case.function for case in CASES} == functions


def test_the_specs_that_take_the_downloaded_weights_are_those_compared() -> None:
    compared = {api.load(case.reference).name: case.function for case in CASES if not case.arguments}
    assert compared == FUNCTIONS


FAST = {"MobileNetV2", "MobileNetV3Small"}
"""The others take up to ten seconds each; `tests.runtime.from_keras` compares some of them too."""


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SMALLEST]
)
def test_random_weights_give_the_same_logits(name: str) -> None:
    found = compare(BY_NAME[name])
    assert found.difference <= BOUND
    assert found.sensitivity > 0.05  # the logits do depend on the images


@pytest.mark.parametrize(
    ("name", "other"),
    [
        # the pools of the paper do not count what is beyond the border
        pytest.param("NASNetMobile", "nasnet:mobile", marks=pytest.mark.slow),
        ("MobileNetV2", "mobilenet-v2:torchvision"),  # the odd pixel of padding on the other side, another epsilon
    ],
)
def test_a_network_that_differs_in_its_padding_alone_is_found_out(name: str, other: str) -> None:
    case = replace(BY_NAME[name], reference=other, side=64)
    assert compare(case).difference > 100 * BOUND


def test_another_network_is_found_out() -> None:
    with pytest.raises(AssertionError, match="the graphs differ"):
        compare(replace(BY_NAME["ResNet50"], reference="resnet:50"))


def test_the_table_is_up_to_date_and_measured() -> None:
    measured = parity.kept()
    stale = "docs/zoo.md is stale: run `python -m tests.zoo.parity --table`"
    assert parity.DOCUMENT.read_text(encoding="utf-8") == parity.document(measured), stale
    for case in CASES:
        assert float(measured[case.name]) <= BOUND


def test_no_spec_is_longer_than_a_page() -> None:
    many_variants = {"efficientnet", "efficientnet-v2"}
    long = {"nasnet", "inception-v3", "inception-resnet-v2", "inception-v4", *many_variants}
    for spec in api.families():
        assert parity.lines_of(spec) <= (150 if spec in long else 100), spec
