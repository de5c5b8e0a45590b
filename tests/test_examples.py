"""Every example spec is a test by being there: good ones have no mistakes, bad ones print their golden."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from archspec import api
from archspec.diagnostics import LINE_END
from archspec.graph.ir import Graph
from archspec.ops.base import show
from tests.examples.specs import BAD, GOOD, HERE, diagnostics, expected, golden, printed


@pytest.mark.parametrize("spec", GOOD, ids=lambda spec: spec.stem)
def test_a_good_spec_has_no_mistakes_and_the_layers_that_it_states(spec: Path) -> None:
    assert [each.message for each in diagnostics(spec)] == []
    stated = expected(spec)
    for variant, layers in stated.items():
        graph = api.load(f"{spec}:{variant}" if variant else str(spec)).graph()
        assert [(node.path, show(node.shape)) for node in graph.layers] == [(path, shape) for path, shape, _ in layers]
        reads = {path: read for path, _, read in layers if read}
        assert {path: inputs(graph, path) for path in reads} == reads
    if stated and "" not in stated:
        assert list(stated) == [network.variant for network in api.networks(str(spec))], "a variant is not stated"


def inputs(graph: Graph, path: str) -> str:
    return ", ".join(graph.nodes[i].path for i in graph[path].inputs)


@pytest.mark.parametrize("spec", BAD, ids=lambda spec: spec.stem)
def test_a_bad_spec_prints_its_golden(spec: Path) -> None:
    assert printed(spec) == golden(spec).read_text(encoding="utf-8"), "run `python -m tests.examples.accept`"


@pytest.mark.parametrize("spec", BAD, ids=lambda spec: spec.stem)
def test_a_bad_spec_says_what_is_wrong_in_one_line_at_a_place(spec: Path) -> None:
    found = diagnostics(spec)
    lines = re.split(LINE_END, spec.read_text(encoding="utf-8"))
    assert found
    for each in found:
        assert each.span, "a mistake on a spec has a place"
        assert 1 <= each.span.line <= len(lines)
        assert 1 <= each.span.column <= len(lines[each.span.line - 1]) + 1
        assert each.message[0].islower() or not each.message[0].isalpha()
        for text in (each.message, each.help or "", *each.notes):
            assert "\n" not in text
            assert not text.endswith("."), "facts and remedies end without a full stop"


def test_every_golden_has_its_spec() -> None:
    assert sorted((HERE / "bad").glob("*.stderr")) == [golden(spec) for spec in BAD]


def test_the_command_prints_the_goldens(tmp_path: Path) -> None:
    specs = [spec for spec in BAD if spec.stem in ("add-unequal-shapes", "many-mistakes", "wide-letters")]
    assert len(specs) == 3
    command = [sys.executable, "-m", "archspec", "check", *[spec.name for spec in specs]]
    done = subprocess.run(command, cwd=HERE / "bad", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "\n".join(golden(spec).read_text(encoding="utf-8") for spec in specs)
