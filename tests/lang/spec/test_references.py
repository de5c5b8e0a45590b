"""References to specs, families and variants that are not there: errors without a place in a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec import api
from archspec.diagnostics import ArchspecError, Diagnostic


def refused(reference: str) -> Diagnostic:
    with pytest.raises(ArchspecError) as raised:
        api.load(reference)
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.span is None
    return diagnostic


@pytest.mark.parametrize(
    ("reference", "code", "message", "help"),
    [
        ("vggg:D", "unknown-family", "there is no family `vggg`", "did you mean `vgg:D`?"),
        ("VGG:D", "unknown-family", "there is no family `VGG`", "did you mean `vgg:D`?"),
        ("vgg", "variant-needed", "`vgg` has several variants", "choose one, for example `vgg:A`"),
        ("vgg:F", "unknown-variant", "`vgg` has no variant `F`", "the variants are: A, A-LRN, B, C, D, E"),
        ("vgg:A-LNR", "unknown-variant", "`vgg` has no variant `A-LNR`", "did you mean `vgg:A-LRN`?"),
        ("resnet-digits:50", "unknown-variant", "`resnet-digits` has no variant `50`", "this spec has no variants"),
        (
            "./net.yaml",
            "page-not-found",
            "there is no file `./net.yaml`",
            "`archspec list` shows the specs that ship with archspec",
        ),
    ],
)
def test_what_is_not_there(
    reference: str, code: str, message: str, help: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    diagnostic = refused(reference)
    assert (diagnostic.code, diagnostic.message, diagnostic.help) == (code, message, help)


SPEC = "name: {name}\ninput: [8, 8, 3]\nlayers: [flatten, dense: 3]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a few specs."""
    for path in ("crlf.yaml", "other.yml", "Net.YAML", "one/net.yaml", "two/a.yaml", "two/b.yml"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(SPEC.format(name="net"), encoding="utf-8")
    (tmp_path / "a").mkdir()
    variants = SPEC.format(name="my-vgg").replace("layers", "variants: {plain: , wide: }\nlayers")
    for path in ("a/myvgg.yaml", "vgg2.yaml"):
        (tmp_path / path).write_text(variants, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("a/myvgg.yaml", "choose one, for example `a/myvgg.yaml:plain`"),
        ("a/myvgg.yaml:plan", "did you mean `a/myvgg.yaml:plain`?"),
        ("a/myvgg:plain", "did you mean `a/myvgg.yaml:plain`?"),
        ("a/myvgg.yml", "did you mean `a/myvgg.yaml`?"),
        ("crlf", "did you mean `./crlf.yaml`?"),
        ("CRLF.yaml", "did you mean `./crlf.yaml`?"),
        ("other", "did you mean `./other.yml`?"),
        ("other.yaml", "did you mean `./other.yml`?"),
        ("net.yaml", "did you mean `./Net.YAML`?"),
        ("vgg2:plain", "did you mean `./vgg2.yaml:plain`?"),
        ("one", "did you mean `one/net.yaml`?"),
        ("two/", "name one of its specs: two/a.yaml, two/b.yml"),
        ("vgg.yaml", "did you mean `vgg`?"),
        ("vgg:d", "did you mean `vgg:D`?"),
        ("VGG16", "did you mean `vgg:D`?"),
        ("vgg-D", "did you mean `vgg:D`?"),
        ("ResNet50", "did you mean `resnet:50`?"),
        ("resnet-50", "did you mean `resnet:50`?"),
        ("MobileNetV2", "did you mean `mobilenet-v2`?"),
        ("EfficientNetB0", "did you mean `efficientnet:b0`?"),
        ("NASNetLarge", "did you mean `nasnet:large`?"),
    ],
)
def test_the_reference_that_was_meant_can_be_typed(typed: str, meant: str, folder: Path) -> None:
    assert refused(typed).help == meant
    for reference in re.findall("`(.*)`", meant):
        spec, _, variant = reference.partition(":")
        assert variant in {"", *(network.variant for network in api.networks(spec))}


def test_an_unknown_family_is_told_how_to_name_a_spec_of_its_own() -> None:
    assert refused("xyzzy").help == "give the path of your own spec: `./my-net.yaml`"


def test_the_default_variant_stands_for_the_family() -> None:
    assert api.load("mlp").variant == "3x512"
    assert api.load("mlp").name == "mlp-3x512"


def test_a_variant_of_a_file_and_a_file_with_a_colon(tmp_path: Path) -> None:
    text = "name: net\ninput: [4]\nvariants: {a: {n: 2}, b: {n: 3}}\nlayers: [dense: $n]\n"
    spec, colon = tmp_path / "net.yaml", tmp_path / "net:a.yaml"
    for path in (spec, colon):
        path.write_text(text, encoding="utf-8")
    assert api.load(f"{spec}:b").graph().output_shape == (3,)
    assert api.load(f"{colon}:a").graph().output_shape == (2,)
    assert [each.code for each in api.check(f"{spec}:c")] == ["unknown-variant"]
    assert api.check(str(colon)) == []
