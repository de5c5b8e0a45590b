"""Comparison of networks and runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.api.network import Network, Setting
from archspec.api.references import as_network, load, networks
from archspec.api.spec_files import families, split_reference
from archspec.arguments import PositiveInt, StrPath, public
from archspec.diagnostics import fail

if TYPE_CHECKING:
    from pathlib import Path

    from archspec.comparison.comparison import Comparison
    from archspec.comparison.facts import ErrorFigure, NetworkFacts
    from archspec.comparison.runs import RunRecord

OPTIONS = ("family", "measure", "batch_sizes", "progress")


@public()
def compare(
    *references: Network | StrPath,
    family: Sequence[str] = (),
    measure: bool = False,
    batch_sizes: Sequence[PositiveInt] = (1, 16),
    progress: Callable[[str], None] | None = None,
    **settings: Setting,
) -> Comparison:
    """Compare networks and runs: cost, error rates, speed, learning curves. Only `measure` imports TensorFlow.

    Error rates are measured, of run directories and folders of `evaluate -o`, or published, from `published:` of the
    specs; every table and picture says which.

    Args:
        references: networks, references as for `load` (a family without a variant stands for all its variants), run
            directories, and folders that `archspec evaluate -o` wrote for a model in a run directory.
        family: families whose variants are all compared.
        measure: measure images per second on this machine, and what its arithmetic and memory would allow.
        batch_sizes: images in a batch, for `measure`.
        progress: called with a line of text before each network that is measured.
        settings: of the networks that are no runs, as for `load`. Networks with settings have no published error rates.

    Raises:
        ArchspecError: the errors of `load` and of `Network.graph`; `compare-nothing`; `bad-run` for a run directory
            that cannot be read; `free-input` when speed is measured.
    """
    from pathlib import Path

    from archspec.comparison.comparison import Comparison
    from archspec.comparison.runs import evaluations_in, is_run

    if measure and not batch_sizes:
        raise fail("bad-argument", "`batch_sizes` is empty", help="give at least one")
    found: list[Network] = []
    runs: list[Path] = []
    evaluations: list[Path] = []
    for reference in [*references, *family]:
        path = None if isinstance(reference, Network) else Path(reference)
        if path is not None and is_run(path):
            runs.append(path)
        elif path is not None and str(reference) not in families() and evaluations_in(path):
            evaluations += evaluations_in(path)
        else:
            found += _networks(reference, settings)
    if not found and not runs and not evaluations:
        raise fail("compare-nothing", "there is nothing to compare", help="name networks, families or run directories")
    facts, records = _facts(found, runs, evaluations)
    if measure:
        facts = _measured(facts, [*found], batch_sizes, progress or (lambda line: None))
    return Comparison(tuple(facts), tuple(records))


def _networks(reference: Network | StrPath, settings: dict[str, Setting]) -> list[Network]:
    if isinstance(reference, Network):
        return [as_network(reference, settings, options=OPTIONS)]
    name, variant = split_reference(str(reference))
    if variant is None:
        return [as_network(each, settings, options=OPTIONS) for each in networks(name)]
    return [as_network(load(str(reference)), settings, options=OPTIONS)]


def _distinct(found: Sequence[Network]) -> list[Network]:
    """Each network once: `vgg vgg:D` has `vgg:D` twice."""
    kept: list[Network] = []
    for each in found:
        if all((each.name, each.settings) != (other.name, other.settings) for other in kept):
            kept.append(each)
    return kept


def _facts(
    found: Sequence[Network], runs: Sequence[Path], evaluations: Sequence[Path]
) -> tuple[list[NetworkFacts], list[RunRecord]]:
    """The facts of all networks, and the runs; runs of one network are one row with several measured error rates."""
    from archspec.comparison.facts import facts_of
    from archspec.comparison.runs import is_run, read_evaluation, read_run

    records = [read_run(path) for path in dict.fromkeys(runs)]
    measured: dict[Path, list[ErrorFigure]] = {run.directory: [] for run in records}
    for run in records:
        figure = run.figure()
        measured[run.directory] += [figure] if figure else []
    for path in evaluations:
        directory, figure = read_evaluation(path)
        if not is_run(directory):
            raise fail(
                "bad-run",
                f"`{path}` evaluates `{directory}`, which is not a run directory, so its network is unknown",
                help="evaluate a run directory: `archspec evaluate RUN -o FOLDER`",
            )
        measured.setdefault(directory, []).extend([figure] if figure else [])
    facts = [facts_of(each.graph(), each.reference, each.published, []) for each in _distinct(found)]
    by_name = {each.name: number for number, each in enumerate(facts)}
    for directory, figures in measured.items():
        network = load(str(directory))
        graph = network.graph()
        number = by_name.get(graph.name)
        if number is not None and (facts[number].params, facts[number].macs) == (graph.params, graph.macs):
            every = sorted((*facts[number].figures, *figures), key=lambda each: not each.measured)
            facts[number] = replace(facts[number], figures=tuple(every))
        else:
            by_name[graph.name] = len(facts)
            facts.append(facts_of(graph, str(directory), [], figures))
    return facts, records


def _measured(
    facts: Sequence[NetworkFacts], found: Sequence[Network], batch_sizes: Sequence[int], progress: Callable[[str], None]
) -> list[NetworkFacts]:
    from archspec.comparison.facts import MeasuredSpeed
    from archspec.runtime.inference_speed import images_per_second, machine_peaks

    graphs = {each.reference: each.graph() for each in found}
    chosen = [(each, graphs.get(each.reference) or load(each.reference).graph()) for each in facts]
    for each, graph in chosen:
        if any(None in node.shape for node in graph.inputs):
            raise fail(
                "free-input",
                f"`{each.name}` cannot be measured, since a size of its input is free",
                help="give the size: `--set input=[224,224,3]`",
            )
    progress("measuring what this machine reaches in float32")
    peaks = machine_peaks()
    measured = []
    for number, (each, graph) in enumerate(chosen, 1):
        progress(f"measuring {each.name} ({number} of {len(chosen)})")
        measured.append(images_per_second(graph, batch_sizes))
        peaks = peaks.best(machine_peaks())  # other processes may have slowed it down before
    device = f"this {peaks.device} ({peaks.flops / 1e9:.0f} GFLOP/s, {peaks.bandwidth / 1e9:.0f} GB/s)"
    rows = []
    for (each, graph), found_speeds in zip(chosen, measured, strict=True):
        speeds = [
            MeasuredSpeed(size, speed, peaks.images_per_second(graph, size) or speed, device)
            for size, speed in zip(batch_sizes, found_speeds, strict=True)
        ]
        rows.append(replace(each, speeds=tuple(speeds)))
    return rows


def check_comparison_folder(directory: StrPath, *, overwrite: bool = False) -> None:
    """Check before long work that a comparison can be saved there.

    Raises:
        ArchspecError: `output-exists`, `cannot-write`.
    """
    from pathlib import Path

    from archspec.comparison.comparison import MARK
    from archspec.runtime.system.atomic_write import check_output_folder

    check_output_folder(Path(directory), overwrite=overwrite, mark=MARK)
