"""Files of drawings: SVG, PNG and PDF; what is escaped; the errors."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

import archspec
from archspec.drawings.palette import DARK, FAMILIES, LIGHT, family
from archspec.drawings.svg import escaped, path_data
from archspec.ops import OPS

try:
    import cairosvg
except (ImportError, OSError):
    cairosvg = None
needs_cairo = pytest.mark.skipif(cairosvg is None, reason="the library cairo is not installed")


@pytest.fixture
def drawing() -> archspec.Drawing:
    return archspec.draw("lenet:5")


@needs_cairo
def test_each_suffix_is_a_file_of_its_format(drawing: archspec.Drawing, tmp_path: Path) -> None:
    assert ET.parse(drawing.save(tmp_path / "a.svg")).getroot().tag.endswith("svg")
    with Image.open(drawing.save(tmp_path / "a.png")) as image:
        assert image.size == (round(drawing.width * 2), round(drawing.height * 2))
    assert drawing.save(tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert drawing._repr_svg_() == (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_a_file_is_replaced_only_when_asked_for(drawing: archspec.Drawing, tmp_path: Path) -> None:
    path = drawing.save(tmp_path / "a.svg")
    with pytest.raises(archspec.ArchspecError) as raised:
        drawing.save(path)
    assert raised.value.diagnostics[0].code == "output-exists"
    assert drawing.save(path, overwrite=True) == path
    assert [each.name for each in tmp_path.iterdir()] == ["a.svg"]


def test_another_suffix_is_refused(drawing: archspec.Drawing, tmp_path: Path) -> None:
    with pytest.raises(archspec.ArchspecError, match=r"does not end in `\.svg` or `\.png` or `\.pdf` or `\.html`"):
        drawing.save(tmp_path / "a.gif")
    assert not [*tmp_path.iterdir()]


def test_png_without_cairosvg_names_the_extra(
    drawing: archspec.Drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    with pytest.raises(archspec.ArchspecError, match=r"pip install 'archspec-keras\[draw\]'"):
        drawing.save(tmp_path / "a.png")
    assert not [*tmp_path.iterdir()]


@needs_cairo
def test_a_large_drawing_becomes_a_page_that_readers_show_but_no_png(tmp_path: Path) -> None:
    drawing = archspec.Drawing("large", "", 200, 40_000)
    with pytest.raises(archspec.ArchspecError, match=r"200 x 40,000 pixels, but a PNG has at most 32,000"):
        drawing.save(tmp_path / "a.png")
    page = drawing.save(tmp_path / "a.pdf").read_bytes()
    found = re.search(rb"/MediaBox \[ 0 0 ([0-9.]+) ([0-9.]+) \]", page)
    assert found
    assert float(found[2]) == pytest.approx(14_400, abs=1)
    with Image.open(archspec.Drawing("long", "", 100, 20_000).save(tmp_path / "b.png")) as image:
        assert image.size == (160, 32_000)


def test_text_is_escaped() -> None:
    assert escaped('<a href="x">&\x00\x1b') == "&lt;a href=&quot;x&quot;&gt;&amp;\ufffd\ufffd"


def test_corners_are_rounded_by_at_most_half_a_segment() -> None:
    assert path_data([(0, 0), (0, 4), (20, 4)]) == "M0 0L0 2Q0 4 2 4L20 4"
    assert path_data([(0, 0), (0, 4)]) == "M0 0L0 4"


def test_operators_have_the_color_of_their_family() -> None:
    found = {name: family(object.__new__(OPS[name])) for name in OPS}
    assert {found[name] for name in ("conv", "depthwise_conv", "separable_conv")} == {"convolution"}
    assert {found[name] for name in ("relu", "softmax", "prelu")} == {"activation"}
    assert {found[name] for name in ("bn", "lrn", "layer_norm")} == {"normalization"}
    assert {found[name] for name in ("maxpool", "global_avgpool", "adaptive_maxpool")} == {"pooling"}
    assert {found[name] for name in ("attention", "window_attention")} == {"attention"}
    assert {found[name] for name in ("add", "concat")} == {"merge"}
    assert {found[name] for name in ("flatten", "dropout", "zero_pad")} == {"other"}
    assert {*LIGHT.families} == {*DARK.families} == {*FAMILIES.values(), "other", "input", "block"}


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_is_readable_on_every_color(theme: object) -> None:
    """WCAG 2.1, contrast (minimum): 4.5 for text, 3 for borders against the background."""
    for name, colors in theme.families.items():  # type: ignore[attr-defined]
        assert contrast(theme.text, colors.fill) >= 4.5, name  # type: ignore[attr-defined]
        assert contrast(colors.stroke, theme.background) >= 3, name  # type: ignore[attr-defined]
    assert contrast(theme.faint, theme.frame.fill) >= 4.5  # type: ignore[attr-defined]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
