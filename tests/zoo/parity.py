"""Parity with keras.applications, and the table of it in docs/zoo.md.

python -m tests.zoo.parity              compare all 40 functions (a quarter of an hour on two cores), write the table
python -m tests.zoo.parity VGG16 ...    compare these functions only, and keep the measurements of the others
python -m tests.zoo.parity --table      measure nothing, bring sizes and lines in the table up to date
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

from archspec import api
from archspec.format import count
from tests.zoo.cases import CASES, Case
from tests.zoo.compare import BOUND

DOCUMENT = Path(__file__).parents[2] / "docs" / "zoo.md"
NOT_MEASURED = "not measured"
HEAD = f"""<!-- written by `python -m tests.zoo.parity`: do not edit -->
# Shipped specs

{{specs}} specs, {{networks}} networks. `archspec list` shows their parameters and MACs.

## Comparison with keras.applications

The weights of each function of keras.applications are set to random values (gammas, betas and biases too), and its
moving statistics to those of random images. They are copied into the archspec network by their positions in the graph.
The logits of four images are compared in float32, at a small and mostly odd input size. The difference is the largest
difference, relative to the largest logit: up to {BOUND:.0e} it is rounding caused by another order of operations; 0
means bit-identical. Parameters and MACs are those at the network's own input size.

| function | network | lines of the spec | parameters | MACs | difference |
|---|---|---:|---:|---:|---:|
"""
SPECS = """
## All specs

| spec | source | lines | networks |
|---|---|---:|---:|
"""


def lines_of(family: str) -> int:
    """The number of lines of a shipped spec, without the figures that others published."""
    return api.read_spec(family).text.partition("\npublished:")[0].count("\n")


def document(measured: dict[str, str]) -> str:
    """docs/zoo.md; `measured` are the last cells of the first table, by the names of the cases."""
    rows = [_row(case, measured.get(case.name, NOT_MEASURED)) for case in CASES]
    specs = {family: [*api.networks(family)] for family in api.families()}
    lines = [
        f"| [{family}](../specs/{family}.yaml) | {networks[0].spec.title} | {lines_of(family)} | {len(networks)} |"
        for family, networks in specs.items()
    ]
    head = HEAD.format(specs=len(specs), networks=sum(map(len, specs.values())))
    return head + "\n".join(rows) + "\n" + SPECS + "\n".join(lines) + "\n"


def _row(case: Case, difference: str) -> str:
    graph = api.load(case.reference, **case.settings).graph()
    family, _ = api.split_reference(case.reference)
    assert graph.macs is not None
    settings = "".join(f" --set {name}={value}" for name, value in case.settings.items())
    cells = [
        f"`{case.name}`",
        f"`{case.reference}{settings}`",
        lines_of(family),
        f"{graph.params:,}",
        count(graph.macs),
        difference,
    ]
    return f"| {' | '.join(map(str, cells))} |"


def kept() -> dict[str, str]:
    """What the document says was measured."""
    text = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    return dict(re.findall(r"^\| `([^`]+)` \|.*\| ([^|]+) \|$", text, re.MULTILINE))


def main() -> int:
    """Compare, write the document, and return 1 when a network is not equal to its function."""
    parser = argparse.ArgumentParser(description="Compare our networks with keras.applications.")
    parser.add_argument("function", nargs="*", help="functions of keras.applications; all by default")
    parser.add_argument("--table", action="store_true", help="measure nothing, only bring the table up to date")
    given = parser.parse_args()
    chosen = [case for case in CASES if not given.function or case.function in given.function]
    measured, unequal = kept(), []
    for case in [] if given.table else chosen:
        from tests.zoo.compare import compare

        start = time.perf_counter()
        found = compare(case)
        measured[case.name] = f"{found.difference:.1e}" if found.difference else "0"
        unequal += [] if found.equal else [case.name]
        seconds = time.perf_counter() - start
        print(
            f"{case.name:36} {case.reference:32} difference {found.difference:.1e}"
            f"  sensitivity {found.sensitivity:.2f}  {found.layers} layers  {seconds:.0f} s",
            flush=True,
        )
        DOCUMENT.write_text(document(measured), encoding="utf-8")  # what is measured is kept if the run is interrupted
    DOCUMENT.write_text(document(measured), encoding="utf-8")
    if unequal:
        print(f"not equal: {', '.join(unequal)}", file=sys.stderr)
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
