"""Every network that a spec can describe has a table, volumes, columns and cost, whatever its shape."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import HealthCheck, given, settings

import archspec
from archspec.api.drawing import _caption
from archspec.diagnostics import Source
from archspec.drawings.table.formats import FORMATS
from archspec.drawings.table.style import table_of
from tests.strategies import networks, specs

SVG = "{http://www.w3.org/2000/svg}"


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(specs())
def test_random_networks_are_drawn(text: str) -> None:
    found = networks(Source("net.yaml", text))
    table = table_of([network.graph() for network in found], [_caption(network) for network in found])
    assert all(len(row) == table.width for row in table.grid())
    assert all(write(table) for write in FORMATS.values())
    for style in ("table", "columns"):
        root = ElementTree.fromstring(archspec.draw(*found, style=style).svg())
        assert root.find(f"{SVG}rect") is not None
    for style in ("volumes", "cost"):
        root = ElementTree.fromstring(archspec.draw(found[0], style=style).svg())
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for each in root.iter(f"{SVG}text"):
            assert 0 <= float(each.get("x", 0)) <= width
            assert 0 <= float(each.get("y", 0)) <= height
    for drawing in archspec.compare(*found).pictures.values():
        ElementTree.fromstring(drawing.svg())
    shape = found[0].graph().input_shape
    if len(shape) == 3 and None not in shape:
        ElementTree.fromstring(archspec.draw(found[0], style="receptive-field").svg())
