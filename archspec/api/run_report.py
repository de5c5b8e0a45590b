"""The report of a training run: one page of everything that a person asks about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from archspec.api.network import Network
from archspec.api.references import load
from archspec.arguments import PositiveInt, StrPath, as_path, as_paths, public
from archspec.diagnostics import ArchspecError, fail
from archspec.wording import reporter

if TYPE_CHECKING:
    from archspec.runtime.run_report.gather import ReportedNetwork
    from archspec.runtime.run_report.run_report import RunReport


@public()
def report(
    run: StrPath,
    *,
    data: StrPath | None = None,
    split: str | None = None,
    protocols: Sequence[str] = (),
    predictions: StrPath | Sequence[StrPath] = (),
    batch_size: PositiveInt = 128,
    progress: Callable[[str], None] | None = None,
) -> RunReport:
    """Report a training run, as `archspec report` does: `report("runs/a").save("report.html")`.

    The report has the network, the recipe in words, learning curves, metrics with confidence intervals, the confusion
    matrix, the classes, the most confident mistakes and the least sure images with Grad-CAM, the data with sample
    images, the environment, and how to reproduce the run. The best network of the run is evaluated on its validation
    images. If they are no longer there, the report has no evaluation and no images, and says so.

    Args:
        run: the run directory.
        data: where the data of the run is now, if it has moved; or other labelled images to evaluate on.
        split: the part of the data to evaluate on, such as "test"; by default the validation images of the run.
        protocols: evaluation protocols, as for `evaluate_all`. Those after the first add rows to the metrics.
        predictions: saved predictions of the run (`.npz`), which are shown instead of an evaluation.
        batch_size: views in a step of the evaluation.
        progress: called with lines of progress and warnings.

    Raises:
        ArchspecError: `not-a-run`, `bad-run`; `data-not-found` and other errors of a data source; `bad-predictions`;
            `classes-mismatch`; the errors of the protocols.
    """
    from archspec.lang.spec.overrides import parse_protocols
    from archspec.runtime.run_report.gather import ReportOptions, check_run, gather
    from archspec.runtime.run_report.run_report import RunReport

    saved = as_paths(predictions)
    if saved and ((data is not None and split is not None) or protocols):
        raise fail(
            "bad-argument",
            "`--predictions` holds an evaluation, so there is none to choose a protocol or a part for",
            help="leave `--protocol` and `--split` out",
        )
    directory = Path(as_path(run))
    check_run(directory)
    options = ReportOptions(as_path(data), split, parse_protocols(protocols), saved, batch_size, reporter(progress))
    return RunReport(gather(directory, _network(load(str(directory))), options))


def _network(network: Network) -> ReportedNetwork:
    from archspec.api.analysis import summarize
    from archspec.runtime.run_report.gather import ReportedNetwork

    notes = []
    try:
        drawing = network.draw()
    except ArchspecError as error:
        drawing = None
        notes.append(f"The network is not drawn: {error.diagnostics[0].message}.")
    return ReportedNetwork(
        network.name,
        network.graph(),
        network.protocol,
        cast("tuple", network.preprocess),  # type: ignore[type-arg]
        drawing,
        summarize(network, depth=1).render(),
        tuple(notes),
    )


def check_report_file(path: StrPath, *, overwrite: bool = False) -> None:
    """Check before the work that a report can be written.

    Raises:
        ArchspecError: `bad-output`, `output-exists`, `cannot-write`.
    """
    from archspec.runtime.run_report.run_report import check_report_file

    check_report_file(Path(path), overwrite=overwrite)
