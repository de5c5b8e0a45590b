"""`published:`: error rates with their sources, for each variant."""

from __future__ import annotations

import pytest

import archspec
from archspec.diagnostics import ArchspecError, Source
from archspec.lang.spec.published import published
from archspec.lang.spec.spec import parse

SPEC = """
name: net
input: [8, 8, 1]
variants: {small: {}, large: {}}
layers: [flatten, dense: 10, softmax]
published:
  - top1_error: {small: 30.5, large: 25}
    top5_error: {large: 7.5}
    protocol: center
    data: digits test
    source: Table 2
  - {top5_error: 3.5, protocol: ten-crop, data: digits test, source: section 4, year: 2015, ensemble: true}
"""


def test_the_figures_of_a_variant_are_read() -> None:
    spec = parse(Source("net.yaml", SPEC))
    first, second = published(spec, "large")
    assert (first.top1_error, first.top5_error, first.protocol, first.source) == (25, 7.5, "center", "Table 2")
    assert (first.year, first.ensemble) == (None, False)
    assert (second.top1_error, second.top5_error, second.year, second.ensemble) == (None, 3.5, 2015, True)
    assert [each.top1_error for each in published(spec, "small")] == [30.5, None]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("large: 25}", "huge: 25}", "unknown-variant"),
        ("source: Table 2", "pages: 2", "missing-key"),
        ("3.5", "103.5", "wrong-value"),
        ("top5_error: 3.5, ", "", "missing-key"),
        ("year: 2015", "year: recently", "wrong-type"),
    ],
)
def test_wrong_figures_are_reported_at_their_place(old: str, new: str, code: str) -> None:
    with pytest.raises(ArchspecError) as caught:
        parse(Source("net.yaml", SPEC.replace(old, new)))
    assert code in [each.code for each in caught.value.diagnostics]
    assert all(each.span is not None for each in caught.value.diagnostics)


def test_another_network_has_no_published_figures() -> None:
    assert archspec.load("resnet:50").published
    assert archspec.load("resnet:50", classes=10).published == ()


def test_every_published_figure_of_the_zoo_names_where_it_was_read() -> None:
    """He et al., README of the authors: ResNet-50 has 24.7 % and 7.8 % with one crop."""
    center = archspec.load("resnet:50").published[0]
    assert (center.top1_error, center.top5_error, center.protocol) == (24.7, 7.8, "center")
    networks = [network for family in archspec.families() for network in archspec.networks(family)]
    found = [each for network in networks for each in network.published]
    assert len(found) > 70
    for each in found:
        assert len(each.source) > 10
        assert each.top1_error is None or each.top5_error is None or each.top5_error < each.top1_error
        assert each.data in ("imagenet validation", "imagenet test", "cifar10 test")
