"""How much of an image crops show, and the warning where that is a corner of it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec import api
from archspec.diagnostics import Diagnostic
from archspec.lang.spec.overrides import parse_settings
from archspec.wording import command_line
from tests.cli.conftest import Run, run

__all__ = ["run"]


def warned(reference: str, side: int | None = None, **settings: Any) -> Diagnostic | None:
    with command_line():
        found = api.load(reference, **settings).warnings(side)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("reference", "size", "percent"), [("vgg:A", 32, "1.6 %"), ("resnet:18", 32, "1.6 %"), ("alexnet", 67, "6.8 %")]
)
def test_a_small_network_sees_a_corner_of_an_image_of_256(reference: str, size: int, percent: str) -> None:
    """(32 / 256)^2 = 1.56 %, (67 / 256)^2 = 6.85 %; at its own size each spec sees (224 / 256)^2 = 77 % at least."""
    assert warned(reference) is None
    wrong = warned(reference, input=[size, size, 3])
    assert wrong is not None
    assert (wrong.code, wrong.severity) == ("small-crop", "warning")
    assert wrong.message.count(f"{percent} of an image of 256 pixels") == 2
    assert wrong.span is not None
    assert "resize: 256" in wrong.span.source.line(wrong.span.line)


@given(size=st.integers(32, 300), resize=st.integers(1, 1024), low=st.integers(1, 1024), more=st.integers(0, 512))
def test_what_the_warning_says_ends_it(size: int, resize: int, low: int, more: int) -> None:
    settings = {"input": [size, size, 3], "evaluate.resize": resize, "scale": [low, low + more] if more else low}
    wrong = warned("vgg:A", **settings)
    small = [4 * size**2 < side**2 for side in (resize, low)]
    assert (wrong is not None) == any(small)
    if wrong is None:
        return
    words = shlex.split((wrong.help or "").strip("`"))
    assert words[::2] == ["--set"] * sum(small)
    assert warned("vgg:A", **{**settings, **parse_settings(words[1::2])}) is None


def test_one_warning_names_what_is_wrong_alone() -> None:
    evaluation = warned("vgg:A", input=[32, 32, 3], scale=40)
    assert evaluation is not None
    assert evaluation.help == "`--set evaluate.resize=32`"
    assert "training" not in evaluation.message
    training = warned("vgg:A", input=[32, 32, 3], **{"evaluate.resize": 32})
    assert training is not None
    help = "`--set 'train.augment=[{resize_smallest_side: 37}, random_crop, random_flip, pca_color]'`"
    assert training.help == help
    assert "evaluation" not in training.message
    assert training.span is not None
    assert "augment:" in training.span.source.line(training.span.line)


@pytest.mark.parametrize(
    ("augment", "percent"),
    [
        ([{"resize_smallest_side": 64}, "random_crop"], None),  # (32 / 64)^2 is a quarter
        ([{"resize_smallest_side": 65}, "random_crop"], "24 %"),
        ([{"resize_smallest_side": [40, 900]}, "random_crop"], None),  # some are seen whole
        ([{"resize_smallest_side": 256}, {"center_crop": 128}, {"center_crop": 64}, "random_crop"], "1.6 %"),
        ([{"resize_smallest_side": 256}, {"random_crop": [32, 256]}], "12 %"),
        (["random_resized_crop", {"resize_smallest_side": 256}, "random_crop"], None),
        (["random_crop"], "0.73 %"),  # of the images, (32 / 375)^2
        ([{"pad": 4}, "random_crop"], "0.73 %"),
        (["random_flip"], None),
    ],
)
def test_the_share_of_a_chain(augment: list[Any], percent: str | None) -> None:
    network = api.load("resnet-cifar:20", **parse_settings([f"train.augment={json.dumps(augment)}"]))
    found = network.warnings(375)
    assert [re.findall(r"[\d.]+ %", each.message) for each in found] == ([[percent]] if percent else [])
    first = 375 if "random_crop" in augment[:2] and "resize" not in str(augment) else 256
    assert all(f"of an image of {65 if percent == '24 %' else first} pixels" in each.message for each in found)


def test_images_of_the_size_of_the_network_are_not_warned_of() -> None:
    for side in (None, 8, 32, 64):
        assert warned("resnet-cifar:20", side) is None
    assert warned("conv1d:M3", 400) is None


def test_check_warns_and_does_not_fail(tmp_path: Path, run: Run) -> None:
    spec = tmp_path / "net.yaml"
    text = "name: net\ninput: [32, 32, 3]\nlayers: [flatten, dense: 2]\nevaluate: {resize: 256}\n"
    spec.write_text(text, encoding="utf-8")
    result = run("check", str(spec))
    assert (result.status, result.out) == (0, f"{spec}: ok\n")
    assert "warning[small-crop]" in result.err
    assert f"{spec}:4:12" in result.err
    (found,) = json.loads(run("check", "--format", "json", str(spec)).out)
    assert (found["severity"], found["code"], found["line"]) == ("warning", "small-crop", 4)
    spec.write_text(text.replace("dense: 2", "dense: two"), encoding="utf-8")
    assert run("check", str(spec)).status == 1
