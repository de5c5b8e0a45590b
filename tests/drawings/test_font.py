"""The table of widths is that of DejaVu Sans."""

from __future__ import annotations

from archspec.drawings.font import BOLD, WIDTHS, shortened, text_width
from tests.drawings.graph.drawn import measured


def test_the_widths_are_those_that_freetype_measures() -> None:
    assert {text: round(measured(text, 1000)) for text in WIDTHS} == WIDTHS


def test_bold_text_is_at_most_as_wide_as_assumed() -> None:
    words = ["resnet-152: 60.34M params, 11.28G MACs", "googlenet-paper", "WWW", "iiii", "vit-B-16"]
    assert all(measured(word, 11, bold=True) <= text_width(word, 11) * BOLD for word in words)


def test_text_is_shortened_to_a_width() -> None:
    assert shortened("conv", 11, 100) == "conv"
    short = shortened("a/very/long/path/of/a/block", 11, 80)
    assert short.endswith("…")
    assert text_width(short, 11) <= 80
