"""Names in `from` that no earlier layer has: the layer that was meant, or what can be read there."""

from __future__ import annotations

import pytest

from archspec.diagnostics import ArchspecError, Source
from archspec.graph.compile.compiler import compile_spec
from archspec.lang.spec.spec import parse

HEAD = """name: net
input: [8, 8, 3]
blocks:
  unit:
    layers:
      - {name: a, conv: {filters: 3, padding: same}}
      - {name: b, relu: ~}
layers:
"""
UNIT, NAMED, COPIES = "unit", "{name: one, unit: ~}", "{name: s, unit: ~, repeat: 3}"
MERGE = "{name: m, concat: {left: [conv: 3], right: [{name: r, conv: 3}]}}"


@pytest.mark.parametrize(
    ("layer", "name", "help"),
    [
        (UNIT, "unit/x", "`from` can read `unit/a`, `unit/b`"),
        (UNIT, "unit/A", "did you mean `unit/a`? `from` can read `unit/a`, `unit/b`"),
        (UNIT, "a", "did you mean `unit/a`?"),
        (UNIT, "unit/", "did you mean `unit`?"),
        (UNIT, "unit.a", "write `unit/a`"),
        (UNIT, "units", "did you mean `unit`?"),
        (NAMED, "one/a", "did you mean `one/unit/a`?"),
        (NAMED, "one/x", "`from` can read `one/unit/a`, `one/unit/b`"),
        (COPIES, "s/a", "did you mean `s/3/unit/a`?"),
        (COPIES, "s/2/a", "did you mean `s/2/unit/a`?"),
        (COPIES, "s/4", "`from` can read `s/1`, `s/2`, `s/3`"),
        (MERGE, "m/right/q", "did you mean `m/right/r`? `from` can read `m/left/conv`, `m/right/r`"),
        (UNIT, "-1", "`from` reads layers by name: set `name` on the layer, and write that name here"),
        (UNIT, "xyzzy", "`from` can read `input`, `unit`; set `name` on a layer to give it a name of its own"),
    ],
)
def test_the_remedy_names_what_can_be_read(layer: str, name: str, help: str) -> None:
    text = f"{HEAD}  - {layer}\n  - {{relu: ~, from: {name}}}\n"
    with pytest.raises(ArchspecError) as raised:
        compile_spec(parse(Source("net.yaml", text)))
    assert raised.value.diagnostics[0].help == help


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (UNIT, "unit/a"),
        (UNIT, "unit"),
        (NAMED, "one/unit/a"),
        (COPIES, "s/3/unit/a"),
        (COPIES, "s/1"),
        (MERGE, "m/right/r"),
    ],
)
def test_the_names_of_the_remedies_can_be_read(layer: str, name: str) -> None:
    main = layer.partition("name: ")[2].partition(",")[0] or "unit"
    text = f"{HEAD}  - {layer}\n  - {{name: last, relu: ~, from: {name}}}\noutputs: [{main}, last]\n"
    assert compile_spec(parse(Source("net.yaml", text))).layers
