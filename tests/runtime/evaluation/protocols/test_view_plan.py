"""How many views the papers count, and at which scales."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec import api
from archspec.diagnostics import ArchspecError
from archspec.lang.schema.protocol_text import parse_protocols, protocol_text
from archspec.runtime.evaluation.protocols.view_plan import passes, plan

INPUT = (224, 224, 3)


@pytest.mark.parametrize(
    ("text", "number", "scales"),
    [
        ("center", 1, [256]),
        ("ten-crop", 10, [256]),  # AlexNet, section 4.1: ten patches
        ("multi-crop", 50, [256]),  # VGG, section 3.2: 50 crops per scale
        ("multi-crop: [256, 384, 512]", 150, [256, 384, 512]),  # ... for a total of 150 crops over 3 scales
        ("multi-crop: {grid: 3, flip: false}", 9, [256]),
        ("single-scale", 2, [256]),
        ("multi-scale", 6, [224, 256, 288]),  # VGG, section 4.2: {S - 32, S, S + 32}
        ("multi-scale: [224, 256, 384, 480, 640]", 10, [224, 256, 384, 480, 640]),  # ResNet, section 3.4
        ("dense: {sizes: 384, flip: false}", 1, [384]),
        ("multi-crop+dense: [256, 384, 512]", 156, [256, 384, 512]),
    ],
)
def test_forward_passes_and_scales(text: str, number: int, scales: list[int]) -> None:
    (protocol,) = parse_protocols([text]) or ()
    parts = plan(protocol, INPUT, 256)
    assert passes(parts) == number
    assert all(list(part.sizes) == scales for part in parts)


def test_default_scales_that_the_network_cannot_take_are_refused() -> None:
    (protocol,) = parse_protocols(["multi-scale"]) or ()
    with pytest.raises(ArchspecError, match="at 192, 224 and 256 pixels by default") as caught:
        plan(protocol, INPUT, 224)
    assert caught.value.diagnostics[0].notes == ("the network takes at least 224 pixels",)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["center,ten-crop", "dense"], ["center", "ten-crop", "dense"]),
        (["multi-scale: [256, 384]"], ["multi-scale: {sizes: [256, 384]}"]),
        (["[ten-crop, {dense: {sizes: 384, flip: false}}]"], ["ten-crop", "dense: {sizes: 384, flip: false}"]),
        (["dense: {average: posteriors}"], ["dense: {average: posteriors}"]),
        (["multi-crop+dense: {grid: 3, flip: false}"], ["multi-crop+dense: {grid: 3, flip: false}"]),
        (["center: {size: 256, crop: [224, 192]}"], ["center: {size: 256, crop: [224, 192]}"]),
    ],
)  # fmt: skip
def test_protocols_are_read_and_written_as_in_a_page(texts: list[str], found: list[str]) -> None:
    protocols = parse_protocols(texts)
    assert protocols is not None
    assert [protocol_text(each) for each in protocols] == found
    assert parse_protocols(found) == protocols


def test_all_of_the_page() -> None:
    assert parse_protocols(["page"]) is None
    assert parse_protocols([]) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tencrop", "error[unknown-operator]: there is no protocol `tencrop`\n   = help: did you mean `ten-crop`?"),
        ("dense: {size: 256}", "error[unknown-argument]: `dense` has no argument `size`\n   = help: did you mean `siz"),
        ("multi-scale: [256, 0]", "error[wrong-value]: an item of `multi-scale` must be at least 1, and is `0`"),
        ("ten-crop: 1.5", "error[wrong-type]: `size` of `ten-crop` must be an integer, and is `1.5`"),
        ("[center", "error[yaml-syntax]: this is not YAML"),
        ("page,center", "error[unknown-operator]: there is no protocol `page`"),
    ],
)  # fmt: skip
def test_a_protocol_that_is_none(text: str, message: str) -> None:
    with pytest.raises(ArchspecError) as caught:
        parse_protocols([text])
    assert str(caught.value).startswith(message)


def test_the_pages_of_the_papers_list_what_the_papers_test_by() -> None:
    assert [protocol_text(each) for each in api.load("alexnet").protocol.protocols] == ["ten-crop"]
    assert [protocol_text(each) for each in api.load("resnet:50").protocol.protocols] == [
        "ten-crop",
        "multi-scale: {sizes: [224, 256, 384, 480, 640]}",
    ]
    vgg = api.load("vgg:D").protocol
    assert [passes(plan(each, INPUT, vgg.resize)) for each in vgg.protocols] == [2, 6, 6, 150, 156]  # type: ignore[arg-type]


def test_the_page_of_the_documentation_is_sound() -> None:
    page = Path(__file__).parents[4] / "docs" / "small-vgg.yaml"
    assert api.check(str(page)) == []
    for network in api.networks(str(page)):
        assert all(
            plan(each, network.graph().input_shape, network.protocol.resize) for each in network.protocol.protocols
        )  # type: ignore[arg-type]
