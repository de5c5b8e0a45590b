"""The counts of the papers' networks, digit by digit, and how they change with the shortcut and the classes."""

from itertools import pairwise

import pytest

import archspec

# Issue 2, section 2: parameters, and GMACs of convolutions and dense layers, 1000 classes at the paper's input size.
# They agree with the printed figures of the papers: AlexNet "60 million", VGG Table 2, ResNet Tables 1 and 6.
PARAMS = [
    ("alexnet", 60_965_224, "0.724"),
    ("vgg:A", 132_863_336, "7.609"),
    ("vgg:A-LRN", 132_863_336, "7.609"),
    ("vgg:B", 133_047_848, "11.308"),
    ("vgg:C", 133_638_952, "11.771"),
    ("vgg:D", 138_357_544, "15.470"),
    ("vgg:E", 143_667_240, "19.632"),
]
TRAINABLE = [
    ("resnet:18", 11_689_512, "1.814"),
    ("resnet:34", 21_797_672, "3.664"),
    ("resnet:50", 25_557_032, "3.858"),
    ("resnet:101", 44_549_160, "7.570"),
    ("resnet:152", 60_192_808, "11.282"),
    ("resnet-cifar:20", 269_722, "0.0406"),
    ("resnet-cifar:56", 853_018, "0.1255"),
    ("resnet-cifar:110", 1_727_962, "0.2529"),
    ("resnet-cifar:1202", 19_421_274, "2.829"),
]


def as_printed(number: int, printed: str) -> str:
    """The number in units of 10^9 with as many decimals as were printed."""
    decimals = len(printed.partition(".")[2])
    return f"{number / 1e9:.{decimals}f}"


@pytest.mark.parametrize(("reference", "params", "gmacs"), PARAMS)
def test_a_network_without_moving_statistics_has_the_parameters_of_its_paper(
    reference: str, params: int, gmacs: str
) -> None:
    graph = archspec.load(reference).graph()
    assert graph.params == graph.trainable_params == params
    assert graph.macs is not None
    assert as_printed(graph.macs, gmacs) == gmacs


@pytest.mark.parametrize(("reference", "trainable", "gmacs"), TRAINABLE)
def test_a_residual_network_has_the_trainable_parameters_of_its_paper(
    reference: str, trainable: int, gmacs: str
) -> None:
    graph = archspec.load(reference).graph()
    assert graph.trainable_params == trainable
    assert graph.non_trainable_params == sum(2 * node.shape[-1] for node in graph.layers if node.op.name == "bn")
    assert graph.macs is not None
    assert as_printed(graph.macs, gmacs) == gmacs


def projection(entering: int, filters: int) -> int:
    """Trainable parameters of a 1x1 convolution without bias and its batch normalization."""
    return entering * filters + 2 * filters


def trainable(reference: str, shortcut: str) -> int:
    return archspec.load(reference, shortcut=shortcut).graph().trainable_params


@pytest.mark.parametrize("depth", [18, 34])
def test_option_a_adds_no_parameters_b_projects_three_times_and_c_every_unit(depth: int) -> None:
    """He et al. 2016, section 4.1: A zero-padding, B projections for increasing dimensions, C all projections."""
    units = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}[depth]  # Table 1
    filters = (64, 128, 256, 512)
    plain = archspec.load(f"resnet:plain-{depth}").graph().trainable_params
    widening = sum(projection(half, full) for half, full in pairwise(filters))
    keeping = [count - (i > 0) for i, count in enumerate(units)]
    others = sum(count * projection(n, n) for count, n in zip(keeping, filters, strict=True))
    assert trainable(f"resnet:{depth}", "none") == plain
    assert trainable(f"resnet:{depth}", "pad") == plain
    assert trainable(f"resnet:{depth}", "project") == plain + widening
    assert trainable(f"resnet:{depth}", "project_all") == plain + widening + others


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110, 1202])
def test_a_residual_network_for_cifar_has_the_parameters_of_its_plain_twin(depth: int) -> None:
    """He et al. 2016, section 4.2: "exactly the same depth, width, and number of parameters"."""
    residual = archspec.load(f"resnet-cifar:{depth}").graph()
    twin = archspec.load(f"resnet-cifar:plain-{depth}").graph()
    assert (residual.params, residual.trainable_params) == (twin.params, twin.trainable_params)
    weighted = [node for node in residual.layers if node.op.name in ("conv", "dense")]
    assert len(weighted) == depth  # 6n + 2
    assert not any(node.op.name == "add" for node in twin.layers)


@pytest.mark.parametrize(("reference", "features"), [("vgg:D", 4096), ("resnet:50", 2048), ("alexnet", 4096)])
def test_fewer_classes_change_the_last_layer_alone(reference: str, features: int) -> None:
    full, small = archspec.load(reference).graph(), archspec.load(reference, classes=10).graph()
    assert small.output_shape == (10,)
    assert full.params - small.params == 990 * (features + 1)
    changed = [node.path for node, other in zip(full.layers, small.layers, strict=True) if node.facts != other.facts]
    assert changed == [full.layers[-2].path, "softmax"]
