"""`expect`: which figures a network meets, to one unit of the last printed digit or within a tolerance."""

from __future__ import annotations

from typing import Any

import pytest

from archspec import api
from archspec.diagnostics import Diagnostic, Source
from archspec.graph.analysis.expect import expectations
from archspec.graph.compile.compiler import compile_spec
from archspec.lang.spec.spec import parse

# 3 * 3 * 3 * 64 + 64 = 1,792 parameters, 30 * 30 * 27 * 64 = 1,555,200 multiply-accumulates
SPEC = "name: net\ninput: [32, 32, 3]\nlayers: [conv: {filters: 64, kernel_size: 3}]\nexpect: "


def unmet(expect: str, yaml: str = SPEC) -> list[Diagnostic]:
    spec = parse(Source("net.yaml", yaml + expect))
    return expectations(spec, None, compile_spec(spec))


@pytest.mark.parametrize(
    "figure",
    [
        "{params: 1792}",
        "{params: 1.8K}",
        "{params: 1.79k}",
        "{params: 1.7K}",
        "{params: 2K}",
        "{params: 1K}",
        "{params: {value: 2000, tolerance: 208, reason: r}}",
        "{params: {value: 2K, tolerance: 10.4%, reason: r}}",
        "{params: {value: 2K, tolerance: 0.21K, reason: r}}",
        "{params: {value: 1792}}",
        "{macs: 1.6M}",
        "{macs: 1.56M}",
        "{macs: 0.002G}",
        "{trainable_params: 1792, params: 1792}",
        "{output_shape: [30, 30, 64]}",
        "{receptive_field: [3, 3]}",
    ],
)
def test_figures_that_are_met(figure: str) -> None:
    assert unmet(figure) == []


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        ("{params: 1791}", "`params` of `net` is 1,792, but `expect` says 1791"),
        ("{params: 1.6K}", "`params` of `net` is 1,792, but `expect` says 1.6K"),
        ("{params: 1.81K}", "`params` of `net` is 1,792, but `expect` says 1.81K"),
        ("{params: 3K}", "`params` of `net` is 1,792, but `expect` says 3K"),
        (
            "{params: {value: 2000, tolerance: 207, reason: r}}",
            "`params` of `net` is 1,792, but `expect` says 2000 within 207",
        ),
        (
            "{params: {value: 2K, tolerance: 10%, reason: r}}",
            "`params` of `net` is 1,792, but `expect` says 2K within 10%",
        ),
        ("{macs: 1.6G}", "`macs` of `net` is 1,555,200, but `expect` says 1.6G"),
        ("{output_shape: [64]}", "`output_shape` of `net` is (30, 30, 64), but `expect` says (64,)"),
        ("{receptive_field: [5, 5]}", "`receptive_field` of `net` is (3, 3), but `expect` says (5, 5)"),
        ("{params: 1792.5}", "`params` of `net` is 1,792, but `expect` says 1792.5"),
        ("{params: -3}", "`-3` is not a number"),
        ("{params: 1.7X}", "`1.7X` is not a number"),
        ("{params: [1792]}", "`[1792]` is not a number"),
        ("{params: {value: 2K, tolerance: -3, reason: r}}", "`-3` is not a valid tolerance"),
    ],
)
def test_figures_that_are_not(figure: str, message: str) -> None:
    (diagnostic,) = unmet(figure)
    assert diagnostic.message == message
    assert diagnostic.span


def test_a_free_size_leaves_the_macs_unknown() -> None:
    (diagnostic,) = unmet("{macs: 1.6M}", SPEC.replace("[32, 32, 3]", "[~, ~, 3]"))
    assert diagnostic.message == "`macs` of `net` is unknown because a size is free, but `expect` says 1.6M"


def test_figures_by_variant_are_of_that_variant() -> None:
    yaml = (
        "name: net\ninput: [4]\nvariants: {a: {n: 2}, b: {n: 3}}\nlayers: [dense: $n]\n"
        "expect: {params: {a: 10, b: 16}, output_shape: {b: [3]}}\n"
    )
    spec = parse(Source("net.yaml", yaml))
    found = {variant: expectations(spec, variant, compile_spec(spec, variant)) for variant in spec.variants}
    assert found["a"] == []
    assert [each.message for each in found["b"]] == ["`params` of `net-b` is 15, but `expect` says 16"]


def test_nothing_is_expected_of_a_network_with_settings() -> None:
    settings: dict[str, Any] = {"classes": 10}
    assert api.load("vgg:D", **settings).unmet() == []
    assert api.load("vgg:D", **settings).graph().params < api.load("vgg:D").graph().params
