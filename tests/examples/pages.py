"""The example pages.

A good page may end with the layers that it stands for, one a line: `#> PATH (SHAPE) <- INPUTS`, after `#>VARIANT` on a
page with variants. A bad page has a golden beside it, what `archspec check` prints.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from archspec import api
from archspec.diagnostics import Diagnostic, render

HERE = Path(__file__).parent
GOOD = sorted((HERE / "good").glob("*.yaml"))
BAD = sorted((HERE / "bad").glob("*.yaml"))

EXPECTED = re.compile(r"#>(?P<variant>\S*) +(?P<path>\S+) +(?P<shape>\([^)]*\))(?: +<- (?P<inputs>.+))?")


@cache
def diagnostics(page: Path) -> tuple[Diagnostic, ...]:
    """What is wrong with a page, reported under its bare name."""
    here = Path.cwd()
    os.chdir(page.parent)
    try:
        return tuple(api.check(page.name))
    finally:
        os.chdir(here)


def printed(page: Path) -> str:
    """What `archspec check` prints about a bad page on standard error."""
    return "\n\n".join(map(render, diagnostics(page))) + "\n"


def golden(page: Path) -> Path:
    """Where that is kept."""
    return page.with_suffix(".stderr")


def expected(page: Path) -> dict[str, list[tuple[str, str, str | None]]]:
    """Variant ("" for a page without any) -> path, shape and, where they are given, inputs of each layer."""
    found: dict[str, list[tuple[str, str, str | None]]] = {}
    for line in page.read_text(encoding="utf-8-sig").splitlines():
        match = EXPECTED.fullmatch(line.rstrip())
        if match:
            found.setdefault(match["variant"], []).append((match["path"], match["shape"], match["inputs"]))
        else:
            assert not line.startswith("#>"), f"{page.name}: {line}"
    return found
