"""References to specs, families and variants that are not there: errors without a place in a file."""

from __future__ import annotations

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
        ("vggg:D", "unknown-family", "there is no family `vggg`", "did you mean `vgg`?"),
        ("VGG:D", "unknown-family", "there is no family `VGG`", "did you mean `vgg`?"),
        ("vgg", "variant-needed", "`vgg` has several variants", "choose one, for example `vgg:A`"),
        ("vgg:F", "unknown-variant", "`vgg` has no variant `F`", "the variants are: A, A-LRN, B, C, D, E"),
        ("vgg:A-LNR", "unknown-variant", "`vgg` has no variant `A-LNR`", "did you mean `A-LRN`?"),
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
