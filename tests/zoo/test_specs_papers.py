"""The specs of the papers around VGG and ResNet: feature maps as their tables print them, and counts from outside."""

from typing import Any

import pytest

from archspec import api

MAPS = {
    # Zeiler & Fergus 2013, Figure 3
    "zfnet": {
        "layer1": (110, 110, 96),
        "pool": (55, 55, 96),
        "layer2": (26, 26, 256),
        "pool_2": (13, 13, 256),
        "layer3": (13, 13, 384),
        "layer4": (13, 13, 384),
        "layer5": (13, 13, 256),
        "pool_3": (6, 6, 256),
    },
    # Sermanet et al. 2013, Tables 1 and 3: "spatial input size" of the stage after
    "overfeat:fast": {"maxpool_2": (12, 12, 256), "conv3": (12, 12, 512), "maxpool_3": (6, 6, 1024)},
    "overfeat:accurate": {"maxpool": (36, 36, 96), "maxpool_2": (15, 15, 256), "maxpool_3": (5, 5, 1024)},
    # He et al. 2014, Table 1; section 4.1: 256 x 50 = 12,800 features
    "spp-net:ZF-5": {"pool3_2": (55, 55, 96), "conv5_2": (27, 27, 256), "conv3_3": (13, 13, 256), "spp": (12800,)},
    "spp-net:Convnet-5": {"conv11_4": (55, 55, 96), "pool3_2": (27, 27, 256), "pool3_2_2": (13, 13, 384)},
    "spp-net:Overfeat-5": {"pool3_3": (36, 36, 96), "pool2_2": (18, 18, 256), "conv3_3": (18, 18, 512)},
    "spp-net:Overfeat-7": {"conv3_5": (18, 18, 512)},
    # Szegedy et al. 2014, Table 1 and section 5
    "googlenet:paper": {
        "conv_relu": (112, 112, 64),
        "pool": (56, 56, 64),
        "conv_relu_3": (56, 56, 192),
        "3a": (28, 28, 256),
        "3b": (28, 28, 480),
        "4a": (14, 14, 512),
        "4b": (14, 14, 512),
        "4c": (14, 14, 512),
        "4d": (14, 14, 528),
        "4e": (14, 14, 832),
        "5a": (7, 7, 832),
        "5b": (7, 7, 1024),
        "aux1/classifier/avgpool": (4, 4, 512),
        "aux2/classifier/avgpool": (4, 4, 528),
    },
    # Iandola et al. 2016, Table 1
    "squeezenet:1.0": {
        "conv7": (111, 111, 96),
        "pool": (55, 55, 96),
        "fire2": (55, 55, 128),
        "fire4": (55, 55, 256),
        "pool_2": (27, 27, 256),
        "fire8": (27, 27, 512),
        "pool_3": (13, 13, 512),
        "fire9": (13, 13, 512),
        "conv10": (13, 13, 1000),
    },
    # Ioffe & Szegedy 2015, Figure 5
    "bn-inception:paper": {
        "separable7": (112, 112, 64),
        "shrink": (56, 56, 64),
        "conv3": (56, 56, 192),
        "3a": (28, 28, 256),
        "3b": (28, 28, 320),
        "3c": (14, 14, 576),
        "4a": (14, 14, 576),
        "4b": (14, 14, 576),
        "4c": (14, 14, 576),
        "4d": (14, 14, 576),
        "4e": (7, 7, 1024),
        "5a": (7, 7, 1024),
        "5b": (7, 7, 1024),
    },
    # Szegedy et al. 2016, Figures 3 and 9
    "inception-v4": {
        "stem/concat": (73, 73, 160),
        "stem/concat_2": (71, 71, 192),
        "stem": (35, 35, 384),
        "a": (35, 35, 384),
        "reduction_a": (17, 17, 1024),
        "b": (17, 17, 1024),
        "reduction_b": (8, 8, 1536),
        "c": (8, 8, 1536),
    },
    # Zhang et al. 2017, Table 1
    "shufflenet:g3": {
        "conv1": (112, 112, 24),
        "maxpool": (56, 56, 24),
        "stage2_units": (28, 28, 240),
        "stage3_units": (14, 14, 480),
        "stage4_units": (7, 7, 960),
    },
    # Ma et al. 2018, Table 5
    "shufflenet-v2:x1.0": {
        "stage2_units": (28, 28, 116),
        "stage3_units": (14, 14, 232),
        "stage4_units": (7, 7, 464),
        "conv5": (7, 7, 1024),
    },
    # Tan et al. 2018, Figure 7
    "mnasnet:A1": {
        "conv1x1": (112, 112, 16),
        "A1_rows/mbconv": (56, 56, 24),
        "A1_rows/mbconv_2": (28, 28, 40),
        "A1_rows/mbconv_3": (14, 14, 80),
        "A1_rows/mbconv_4": (14, 14, 112),
        "A1_rows/mbconv_5": (7, 7, 160),
        "A1_rows/mbconv_6": (7, 7, 320),
    },
    # Radosavovic et al. 2020, Figure 3: a stem and four stages, each of half the size
    "regnet:X-200MF": {
        "stem": (112, 112, 32),
        "stage1": (56, 56, 24),
        "stage2": (28, 28, 56),
        "stage3": (14, 14, 152),
        "stage4": (7, 7, 368),
    },
    # Paszke et al. 2016, Table 1
    "enet": {
        "initial": (256, 256, 16),
        "bottleneck1_0": (128, 128, 64),
        "bottleneck1": (128, 128, 64),
        "bottleneck2_0": (64, 64, 128),
        "bottleneck2": (64, 64, 128),
        "bottleneck3": (64, 64, 128),
    },
    # Springenberg et al. 2014, Table 2: global averaging over 6 x 6
    "all-cnn:All-CNN-C": {"half1": (16, 16, 96), "half2": (8, 8, 192), "conv_relu_3": (6, 6, 10)},
    # Zhang et al. 2016, Figure 3: mean pooling over 7 x 7
    "small-inception": {"downsample": (14, 14, 160), "downsample_2": (7, 7, 240), "inception_8": (7, 7, 336)},
    # Dosovitskiy et al. 2020, section 3.1: (224 / 16)^2 patches and the class token
    "vit:B-16": {"patches": (14, 14, 768), "reshape": (196, 768), "tokens": (197, 768), "encoder": (197, 768)},
    # Trockman & Kolter 2022, Table 1: 7 x 7 patches of 224 pixels
    "conv-mixer:1536-20": {"patches": (32, 32, 1536), "mixer": (32, 32, 1536)},
}


def outputs_of(reference: str, **settings: Any) -> dict[str, tuple[int | None, ...]]:
    """Path -> output shape; an item that expands to several layers has that of its last one."""
    shapes: dict[str, tuple[int | None, ...]] = {}
    for node in api.load(reference, **settings).graph().layers:
        words = node.path.split("/")
        for depth in range(1, len(words) + 1):
            shapes["/".join(words[:depth])] = node.shape
    return shapes


@pytest.mark.parametrize("reference", MAPS)
def test_feature_maps_are_those_of_the_paper(reference: str) -> None:
    shapes = outputs_of(reference)
    assert {path: shapes[path] for path in MAPS[reference]} == MAPS[reference]


COUNTS = [
    # torchvision's documentation: parameters, and multiply-adds in millions; GoogLeNet without auxiliary classifiers
    ("googlenet:torchvision", {"auxiliary": False}, 6_624_904, 1498),
    ("squeezenet:1.0", {"input": [224, 224, 3]}, 1_248_424, 819),
    ("squeezenet:1.1", {"input": [224, 224, 3]}, 1_235_496, 349),
    ("shufflenet-v2:x0.5", {}, 1_366_792, 40),
    ("shufflenet-v2:x1.0", {}, 2_278_604, 145),
    ("shufflenet-v2:x1.5", {}, 3_503_624, 296),
    ("shufflenet-v2:x2.0", {}, 7_393_996, 583),
    ("regnet:X-800MF", {}, 7_259_656, 800),
    ("regnet:X-1.6GF", {}, 9_190_136, 1603),
    ("regnet:X-3.2GF", {}, 15_296_552, 3177),
    ("regnet:X-8.0GF", {}, 39_572_648, 7995),
    ("regnet:X-16GF", {}, 54_278_536, 15941),
    ("regnet:X-32GF", {}, 107_811_560, 31736),
    ("regnet:Y-400MF", {}, 4_344_144, 402),
    ("regnet:Y-1.6GF", {}, 11_202_430, 1612),
    ("regnet:Y-3.2GF", {}, 19_436_338, 3176),
    ("regnet:Y-16GF", {}, 83_590_140, 15912),
    ("regnet:Y-32GF", {}, 145_046_770, 32280),
]


@pytest.mark.parametrize(("reference", "settings", "params", "millions"), COUNTS)
def test_counts_are_those_of_torchvision(reference: str, settings: Any, params: int, millions: int) -> None:
    graph = api.load(reference, **settings).graph()
    assert graph.trainable_params == params
    assert graph.macs is not None
    assert round(graph.macs / 1e6) == millions


def test_the_encoder_is_most_of_enet() -> None:
    """Paszke et al. 2016, Table 3: 0.37 M parameters, and the decoder has five of the 27 bottlenecks."""
    graph = api.load("enet").graph()
    head = graph["dense"].facts.params
    assert 0.3e6 < graph.trainable_params - head < 0.37e6


def test_a_pyramid_takes_images_of_any_size() -> None:
    """He et al. 2014, section 2.2: the length of the vector does not depend on the input."""
    for size in ([180, 180, 3], [224, 300, 3], [None, None, 3]):
        shapes = outputs_of("spp-net:ZF-5", input=size)
        assert shapes["spp"] == (12800,)
        assert shapes["softmax"] == (1000,)


@pytest.mark.parametrize(("bypass", "modules"), [("none", 0), ("if_same_shape", 4), ("project", 8)])
def test_bypasses_of_squeezenet(bypass: str, modules: int) -> None:
    """Iandola et al. 2016, Figure 2: around fire3, 5, 7 and 9; the complex one around all eight."""
    graph = api.load("squeezenet:1.0", bypass=bypass).graph()
    assert sum(node.op.name == "add" for node in graph.nodes) == modules


def test_auxiliary_classifiers_are_outputs_with_their_weights() -> None:
    """Szegedy et al. 2014, section 5: their losses are weighted by 0.3, and at inference they are discarded."""
    graph = api.load("googlenet").graph()
    assert [graph.nodes[i].shape for i in graph.outputs] == [(1000,)] * 3
    assert graph.loss_weights == (1, 0.3, 0.3)
    plain = api.load("googlenet", auxiliary=False).graph()
    assert plain.loss_weights == (1,)
    assert plain.params == 6_998_552  # bvlc_googlenet of Caffe's model zoo


def test_position_embeddings_grow_with_the_image() -> None:
    """Dosovitskiy et al. 2020, section 3.2: more patches at a higher resolution, the same weights elsewhere."""
    small, large = (api.load("vit:B-16", size=size).graph() for size in (224, 384))
    positions = [(24**2 + 1) * 768, (14**2 + 1) * 768]
    assert large.params - small.params == positions[0] - positions[1]
