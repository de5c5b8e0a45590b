"""Layers are paired by order, class and shape; a state dict whose order is lost is put in order by its modules."""

from typing import Any

import pytest

from archspec.runtime.weights.matching import (
    Slot,
    Tensor,
    Unit,
    by_kind,
    by_name,
    by_order,
    head_of,
    mismatch,
    signature,
)
from archspec.runtime.weights.state_dict import called_shortcut, torch_units
from archspec.runtime.weights.structure import by_tree


class Variable:
    def __init__(self, *shape: int) -> None:
        self.shape = shape


def slot(kind: str, name: str, *shapes: tuple[int, ...]) -> Slot:
    return Slot(kind, name, tuple(Variable(*shape) for shape in shapes))


def unit(kind: str, name: str, *shapes: tuple[int, ...]) -> Unit:
    return Unit(kind, name, tuple(Tensor("", shape, lambda: None) for shape in shapes))


def paired(matching: Any) -> dict[str, str]:
    assert matching is not None
    return {slot.name: unit.name for slot, unit in matching.pairs}


BN = [(5,)] * 4
SLOTS = [
    slot("conv", "stem", (3, 3, 3, 5)),
    slot("bn", "stem_bn", *BN),
    slot("conv", "body", (3, 3, 5, 5)),
    slot("bn", "body_bn", *BN),
    slot("dense", "head", (5, 7), (7,)),
]


def test_equal_sequences_are_matched_in_their_order() -> None:
    units = [unit(each.kind, f"u{i}", *each.shapes) for i, each in enumerate(SLOTS)]
    assert list(paired(by_order(SLOTS, units)).values()) == ["u0", "u1", "u2", "u3", "u4"]


def test_the_order_within_each_class_is_enough() -> None:
    units = [unit(each.kind, each.name, *each.shapes) for each in SLOTS]
    matching = by_kind(SLOTS, [units[1], units[3], units[4], units[0], units[2]])
    assert paired(matching) == {each.name: each.name for each in SLOTS}


def test_branches_in_another_order_keep_their_normalization() -> None:
    """MobileOne: the 3x3 comes first in the file, the 1x1 in the network; all normalizations have one shape."""
    slots = [slot("bn", "identity", *BN), slot("conv", "scale", (1, 1, 5, 5)), slot("bn", "scale_bn", *BN), *SLOTS[2:4]]
    units = [
        unit("bn", "block.identity", *BN),
        unit("conv", "block.kxk.0.conv", (3, 3, 5, 5)),
        unit("bn", "block.kxk.0.bn", *BN),
        unit("conv", "block.scale.conv", (1, 1, 5, 5)),
        unit("bn", "block.scale.bn", *BN),
    ]
    assert by_order(slots, units) is None
    assert paired(by_tree(slots, units, in_order=True)) == {
        "identity": "block.identity",
        "scale": "block.scale.conv",
        "scale_bn": "block.scale.bn",
        "body": "block.kxk.0.conv",
        "body_bn": "block.kxk.0.bn",
    }


def test_a_normalization_follows_the_1x1_depthwise_convolution_before_it() -> None:
    """MobileOne, sorted by name: the only other order that fits has the normalization of `scale` first."""
    slots = [slot("bn", "identity", *BN), slot("depthwise", "scale", (1, 1, 5, 1)), slot("bn", "scale_bn", *BN)]
    units = [
        unit("bn", "conv_scale.bn", *BN),
        unit("conv", "conv_scale.conv", (1, 1, 1, 5)),
        unit("bn", "identity", *BN),
    ]
    assert paired(by_tree(slots, units)) == {
        "identity": "identity",
        "scale": "conv_scale.conv",
        "scale_bn": "conv_scale.bn",
    }


def test_lists_of_layers_side_by_side_are_read_item_by_item() -> None:
    """Res2Net: the lists `convs` and `bns` of a unit; each convolution is followed by its normalization."""
    slots = [
        slot(kind, f"{index}-{kind}", *shapes)
        for index in range(3)
        for kind, shapes in (("conv", [(3, 3, 5, 5)]), ("bn", BN))
    ]
    units = [unit("bn", f"layer1.bns.{index}", *BN) for index in range(3)]
    units += [unit("conv", f"layer1.convs.{index}", (3, 3, 5, 5)) for index in range(3)]
    expected = {f"{i}-{kind}": f"layer1.{kind}s.{i}" for i in range(3) for kind in ("conv", "bn")}
    assert paired(by_tree(slots, units)) == expected


@pytest.mark.parametrize("in_order", [True, False])
def test_lists_of_modules_side_by_side_are_read_item_by_item(in_order: bool) -> None:
    """The authors' ConvNeXt: `downsample_layers` before `stages`, and both before `norm`."""
    norm, dense = ("norm", [(5,), (5,)]), ("dense", [(5, 5), (5,)])
    slots = [
        slot(kind, f"{place}-{index}-{kind}-{number}", *shapes)
        for index in range(2)
        for place, layers in (("down", [norm, ("conv", [(2, 2, 5, 5)])]), ("stage", [norm, dense, norm]))
        for number, (kind, shapes) in enumerate(layers)
    ]
    names = {
        **{f"downsample_layers.{index}.0": norm for index in range(2)},
        **{f"downsample_layers.{index}.1": ("conv", [(2, 2, 5, 5)]) for index in range(2)},
        **{f"stages.{index}.0.norm1": norm for index in range(2)},
        **{f"stages.{index}.0.pwconv": dense for index in range(2)},
        **{f"stages.{index}.0.norm2": norm for index in range(2)},
    }
    units = [unit(kind, name, *shapes) for name, (kind, shapes) in names.items()]
    assert list(paired(by_tree(slots, units, in_order=in_order)).values()) == [
        f"{module}.{index}.{layer}"
        for index in range(2)
        for module, layers in (("downsample_layers", ("0", "1")), ("stages", ("0.norm1", "0.pwconv", "0.norm2")))
        for layer in layers
    ]


def test_equal_modules_keep_the_order_of_the_file_or_of_their_names() -> None:
    """A shortcut that the file has first; `stem` before `body` in the file, and after it by name."""
    slots = [slot("conv", name, (3, 3, 5, 5)) for name in ("one", "two")] + [slot("conv", "skip", (1, 1, 5, 5))]
    units = [
        unit("conv", "skip.0", (1, 1, 5, 5)),
        unit("conv", "stem.0", (3, 3, 5, 5)),
        unit("conv", "body.0", (3, 3, 5, 5)),
    ]
    assert paired(by_tree(slots, units, in_order=True)) == {"one": "stem.0", "two": "body.0", "skip": "skip.0"}
    assert paired(by_tree(slots, units)) == {"one": "body.0", "two": "stem.0", "skip": "skip.0"}


def test_a_missing_layer_or_another_shape_matches_nothing() -> None:
    units = [unit(each.kind, each.name, *each.shapes) for each in SLOTS]
    for match in (by_order, by_kind):
        assert match(SLOTS, units[:-1]) is None
        assert match(SLOTS, [*units[:-1], unit("dense", "head", (5, 8), (8,))]) is None
    assert by_name(SLOTS, units) is not None
    assert by_name(SLOTS, [*units, unit("bn", "more", *BN)]) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("dense", ((5, 7), (7,))), ("conv", ((1, 1, 5, 7), (7,)))),
        (("depthwise", ((3, 3, 4, 2),)), ("conv", ((3, 3, 1, 8),))),
        (("depthwise", ((1, 1, 6, 1),)), ("param", ((6,),))),
        (("depthwise", ((1, 1, 6, 1), (6,))), ("norm", ((6,), (6,)))),
        (("conv", ((1, 1, 1, 6), (6,))), ("norm", ((6,), (6,)))),  # as PyTorch stores it
        (("attention", ((6, 2, 3), (2, 3, 6))), ("attention", ((6, 6), (6, 6)))),
    ],
)
def test_layers_that_hold_the_same_numbers_can_stand_for_each_other(one: Any, other: Any) -> None:
    assert signature(*one) == signature(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("conv", ((1, 3, 5, 7),)), ("conv", ((3, 1, 5, 7),))),
        (("conv", ((3, 3, 5, 7),)), ("conv", ((3, 3, 7, 5),))),
        (("dense", ((5, 7), (7,))), ("dense", ((5, 7),))),
        (("bn", ((5,),) * 4), ("bn", ((5,),) * 3)),
        (("depthwise", ((3, 3, 6, 1), (6,))), ("norm", ((6,), (6,)))),
        (("dense", ((6, 1), (1,))), ("norm", ((6,), (6,)))),
    ],
)
def test_layers_that_differ_cannot(one: Any, other: Any) -> None:
    assert signature(*one) != signature(*other)


def test_the_projections_of_an_attention_with_a_table_of_its_own_are_dense_layers() -> None:
    """Swin; an attention with two projections alone is Keras's MultiHeadAttention."""
    shapes = {"qkv.weight": (18, 6), "qkv.bias": (18,), "proj.weight": (6, 6), "proj.bias": (6,)}
    plain = {f"attn.{name}": Tensor(name, shape, lambda: None) for name, shape in shapes.items()}
    assert [each.kind for each in torch_units(plain)] == ["attention"]
    table = {"attn.relative_position_bias_table": Tensor("table", (25, 2), lambda: None)}
    assert [each.kind for each in torch_units(table | plain)] == ["param", "dense", "dense"]


def test_filters_bias_and_gain_of_standardized_weights_are_layers_of_their_own() -> None:
    """timm's ScaledStdConv2d; without a gain, StdConv2d is a convolution as any other."""
    shapes = {"stem.weight": (8, 2, 3, 5), "stem.bias": (8,)}
    plain = {name: Tensor(name, shape, lambda: None) for name, shape in shapes.items()}
    (unit,) = torch_units(plain)
    assert (unit.kind, unit.shapes) == ("conv", ((3, 5, 2, 8), (8,)))
    gain = {"stem.gain": Tensor("stem.gain", (8, 1, 1, 1), lambda: None)}
    found = [(each.kind, each.name, each.shapes) for each in torch_units(plain | gain)]
    assert found == [
        ("conv", "stem", ((3, 5, 2, 8),)),
        ("param", "stem.bias", ((8,),)),
        ("param", "stem.gain", ((8, 1, 1, 1),)),
    ]


def test_sorted_names_are_put_in_the_order_of_execution() -> None:
    """timm's names: sorted, the stem comes last, and block 10 before block 2."""
    blocks = [
        slot(kind, f"{i}-{kind}", *shapes) for i in range(12) for kind, shapes in (("conv", [(3, 3, 5, 5)]), ("bn", BN))
    ]
    slots = [*SLOTS[:2], *blocks, SLOTS[-1]]
    names = [f"blocks.0.{i}.{word}" for i in range(12) for word in ("conv", "norm")]
    units = [
        unit("conv", "conv_stem", (3, 3, 3, 5)),
        unit("bn", "norm1", *BN),
        *(unit(each.kind, name, *each.shapes) for each, name in zip(blocks, names, strict=True)),
        unit("dense", "classifier", (5, 7), (7,)),
    ]
    wanted = {slot.name: unit.name for slot, unit in zip(slots, units, strict=True)}
    by_letters = sorted(units, key=lambda each: each.name)
    assert [each.name for each in by_letters[3:6]] == ["blocks.0.1.norm", "blocks.0.10.conv", "blocks.0.10.norm"]
    assert paired(by_tree(slots, by_letters)) == wanted
    assert by_tree(slots, by_letters[1:]) is None


def test_the_classifier_of_a_state_dict_is_known_by_its_name() -> None:
    units = [unit("dense", "classifier.6", (5, 7), (7,)), unit("conv", "features.0", (3, 3, 3, 5))]
    assert head_of(units) == 0
    assert head_of(SLOTS) == 4


def test_the_table_shows_what_is_missing_and_what_differs() -> None:
    units = [unit(each.kind, f"file-{each.name}", *each.shapes) for each in SLOTS]
    units[4] = unit("dense", "fc", (5, 10), (10,))
    del units[3]
    text = "\n".join(mismatch(SLOTS, units))
    assert "3 of the network's 5 layers with weights fit; the file has 4" in text
    assert "-  body_bn (bn 5 + 5 + 5 + 5)" in text
    assert "≠  head (dense 5x7 + 7)" in text
    assert "fc (dense 5x10 + 10)" in text
    assert "=  stem (conv 3x3x3x5)" in text


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["conv1", "layer1.0.conv1", "layer1.0.downsample.0", "layer1.0.downsample.1"], {2, 3}),  # torchvision
        (["s1.b1.conv1.conv", "s1.b1.conv3.bn", "s1.b1.downsample.conv", "s1.b1.downsample.bn"], {2, 3}),  # timm
        (["trunk.b.proj.0", "trunk.b.f.a.0", "trunk.b.f.se.fc1"], {0}),  # torchvision's RegNet
        (["block1.rep.0", "block1.skip", "block1.skipbn"], {1, 2}),  # Xception
        (["layer1.0.body.0", "layer1.0.body.3", "layer1.0.shortcut.0"], {2}),  # lists of layers, not of blocks
        (["blocks.0.attn.qkv", "blocks.0.attn.proj", "patch_embed.proj"], set()),
        (["stages.1.downsample.0", "stages.1.downsample.1", "stages.1.blocks.0.conv_dw"], set()),  # between stages
    ],
)
def test_names_tell_which_layers_are_on_a_shortcut(names: list[str], expected: set[int]) -> None:
    assert called_shortcut(names) == {names[index] for index in expected}
