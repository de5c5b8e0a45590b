"""Merges of unequal shapes: what was forgotten, in which line, and that the remedy works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec.api import check, load
from archspec.diagnostics import ArchspecError, Diagnostic, Source
from archspec.graph.compile.compiler import compile_spec
from archspec.graph.ir import Graph
from archspec.lang.spec.overrides import parse_settings
from archspec.lang.spec.spec import parse

HEAD = "name: net\ninput: [32, 32, 3]\nlayers:\n  - conv: {filters: 16, padding: same}\n  - residual:\n      "


def compiled(text: str) -> Graph:
    return compile_spec(parse(Source("net.yaml", text)))


def refused(text: str) -> Diagnostic:
    with pytest.raises(ArchspecError) as raised:
        compiled(text)
    return raised.value.diagnostics[0]


SAME = "write `padding: same` there"
BODIES = {
    "body: [conv: 16]": (
        "`conv` (line 6) shrinks the feature map by 2 pixels because of `padding: valid`",
        SAME,
    ),
    "body:\n        - conv: 16\n        - bn\n        - conv: {filters: 16, kernel_size: 5}": (
        "`conv` (lines 7, 9) shrinks the feature map by 6 pixels because of `padding: valid`",
        SAME,
    ),
    "body: [conv: {filters: 16, kernel_size: 5, padding: 1}]": (
        "`conv` (line 6) shrinks the feature map by 2 pixels because of `padding: 1`",
        SAME,
    ),
    "body: [conv: 16]\n      shortcut: pad": ("`conv` (line 6) shrinks the feature map by 2 pixels", SAME),
    "body: [conv: 16]\n      project: [conv: {filters: 16, kernel_size: 1}]": ("`conv` (line 6) shrinks", SAME),
    "body: [conv: {filters: 8, strides: 2}]\n      project: [conv: {filters: 8, kernel_size: 1, strides: 2}]": (
        "`conv` (line 6) shrinks the feature map by 1 pixel because of `padding: valid`",
        SAME,
    ),
    "body: [conv: {filters: 16, strides: 2, padding: same}]": (
        "the body has a stride of 2 (line 6)",
        "add `project: [conv: {filters: 16, kernel_size: 1, strides: 2}]`, or write `shortcut: pad`",
    ),
    "body: [conv: {filters: 8, strides: 2, padding: same}]\n      project: [conv: {filters: 8, kernel_size: 1}]": (
        "the body has a stride of 2 (line 6), but `project` has a stride of 1",
        "write `strides: 2` in `project`",
    ),
    "body: [conv: {filters: 32, padding: same}]": (
        "the body changes the channels from 16 to 32",
        "add `project: [conv: {filters: 32, kernel_size: 1}]`, or write `shortcut: pad`",
    ),
    "body: [conv: {filters: 32, padding: same}]\n      project: [conv: {filters: 8, kernel_size: 1}]\n      shortcut: "
    "project_all": ("the body has 32 channels, but `project` has 8", "give both the same number"),
    "body: [flatten]": ("add the layers of the shortcut under `project`", "or write `shortcut: pad`"),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_residual_says_why_its_body_does_not_fit(body: str) -> None:
    help = refused(HEAD + body).help or ""
    fact, advice = BODIES[body]
    assert help.startswith(fact)
    assert help.endswith(advice)


@pytest.mark.parametrize(
    "body",
    [
        "body: [conv: {filters: 16, padding: same}]",
        "body: [conv: {filters: 16, strides: 2, padding: same}]\n      "
        "project: [conv: {filters: 16, kernel_size: 1, strides: 2}]",
        "body: [conv: {filters: 32, padding: same}]\n      project: [conv: {filters: 32, kernel_size: 1}]",
        "body: [conv: {filters: 32, strides: 2, padding: same}]\n      shortcut: pad",
    ],
)
def test_what_the_remedies_write_is_accepted(body: str) -> None:
    assert compiled(HEAD + body).layers


def test_branches_of_other_merges() -> None:
    text = "name: net\ninput: [32, 32, 3]\nlayers:\n  - concat:\n      left: [{left}]\n      right: [{right}]\n"
    wide, narrow = "conv: {filters: 8, padding: same}", "conv: {filters: 8, kernel_size: 5}"
    help = refused(text.replace("{left}", wide).replace("{right}", narrow)).help or ""
    assert help.startswith("`conv` (line 6) shrinks the feature map by 4 pixels because of `padding: valid`")
    help = refused(text.replace("{left}", wide).replace("{right}", "maxpool: 2")).help or ""
    assert help == "the strides of the two inputs differ: 1 and 2 (line 6)"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("[3, 224, 224]", "[224, 224, 3]"),
        ("[1, 28, 28]", "[28, 28, 1]"),
        ("[3, 16, 112, 112]", "[16, 112, 112, 3]"),
        ("224", "[224, 224, 3]"),
        ("224x224x3", "[224, 224, 3]"),
        ("(224, 224, 3)", "[224, 224, 3]"),
        ("[224x224, 3]", "[224, 224, 3]"),
        ("3x64x96", "[64, 96, 3]"),
        ("[1, 3, 224, 224]", "[224, 224, 3]"),
        ("[32, 1, 28, 28]", "[28, 28, 1]"),
        ("[~, 3, 224, 224]", "[224, 224, 3]"),
        ("[1, 224, 224, 3]", "[224, 224, 3]"),
    ],
)
def test_an_input_written_otherwise(given: str, meant: str) -> None:
    text = f"name: net\ninput: {given}\nlayers: [flatten, dense: 3]\n"
    assert meant in (refused(text).help or "")
    spec = parse(Source("net.yaml", text.replace(given, "[8, 8, 3]")))
    settings = parse_settings([f"input={given}"])
    with pytest.raises(ArchspecError, match=re.escape(f"write `input={meant.replace(' ', '')}`")):
        compile_spec(spec, settings=settings)


@pytest.mark.parametrize(
    "given", ["[3, 8, 8]", "[3, 64, 96]", "[28, 28, 1]", "[1, 100, 64]", "[~, ~, 3]", "[3, 224]", "[16, 64, 64, 3]"]
)
def test_inputs_that_may_be_meant_as_written(given: str) -> None:
    assert compiled(f"name: net\ninput: {given}\nlayers: [relu]\n").layers


def test_a_shape_error_asks_about_channels_first() -> None:
    notes = refused("name: net\ninput: [3, 64, 96]\nlayers: [maxpool: 2, maxpool: 2]\n").notes
    assert "if the channels of the input are its first size, write `input: [64, 96, 3]`" in notes


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("[3, 5, 5]", "[5, 5, 3]"),
        ("[3, 64, 96]", "[64, 96, 3]"),
        ("[1, 9, 9]", "[9, 9, 1]"),
        ("[1, 100, 64]", None),
        ("[5, 5, 3]", None),
        ("[3, 4, 4]", None),
        ("[3, 5, 7]", None),
        ("[3, 5]", None),
        ("[3, 5, 5, 5]", None),
    ],
)
def test_warns_of_an_input_that_may_have_its_channels_first(given: str, meant: str | None, tmp_path: Path) -> None:
    spec, setting = tmp_path / "net.yaml", [f"input={given}"]
    spec.write_text(f"name: net\ninput: {given}\nlayers: [relu]\n")
    found = check(spec)
    assert [(each.code, each.severity) for each in found] == [("channels-first", "warning")] * (meant is not None)
    assert all(f"write `{meant}`" in (each.help or "") and each.span and each.span.line == 2 for each in found)
    spec.write_text("name: net\ninput: [8, 8, 3]\nlayers: [relu]\n")
    of_setting = load(spec, **parse_settings(setting)).warnings()
    assert [each.span for each in of_setting] == [None] * len(found)
