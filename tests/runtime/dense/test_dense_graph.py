"""The dense form as static data: shapes and counts that papers and arithmetic give, and what is refused."""

import pytest

import archspec
from archspec import api
from archspec.diagnostics import ArchspecError
from archspec.graph.compile.inference import at_size
from archspec.graph.decompile import decompile
from archspec.graph.rewrite.fully_convolutional import OUTPUTS, convolutionalize
from archspec.graph.rewrite.padding import dense_effects
from tests.runtime.dense.nets import graph


def refused(text: str) -> str:
    with pytest.raises(ArchspecError) as error:
        convolutionalize(graph(text))
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "not-convolutional"
    return " ".join((diagnostic.message, *diagnostic.notes))


def test_vgg_becomes_the_network_of_its_section_3_2() -> None:
    """ "The first FC layer to a 7x7 conv. layer, the last two FC layers to 1x1"; 384 / 32 = 12, and 12 - 7 + 1 = 6."""
    original = archspec.load("vgg:D").graph()
    dense = convolutionalize(original)
    kernels = [node.facts.weights[0].shape for node in dense.layers if node.facts.weights][-3:]
    assert kernels == [(7, 7, 512, 4096), (1, 1, 4096, 4096), (1, 1, 4096, 1000)]
    assert dense.params == original.params
    assert dense.input_shape == (None, None, 3)
    assert at_size(dense, (224, 224, 3)).output_shape == (1, 1, 1000)
    assert at_size(dense, (224, 224, 3)).macs == original.macs
    assert at_size(dense, (384, 384, 3)).output_shape == (6, 6, 1000)
    assert at_size(dense, (384, 511, 3)).output_shape == (6, 9, 1000)  # 511 -> 15 after five halvings
    (effect,) = dense_effects(original, dense)
    assert effect.kind == "padding"
    assert len(effect.paths) == 13


def test_dense_evaluation_of_vgg_a_at_384_costs_a_seventh_of_fifty_crops() -> None:
    """The figure of the issue: 50 crops of 7.6 G against an image of 26.4 G and its mirror image."""
    original = archspec.load("vgg:A").graph()
    dense = at_size(convolutionalize(original), (384, 384, 3))
    assert round(50 * original.macs / (2 * dense.macs), 1) == 7.2  # type: ignore[operator]


def test_a_global_pooling_becomes_one_of_the_training_window() -> None:
    """ResNet on 288 pixels: 288 / 32 = 9, and windows of 7 stand at 9 - 7 + 1 = 3 places along each side."""
    dense = convolutionalize(archspec.load("resnet:50").graph())
    (pool,) = [node for node in dense.layers if node.op.name == "avgpool"]
    assert (pool.op.pool_size, pool.op.strides) == (7, 1)  # type: ignore[attr-defined]
    assert at_size(dense, (288, 288, 3)).output_shape == (3, 3, 1000)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("reference", ["lenet:5", "alexnet:grouped", "resnet-cifar:20", "googlenet:paper"])
def test_the_dense_form_has_a_spec(reference: str, output: str) -> None:
    """Auxiliary classifiers are left out; a spec that compiles to the same network is found."""
    dense = convolutionalize(archspec.load(reference).graph(), output=output)
    spec = decompile(dense, dense.name, "the dense form").graph
    classes = archspec.load(reference).graph().output_shape[-1]
    assert spec.output_shape == ((None, None, classes) if output in ("scores", "logits") else (classes,))
    assert ("softmax" in {node.op.name for node in spec.layers}) == (output != "logits")
    assert spec.params == dense.params


WITHOUT = {"spp-net", "vit", "mlp-mixer", "fcn", "unet", "siamese"}
"""Families that need a fixed size, that return a map already, or that have two inputs."""


@pytest.mark.parametrize("family", sorted(set(archspec.families()) - WITHOUT))
def test_every_other_family_has_a_dense_form(family: str) -> None:
    network = next(api.networks(family))
    convolutionalize(network.graph())  # which infers it at the training size, and compares


HEAD = "name: net\ninput: [8, 8, 2]\nlayers:\n"


def test_what_cannot_slide_is_named() -> None:
    assert "spatial_pyramid_pool" in refused(HEAD + "  - spatial_pyramid_pool: [2, 1]\n  - dense: 3\n")
    assert "positions in the whole image" in refused(HEAD + "  - spatial_pyramid_pool: [2, 1]\n  - dense: 3\n")
    assert "moves values" in refused(HEAD + "  - reshape: [-1, 2]\n  - global_avgpool\n  - dense: 3\n")
    assert "which only a dense layer can do" in refused(HEAD + "  - flatten\n  - bn\n  - dense: 3\n")
    assert "its output is a flattened feature map" in refused(HEAD + "  - flatten\n")
    assert "not one score per class" in refused(HEAD + "  - conv: {filters: 3, kernel_size: 3}\n")
    assert "has no spatial axes" in refused("name: net\ninput: [8]\nlayers:\n  - dense: 3\n")
    assert "needs known sizes" in refused(HEAD + "  - prelu\n  - flatten\n  - dense: 3\n")
    assert "fixed size, (7, 7, 2)" in refused(HEAD + "  - resizing: {height: 7, width: 7}\n  - flatten\n  - dense: 3\n")
    assert "it reads the whole image" in refused(HEAD + "  - reduce_sum: [1, 2]\n  - dense: 3\n")
    assert "of known sizes" in refused(HEAD + "  - window_attention: 2\n  - flatten\n  - dense: 3\n")
    assert "differ in size" in refused(HEAD + "  - adaptive_maxpool: 3\n  - flatten\n  - dense: 3\n")
    assert "differ in size" in refused(HEAD + "  - adaptive_avgpool: 3\n  - flatten\n  - dense: 3\n")
    free = graph("name: net\ninput: [~, ~, 2]\nlayers:\n  - global_avgpool\n  - dense: 3\n")
    with pytest.raises(ArchspecError, match=r"error\[free-input\]"):
        convolutionalize(free)


def test_padding_that_depends_on_the_size_is_fixed_to_that_of_training() -> None:
    """3x3 with stride 2 and `same` pads 8 pixels by (0, 1), and would pad 9 by (1, 1)."""
    text = HEAD + "  - conv: {filters: 3, kernel_size: 3, strides: 2, padding: same}\n  - flatten\n  - dense: 3\n"
    dense = convolutionalize(graph(text))
    assert dense["conv"].op.padding == ((0, 1), (0, 1))  # type: ignore[attr-defined]


def test_squeeze_and_excitation_keeps_its_view_of_the_whole_image_and_says_so() -> None:
    original = archspec.load("se-resnet:50").graph()
    dense = convolutionalize(original)
    effects = {effect.kind: effect for effect in dense_effects(original, dense)}
    assert len(effects["whole-image"].paths) == 16  # one a unit: 3 + 4 + 6 + 3
    assert sum(node.op.name == "global_avgpool" for node in dense.layers) == 16


@pytest.mark.parametrize(
    ("layer", "kinds"),
    [
        ("maxpool: {pool_size: 3, strides: 2, ceil_mode: true}", ["overhang"]),  # 8 pixels: windows at 0, 2, 4 and 6
        ("maxpool: {pool_size: 2, ceil_mode: true}", []),  # which divides 8
        ("avgpool: {pool_size: 3, strides: 2, padding: same}", ["padding", "size"]),
        ("avgpool: {pool_size: 3, strides: 1, padding: same}", ["padding"]),
        ("maxpool: {pool_size: 3, strides: 2, padding: same}", ["padding"]),
        ("conv: {filters: 2, kernel_size: 1, padding: same}", []),
        ("zero_pad: 1", ["padding"]),
        ("group_norm: 2", ["whole-image"]),
        ("upsample: {interpolation: bilinear}", ["padding", "between-crops"]),
        ("bn", []),
        ("conv_transpose: {filters: 2, kernel_size: 1}", []),
        ("conv_transpose: {filters: 2, kernel_size: 3}", ["padding"]),
        ("conv_transpose: {filters: 2, kernel_size: 4, strides: 2, padding: same}", ["padding", "between-crops"]),
        ("conv_transpose: {filters: 2, kernel_size: 2, strides: 2, output_padding: 1}", ["padding", "between-crops"]),
        ("softmax: {axis: 1}", ["whole-image"]),
        ("flip: {axis: 2}", ["whole-image"]),
        ("glu: {axis: 1}", ["whole-image"]),
        ("unit_norm: {axis: [1, 2]}", ["whole-image"]),
        ("reduce_max: {axis: 1, keepdims: true}", ["whole-image"]),
        ("concat: {axis: 1, a: [], b: []}", ["whole-image"]),
        ("multiply: {a: [], gate: [reduce_sum: {axis: [1, 2], keepdims: true}]}", ["whole-image"]),
    ],
)
def test_the_effects_of_a_layer_are_stated(layer: str, kinds: list[str]) -> None:
    original = graph(f"{HEAD}  - {layer}\n  - flatten\n  - dense: 3\n")
    effects = dense_effects(original, convolutionalize(original))
    assert [effect.kind for effect in effects] == kinds
    assert all("1 layer (" in str(effect) for effect in effects)


def test_branches_meet_on_odd_sizes_as_well() -> None:
    """Of 8 pixels 3x3 with stride 2 and 1x1 with stride 2 both give 4; of 9 fixed sides would give 4 and 5."""
    body = "conv: {filters: 2, kernel_size: 3, strides: 2, padding: same}"
    project = "conv: {filters: 2, kernel_size: 1, strides: 2}"
    lines = f"  - residual: {{body: [{body}], project: [{project}]}}\n  - global_avgpool\n  - dense: 3\n"
    original = graph(HEAD + lines)
    dense = convolutionalize(original)
    assert at_size(dense, (9, 9, 2)).output_shape == (2, 2, 3)  # maps of 5 x 5 under windows of 4 x 4
    assert [effect.kind for effect in dense_effects(original, dense)] == ["padding", "size"]


def test_a_dense_network_takes_every_size_that_its_spec_takes() -> None:
    """A spec whose branches meet on an odd size (not those of enet, which halve and double) has a dense form there."""
    tried = 0
    for family in sorted(set(archspec.families()) - WITHOUT):
        network = next(api.networks(family))
        original = network.graph()
        dense = convolutionalize(original)
        for more in (1, 5, 6, 7, 13, 20, 35):
            shape = (*((size or 0) + more for size in original.input_shape[:-1]), original.input_shape[-1])
            try:
                api.Network(network.spec, network.reference, network.variant, {"input": shape}).graph()
            except ArchspecError:
                continue
            at_size(dense, shape)
            tried += 1
    assert tried > 200
