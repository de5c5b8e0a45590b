"""How many views the papers count, and at which scales."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from archspec import api
from archspec.diagnostics import ArchspecError
from archspec.lang.declarations import declared_text
from archspec.lang.spec.overrides import parse_protocols
from archspec.protocols import PROTOCOLS, Protocol, base
from archspec.protocols.base import passes
from archspec.protocols.center import Center
from tests.test_plugins import in_a_process, install

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
    parts = protocol.plan(INPUT, 256)
    assert passes(parts) == number
    assert all(list(part.sizes) == scales for part in parts)


def test_default_scales_that_the_network_cannot_take_are_refused() -> None:
    (protocol,) = parse_protocols(["multi-scale"]) or ()
    with pytest.raises(ArchspecError, match="are 192, 224 and 256 pixels") as caught:
        protocol.plan(INPUT, 224)
    assert caught.value.diagnostics[0].notes == ("the network needs at least 224 pixels",)


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
def test_protocols_are_read_and_written_as_in_a_spec(texts: list[str], found: list[str]) -> None:
    protocols = parse_protocols(texts)
    assert protocols is not None
    assert [declared_text(each) for each in protocols] == found
    assert parse_protocols(found) == protocols


def test_all_of_the_spec() -> None:
    assert parse_protocols(["spec"]) is None
    assert parse_protocols([]) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tencrop", "error[unknown-protocol]: there is no protocol `tencrop`\n   = help: did you mean `ten-crop`?"),
        ("dense: {size: 256}", "error[unknown-argument]: `dense` has no argument `size`\n   = help: did you mean `siz"),
        ("multi-scale: [256, 0]", "error[wrong-value]: an item of `multi-scale` must be at least 1, but is `0`"),
        ("ten-crop: 1.5", "error[wrong-type]: `size` of `ten-crop` must be an integer, but is `1.5`"),
        ("[center", "error[yaml-syntax]: invalid YAML"),
        ("spec,center", "error[unknown-protocol]: there is no protocol `spec`"),
    ],
)  # fmt: skip
def test_a_protocol_that_is_none(text: str, message: str) -> None:
    with pytest.raises(ArchspecError) as caught:
        parse_protocols([text])
    assert str(caught.value).startswith(message)


def test_the_specs_of_the_papers_list_what_the_papers_test_by() -> None:
    assert [declared_text(each) for each in api.load("alexnet").protocol.protocols] == ["ten-crop"]
    assert [declared_text(each) for each in api.load("resnet:50").protocol.protocols] == [
        "ten-crop",
        "multi-scale: {sizes: [224, 256, 384, 480, 640]}",
    ]
    vgg = api.load("vgg:D").protocol
    assert [passes(each.plan(INPUT, vgg.resize)) for each in vgg.protocols] == [2, 6, 6, 150, 156]


def test_the_spec_of_the_documentation_is_sound() -> None:
    spec = Path(__file__).parents[2] / "docs" / "small-vgg.yaml"
    assert api.check(str(spec)) == []
    for network in api.networks(str(spec)):
        recipe = network.protocol
        assert all(each.plan(network.graph().input_shape, recipe.resize) for each in recipe.protocols)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
def test_every_protocol_says_what_it_does_and_where_it_comes_from(protocol: type[Protocol]) -> None:
    assert (protocol.__doc__ or "").partition("\n")[0].endswith(".")
    assert "section" in protocol.paper
    assert protocol.central == (protocol.name in {"center", "ten-crop"})
    assert not protocol.central or "size" in vars(protocol())


def test_two_protocols_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="the evaluation protocol `dense` is declared twice"):
        type("Twice", (Protocol,), {"name": "dense"})


@pytest.mark.parametrize("shape", [(64,), (10, 3), (4, 28, 28, 3)])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_only_center_takes_data_that_are_not_images(name: str, shape: tuple[int, ...]) -> None:
    protocol = PROTOCOLS[name]()
    if name == "center":
        (views,) = protocol.plan(shape, None)
        assert views.is_validation_view(shape)
    else:
        with pytest.raises(ArchspecError, match=rf"`{re.escape(name)}.* needs images"):
            protocol.plan(shape, None)


@pytest.mark.parametrize(("crop", "single"), [(None, True), (224, True), ((224, 224), True), (256, False)])
def test_the_central_crop_of_the_inputs_size_is_that_of_validation(crop: Any, single: bool) -> None:
    (views,) = Center(256, crop).plan(INPUT, None)
    assert views.is_validation_view(INPUT) is single
    assert views.dense is not single


def test_the_protocol_of_a_plugin_works_everywhere(tmp_path: Path) -> None:
    """The module of the contract's docstring, installed as a package: command line, spec, plan, schema and help."""
    code = inspect.cleandoc(base.__doc__ or "").partition("entry point of the group")[2]
    code = code[code.index("    from archspec") : code.index("    # pyproject.toml")]
    (tmp_path / "flips.py").write_text("from __future__ import annotations\n" + textwrap.dedent(code))
    install(tmp_path, "flips-1.dist-info", "[archspec.protocols]\ncenter-flip = flips\n")
    spec = "name: tiny\ninput: [8, 8, 3]\nevaluate: {protocols: [center-flip: 9]}\nlayers: [flatten, {dense: 2}]\n"
    (tmp_path / "tiny.yaml").write_text(spec)
    run = """
from archspec import load
from archspec.lang.spec.overrides import parse_protocols
from archspec.lang.declarations import declared_text
from archspec.runtime.evaluation.options import GivenModel
(protocol,) = parse_protocols(["center-flip: 256"])
(views,) = protocol.plan((224, 224, 3), None)
print(declared_text(protocol), views.passes, views.sizes)
print(GivenModel.parse("runs/a:center-flip"), load("tiny.yaml").protocol.protocols)
from archspec.cli.commands.evaluate import command
from archspec.lang.schema.spec_schema import text
(option,) = [each for each in command.params if each.name == "protocols"]
print("center-flip" in option.help, "center-flip" in text())
"""
    assert in_a_process(run, tmp_path).splitlines() == [
        "center-flip: {size: 256} 2 (256,)",
        "GivenModel(path=PosixPath('runs/a'), protocol=CenterFlip(size=None)) (CenterFlip(size=9),)",
        "True True",
    ]


@pytest.mark.parametrize(("text", "side"), [("ten-crop", 256), ("multi-crop", 256), ("ten-crop: 300", 300)])
def test_several_crops_without_a_resize_differ_from_each_other(text: str, side: int) -> None:
    """256 of 224, as in the papers; at 224 all crops of a square image would be one."""
    (protocol,) = parse_protocols([text]) or ()
    for window, factor in ((224, 1), (28, 8)):
        (views,) = protocol.plan((window, window, 3), None)
        expected = side if side == 300 else side // factor
        assert views.sizes == (expected,)
        assert len(set(views.places((expected, expected)))) == views.crops
