"""The counts of keras.applications, torchvision and the papers, first half of the zoo; all static.

Each spec states in `expect` what its paper prints and `check` holds it to that. Here are the exact figures of the two
libraries for every size, and what no single count can show.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import archspec
from archspec import api
from archspec.graph.ir import Graph

KERAS = {
    ("vgg:D", ()): 138_357_544,
    ("vgg:E", ()): 143_667_240,
    ("resnet-keras:50", ()): 25_636_712,
    ("resnet-keras:101", ()): 44_707_176,
    ("resnet-keras:152", ()): 60_419_944,
    ("resnet-v2-keras:50", ()): 25_613_800,
    ("resnet-v2-keras:101", ()): 44_675_560,
    ("resnet-v2-keras:152", ()): 60_380_648,
    ("densenet:keras-121", ()): 8_062_504,
    ("densenet:keras-169", ()): 14_307_880,
    ("densenet:keras-201", ()): 20_242_984,
    ("xception", ()): 22_910_480,
    ("inception-v3:keras", ()): 23_851_784,
    ("inception-resnet-v2:keras", ()): 55_873_736,
    ("mobilenet", (("alpha", 0.25),)): 475_544,
    ("mobilenet", (("alpha", 0.5),)): 1_342_536,
    ("mobilenet", (("alpha", 0.75),)): 2_601_976,
    ("mobilenet", ()): 4_253_864,
    ("mobilenet-v2", (("alpha", 0.35),)): 1_691_208,
    ("mobilenet-v2", (("alpha", 0.5),)): 1_987_224,
    ("mobilenet-v2", (("alpha", 0.75),)): 2_663_064,
    ("mobilenet-v2", ()): 3_538_984,
    ("mobilenet-v2", (("alpha", 1.3),)): 5_431_048,
    ("mobilenet-v2", (("alpha", 1.4),)): 6_156_712,
    ("mobilenet-v3:large", ()): 5_507_432,
    ("mobilenet-v3:large", (("alpha", 0.75),)): 4_012_616,
    ("mobilenet-v3:large-minimalistic", ()): 3_948_688,
    ("mobilenet-v3:small", ()): 2_554_968,
    ("mobilenet-v3:small", (("alpha", 0.75),)): 2_051_552,
    ("mobilenet-v3:small-minimalistic", ()): 2_056_848,
}
"""`keras.applications.NAME(weights=None, ...).count_params()`, Keras 3.15; alpha and minimalistic as here."""

TORCHVISION = {
    "resnet-torchvision:18": 11_689_512,
    "resnet-torchvision:34": 21_797_672,
    "resnet-torchvision:50": 25_557_032,
    "resnet-torchvision:101": 44_549_160,
    "resnet-torchvision:152": 60_192_808,
    "resnet-torchvision:wide-50-2": 68_883_240,
    "resnet-torchvision:wide-101-2": 126_886_696,
    "resnext:50-32x4d": 25_028_904,
    "resnext:101-32x8d": 88_791_336,
    "resnext:101-64x4d": 83_455_272,
    "densenet:121": 7_978_856,
    "densenet:161": 28_681_000,
    "densenet:169": 14_149_480,
    "densenet:201": 20_013_928,
    "mobilenet-v2:torchvision": 3_504_872,
    "mobilenet-v3:torchvision-large": 5_483_032,
    "mobilenet-v3:torchvision-small": 2_542_856,
    "inception-v3:torchvision": 27_161_264 - 3_326_696,  # without AuxLogits, whose share is the second number
    "vgg-bn:11": 132_868_840,
    "vgg-bn:13": 133_053_736,
    "vgg-bn:16": 138_365_992,
    "vgg-bn:19": 143_678_248,
}
"""The column "Params" of torchvision's table of weights: what is trained, without moving statistics."""

LINES = {
    **dict.fromkeys(
        ("densenet", "densenet-cifar", "mobilenet", "mobilenet-v2", "mobilenet-v3", "resnet-d", "resnet-keras"), 100
    ),
    **dict.fromkeys(("resnet-torchvision", "resnet-v2", "resnet-v2-cifar", "resnet-v2-keras", "resnext"), 100),
    **dict.fromkeys(("se-resnet", "stochastic-depth", "vgg-bn", "wide-resnet", "xception"), 100),
    **dict.fromkeys(("inception-v3", "inception-resnet-v2"), 150),
}


def convolutions(graph: Graph) -> list[tuple[int, ...]]:
    """(kernel height, input channels, filters) of each convolution, in the order of the spec."""
    kernels = (node.facts.weights[0].shape for node in graph.layers if node.op.name == "conv")
    return [(height, entering, filters) for height, _, entering, filters in kernels]


@pytest.mark.parametrize(("reference", "settings"), KERAS)
def test_a_spec_has_the_parameters_of_keras_applications(
    reference: str, settings: tuple[tuple[str, float], ...]
) -> None:
    assert archspec.load(reference, **dict(settings)).graph().params == KERAS[reference, settings]


@pytest.mark.parametrize("reference", TORCHVISION)
def test_a_spec_has_the_trained_parameters_of_torchvision(reference: str) -> None:
    assert archspec.load(reference).graph().trainable_params == TORCHVISION[reference]


@pytest.mark.parametrize("family", LINES)
def test_a_spec_of_the_zoo_stays_a_spec(family: str) -> None:
    network, _, _ = api.read_spec(family).text.partition("\npublished:")  # figures of others do not count
    assert len(network.splitlines()) <= LINES[family]


def torchvision_bottlenecks(units: list[int], width: int, groups: int) -> Iterator[tuple[int, ...]]:
    """The convolutions of torchvision's `ResNet(Bottleneck, units)` in the order of its state dict.

    `width` is width_per_group: inner channels = planes * width / 64 * groups.
    """
    yield 7, 3, 64
    entering = 64
    for stage, count in enumerate(units):
        planes = 64 * 2**stage
        inner = planes * width // 64 * groups
        for unit in range(count):
            yield 1, entering, inner
            yield 3, inner // groups, inner
            yield 1, inner, 4 * planes
            if unit == 0:
                yield 1, entering, 4 * planes  # downsample
            entering = 4 * planes


@pytest.mark.parametrize(
    ("reference", "units", "width", "groups"),
    [
        ("resnet-torchvision:50", [3, 4, 6, 3], 64, 1),
        ("resnet-torchvision:152", [3, 8, 36, 3], 64, 1),
        ("resnet-torchvision:wide-50-2", [3, 4, 6, 3], 128, 1),
        ("resnext:50-32x4d", [3, 4, 6, 3], 4, 32),
        ("resnext:101-64x4d", [3, 4, 23, 3], 4, 64),
        ("resnext:101-32x8d", [3, 4, 23, 3], 8, 32),
    ],
)
def test_convolutions_follow_each_other_as_in_a_state_dict_of_torchvision(
    reference: str, units: list[int], width: int, groups: int
) -> None:
    assert convolutions(archspec.load(reference).graph()) == list(torchvision_bottlenecks(units, width, groups))


def strided(reference: str) -> set[int]:
    """The sides of the kernels that step by two, after the first convolution."""
    first, *others = (node.op for node in archspec.load(reference).graph().layers if node.op.name == "conv")
    assert first.strides == 2
    return {op.kernel_size for op in others if op.strides == 2}


@pytest.mark.parametrize(
    ("reference", "sides"),
    [
        ("resnet:50", {1}),  # He et al. 2015
        ("resnet-keras:50", {1}),
        ("se-resnet:50", {1}),
        ("resnet-torchvision:50", {1, 3}),  # the projection is 1x1 everywhere
        ("se-resnet:resnext-50-32x4d", {1, 3}),
        ("resnet-v2:50", {1, 3}),
        ("resnet-v2-keras:50", {3}),  # its shortcuts are subsampled by a pooling of 1x1
        ("resnet-d:original-50", {1}),
        ("resnet-d:B-50", {1, 3}),
        ("resnet-d:D-50", {3}),  # its shortcuts pool before they project
    ],
)
def test_the_stride_of_a_bottleneck_is_where_the_source_has_it(reference: str, sides: set[int]) -> None:
    assert strided(reference) == sides


def test_the_first_units_of_keras_v2_keep_their_size_and_the_last_halve_it() -> None:
    """keras.applications.ResNet50V2: conv2_block1_out is 56 x 56, conv2_block3_out 28 x 28, conv5_block3_out 7 x 7."""
    shapes = {node.path: node.shape for node in archspec.load("resnet-v2-keras:50").graph().layers}
    assert shapes["conv2_x/stage/add"] == (56, 56, 256)
    assert shapes["conv2_x/stage/last/unit/add"] == (28, 28, 256)
    assert shapes["conv5_x/stage/last/unit/add"] == (7, 7, 2048)


def test_stochastic_depth_rises_linearly_to_its_last_rate() -> None:
    """Huang et al. 2016, equation 4: 1 - p_l = l / L (1 - p_L), with L = 54 and p_L = 0.5."""
    layers = archspec.load("stochastic-depth:110").graph().layers
    rates = [node.op.rate for node in layers if node.op.name == "stochastic_depth"]
    assert rates == pytest.approx([0.5 * unit / 54 for unit in range(1, 55)])


def test_stochastic_depth_adds_nothing_to_the_weights_of_resnet() -> None:
    """He et al. 2015, Table 6: the same nets."""
    for variant in ("110", "1202"):
        ours = archspec.load(f"stochastic-depth:{variant}").graph()
        theirs = archspec.load(f"resnet-cifar:{variant}").graph()
        assert (ours.params, ours.macs) == (theirs.params, theirs.macs)


def test_mobilenet_v3_takes_images_of_any_size() -> None:
    """The default input of keras.applications.MobileNetV3Large."""
    graph = archspec.load("mobilenet-v3:large", input=[None, None, 3]).graph()
    assert graph.output_shape == (1000,)
    assert graph.params == KERAS["mobilenet-v3:large", ()]
    assert graph.macs is None


def test_squeeze_and_excitation_costs_what_equation_5_says() -> None:
    """Hu et al. 2017, section 4: 2 / r sum(N_s C_s^2) weights more than ResNet-50, and the biases of the two layers."""
    extra = sum(2 * units * channels**2 // 16 for units, channels in ((3, 256), (4, 512), (6, 1024), (3, 2048)))
    biases = sum(units * (channels // 16 + channels) for units, channels in ((3, 256), (4, 512), (6, 1024), (3, 2048)))
    plain, excited = (archspec.load(reference).graph().params for reference in ("resnet:50", "se-resnet:50"))
    assert excited - plain == extra + biases


def test_densenet_grows_by_k_and_halves_in_transitions() -> None:
    """Huang et al. 2016, Table 1: DenseNet-121, k = 32."""
    shapes = {node.path: node.shape for node in archspec.load("densenet:121").graph().layers}
    assert shapes["dense1/6/layer/concat"] == (56, 56, 64 + 6 * 32)
    assert shapes["transition1/transition/avgpool"] == (28, 28, 128)
    assert shapes["dense4/16/layer/concat"] == (7, 7, 1024)
