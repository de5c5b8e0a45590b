"""The example specs.

A good spec may end with the layers that it stands for, one a line: `#> PATH (SHAPE) <- INPUTS`, after `#>VARIANT` on a
spec with variants. A bad spec has a golden beside it, what `archspec check` prints.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from archspec import api
from archspec.diagnostics import Diagnostic, render
from archspec.wording import command_line

HERE = Path(__file__).parent
GOOD = sorted((HERE / "good").glob("*.yaml"))
BAD = sorted((HERE / "bad").glob("*.yaml"))

EXPECTED = re.compile(r"#>(?P<variant>\S*) +(?P<path>\S+) +(?P<shape>\([^)]*\))(?: +<- (?P<inputs>.+))?")


@cache
def diagnostics(spec: Path) -> tuple[Diagnostic, ...]:
    """What is wrong with a spec, reported under its bare name."""
    here = Path.cwd()
    os.chdir(spec.parent)
    try:
        with command_line():
            return tuple(api.check(spec.name))
    finally:
        os.chdir(here)


def printed(spec: Path) -> str:
    """What `archspec check` prints about a bad spec on standard error."""
    return "\n\n".join(map(render, diagnostics(spec))) + "\n"


def golden(spec: Path) -> Path:
    """Where that is kept."""
    return spec.with_suffix(".stderr")


def expected(spec: Path) -> dict[str, list[tuple[str, str, str | None]]]:
    """Variant ("" for a spec without any) -> path, shape and, where they are given, inputs of each layer."""
    found: dict[str, list[tuple[str, str, str | None]]] = {}
    for line in spec.read_text(encoding="utf-8-sig").splitlines():
        match = EXPECTED.fullmatch(line.rstrip())
        if match:
            found.setdefault(match["variant"], []).append((match["path"], match["shape"], match["inputs"]))
        else:
            assert not line.startswith("#>"), f"{spec.name}: {line}"
    return found
