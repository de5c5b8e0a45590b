"""A required argument that is left out is `missing-argument` with its place, wherever a declaration can be named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from archspec import api
from archspec.declare import Declared, arguments
from archspec.diagnostics import Diagnostic
from archspec.lang.schema.messages import one_key_options
from archspec.protocols import PROTOCOLS
from archspec.transforms import TRANSFORMS

SPEC = "name: net\ninput: [8, 8, 3]\nlayers: [conv: 4, flatten, dense: 3, softmax]\n"

PLACES: Mapping[str, Mapping[str, type[Declared]]] = {
    "preprocess: [{}]": TRANSFORMS,
    "train: {{augment: [{}]}}": TRANSFORMS,
    "evaluate: {{protocols: [{}]}}": PROTOCOLS,
    **{f"train: {{{{{option}: {{}}}}}}": family for option, family in one_key_options().items()},
}


def cases() -> Iterator[tuple[str, str, list[str]]]:
    for place, family in PLACES.items():
        for name, declared in family.items():
            required = [each.name for each in arguments(declared) if each.required]
            for form in ("{0}", "{{{0}: {{}}}}", "{{{0}: ~}}"):
                if required or "~" not in form:
                    yield place, form.format(name), required


def checked(text: str, tmp_path: Path) -> list[Diagnostic]:
    file = tmp_path / "net.yaml"
    file.write_text(SPEC + text)
    return api.check(str(file))


def test_every_declaration_without_its_arguments(tmp_path: Path) -> None:
    seen = 0
    for place, value, required in cases():
        found = checked(place.format(value), tmp_path)
        missing = [each for each in found if each.code == "missing-argument"]
        assert bool(missing) == bool(required), (place, value, found)
        for each in missing:
            assert each.span
            assert each.span.line == 4
            assert any(f"`{name}`" in each.message for name in required)
        seen += bool(missing)
    assert seen > 20


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("preprocess: [normalize: {mean: [125, 122, 113]}]", "std"),  # an operator has the same name
        ("preprocess: [normalize: [125, 122, 113]]", "std"),
        ("train: {schedule: {piecewise_constant_decay: [10, 5]}}", "values"),
        ("train: {augment: [random_flip, random_shift]}", "pixels"),
    ],
)
def test_a_bare_value_sets_one_argument_only(text: str, argument: str, tmp_path: Path) -> None:
    (found,) = checked(text, tmp_path)
    assert (found.code, found.span and found.span.line) == ("missing-argument", 4)
    assert f"needs the argument `{argument}`" in found.message


def test_a_setting_without_its_argument(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(SPEC)
    settings: dict[str, Any] = {"train.schedule": "exponential_decay"}
    (found,) = api.load(str(file), **settings).check()
    assert (found.code, found.span) == ("missing-argument", None)


def test_a_list_in_place_of_a_name_is_refused(tmp_path: Path) -> None:
    (found,) = checked("train: {early_stopping: {monitor: [], patience: 3}}", tmp_path)
    assert (found.code, "`monitor` must be a string" in found.message) == ("wrong-type", True)


def test_the_remedy_for_a_missing_argument_has_an_example(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    for given in ("flip", "flip: {}"):
        file.write_text(f"name: net\ninput: [8, 8, 3]\nlayers: [{given}]\n".replace("[flip: {}]", "[{flip: {}}]"))
        (found,) = api.check(str(file))
        assert found.help is not None
        assert found.help.endswith("; for example `flip: {axis: 1}`")
    file.write_text("name: net\ninput: [8, 8, 3]\nlayers: [reverse: 1]\n")
    assert api.check(str(file))[0].help == "write `flip: 1`"
