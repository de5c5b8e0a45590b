"""`python -m tests.fuzz --cases N --seed S`: examine hostile files; exit status 1 if one breaks a promise."""

from __future__ import annotations

import argparse
import importlib
import itertools
import pkgutil
import sys
import time
from pathlib import Path

import tests.fuzz
from tests.fuzz.family import Family
from tests.fuzz.runner import Finding, Task, report, rounds, run, shrunk

CHUNK = 10_000
"""Cases between two lines of progress."""


def families() -> list[Family]:
    """The families of all modules of this package."""
    names = [module.name for module in pkgutil.iter_modules(tests.fuzz.__path__) if not module.name.startswith("_")]
    modules = [importlib.import_module(f"tests.fuzz.{name}") for name in sorted(names)]
    return [family for module in modules for family in getattr(module, "FAMILIES", ())]


def main(arguments: list[str] | None = None) -> int:
    """The number of causes that were found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="number of cases")
    parser.add_argument("--seed", type=int, default=0, help="seed of all cases")
    parser.add_argument("--family", action="append", help="examine this kind of file only; may be repeated")
    parser.add_argument("--only", metavar="FAMILY:NUMBER", help="examine one case, and print its traceback")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the files of what is found, shrunk")
    given = parser.parse_args(arguments)
    known = {family.name: family for family in families()}
    if given.only:
        name, _, number = given.only.partition(":")
        tasks = iter([Task(known[name], int(number))])
    else:
        tasks = itertools.islice(rounds([known[name] for name in given.family or known]), given.cases)
    start = time.monotonic()
    causes: dict[str, Finding] = {}
    counts: dict[str, int] = {}
    done = 0
    while chunk := list(itertools.islice(tasks, CHUNK)):
        for finding in run(chunk, given.seed):
            counts[finding.signature] = counts.get(finding.signature, 0) + 1
            if finding.signature not in causes:
                causes[finding.signature] = finding
                small = shrunk(finding, given.seed)
                print(report(finding, given.seed, small), end="\n\n", flush=True)
                if given.keep:
                    given.keep.mkdir(parents=True, exist_ok=True)
                    file = f"{finding.task.family.name}-{finding.task.number}{finding.task.family.suffix}"
                    (given.keep / file).write_bytes(small)
        done += len(chunk)
        print(f"{done:,} cases, {time.monotonic() - start:.0f} s, {len(causes)} causes {counts or ''}", flush=True)
    return min(len(causes), 100)


if __name__ == "__main__":
    sys.exit(main())
