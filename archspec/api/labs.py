"""Labs: classroom experiments with a claim, a figure and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from archspec.api.references import load
from archspec.arguments import PositiveInt, StrPath, as_path, public
from archspec.diagnostics import ArchspecError

if TYPE_CHECKING:
    from archspec.runtime.labs.progress import LabProgress
    from archspec.runtime.labs.result import LabResult

LabScaleName: TypeAlias = Literal["tiny", "default", "full"]
"""`tiny` checks that a lab runs, `default` takes minutes on 2 cores, `full` has the sizes and lengths of the papers."""


@dataclass(frozen=True)
class LabSummary:
    """A lab that comes with archspec."""

    name: str
    """For `lab`."""
    claim: str
    """What it tests, in one sentence."""
    source: str
    """The paper and its section."""
    seconds: float
    """Time at the default scale on 2 cores."""
    data: str
    """`digits`, `generated`, `none`, or `photos`, which need DATA."""


def list_labs() -> list[LabSummary]:
    """The labs that come with archspec."""
    from archspec.runtime.labs.read_lab import lab_names, lab_source, read_lab

    found = [read_lab(lab_source(name)) for name in lab_names()]
    return [
        LabSummary(
            each.name, each.claim, each.source, each.seconds, each.data if isinstance(each.data, str) else "generated"
        )
        for each in found
    ]


@public()
def lab(
    lab: StrPath,
    *,
    out: StrPath,
    data: StrPath | None = None,
    scale: LabScaleName = "default",
    seeds: PositiveInt | None = None,
    overwrite: bool = False,
    progress: LabProgress | None = None,
) -> LabResult:
    """Run one classroom experiment: train and measure its arms, draw its figure, and compute its verdict.

    A lab that was interrupted continues where it stopped when it is started again with the same arguments.

    Args:
        lab: the name of a lab of `list_labs()`, or the path of a lab file of your own.
        out: a new or empty folder for the specs, runs, numbers and the figure, or that of the same lab.
        data: a data source of labelled images, one of `data_sources()`: instead of the lab's own, and for labs that
            need photos.
        scale: `tiny` checks that the lab runs, `full` has the sizes and lengths of the papers.
        seeds: number of seeds, which all arms share; by default that of the lab.
        overwrite: replace another lab, or other settings, in `out`.
        progress: the progress display; by default lines on standard error.

    Raises:
        ArchspecError: `unknown-lab`, `lab`, `lab-data`, `missing-package`, `output-exists`, `run-busy`, `cannot-write`;
            the errors of its specs and of its data, and those of `train`.
    """
    from archspec.runtime.labs.progress import LabProgress
    from archspec.runtime.labs.read_lab import lab_source
    from archspec.runtime.labs.run_lab import LabRequest, run_lab

    request = LabRequest(Path(out), as_path(data), scale, seeds, overwrite)
    return run_lab(lab_source(as_path(lab)), request, load, progress or LabProgress())


@dataclass(frozen=True)
class LabBook:
    """The results of several labs, and the page that shows them."""

    path: Path
    """index.html."""
    results: Sequence[LabResult]
    """Of the labs that ran."""
    failed: Sequence[tuple[str, str]]
    """Name and reason of each lab that did not run, such as one that needs photos."""

    def __str__(self) -> str:
        lines = [each.summary() for each in self.results]
        return "\n".join([*lines, *(f"{name}: not run: {why}" for name, why in self.failed)])


@public()
def lab_book(
    *,
    out: StrPath,
    data: StrPath | None = None,
    scale: LabScaleName = "default",
    seeds: PositiveInt | None = None,
    overwrite: bool = False,
    report: Callable[[str], None] | None = None,
) -> LabBook:
    """Run all labs, each in its own folder of `out`, and write one HTML page with all figures and verdicts.

    Args:
        out: the folder; a second call continues.
        data: for the labs that need photos; the others use their own data.

    The other arguments and the errors are those of `lab`; a lab that fails is named on the page, and the others run.
    """
    from archspec.runtime.labs.book import write_book

    results: list[LabResult] = []
    failed: list[tuple[str, str]] = []
    page = Path(out) / "index.html"
    for each in list_labs():
        photos = data if each.data == "photos" else None
        try:
            result = lab(
                each.name, out=Path(out) / each.name, data=photos, scale=scale, seeds=seeds, overwrite=overwrite
            )
        except ArchspecError as error:
            failed.append((each.name, error.diagnostics[0].message))
        else:
            results.append(result)
        if report is not None:
            report(str(results[-1].summary() if results and results[-1].lab == each.name else failed[-1][1]))
        write_book(page, results, failed)
    return LabBook(page, tuple(results), tuple(failed))
