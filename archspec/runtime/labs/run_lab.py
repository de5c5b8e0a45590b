"""Run a lab: `run_lab` trains and measures, computes the verdict and writes the files of the lab.

lab.yaml       the lab, as it was run
lab.json       scale, seeds, data: a second call continues only with the same
specs/         the networks of the lab
data/          its images, where they are a subset or generated
runs/          the run directory of each arm and seed
parts/         finished parts: a lab that was killed continues after them
result.json    the numbers, differences and verdict; numbers.csv the table
NAME.png       the figure
index.html     claim, figure, numbers and verdict on one page
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from archspec.diagnostics import Source, fail
from archspec.lang.document.yaml_writer import dump
from archspec.runtime.data.sources.source import find_source
from archspec.runtime.labs.book import write_book
from archspec.runtime.labs.context import LabContext, Needed
from archspec.runtime.labs.generated import check_generated
from archspec.runtime.labs.lab import Lab
from archspec.runtime.labs.lab_data import lab_data
from archspec.runtime.labs.pictures import PICTURES
from archspec.runtime.labs.progress import LabProgress
from archspec.runtime.labs.read_lab import check_arms, network_texts, read_lab, reference
from archspec.runtime.labs.result import LabResult, PairedDifference, overall
from archspec.runtime.runs.run_directory import locked
from archspec.runtime.system.atomic_write import discard, make_folder, write_json, write_text
from archspec.runtime.training.run_request import Trainable


@dataclasses.dataclass(frozen=True)
class LabRequest:
    """How a lab is to be run."""

    out: Path
    """The folder to write."""
    data: str | None
    """DATA for a lab with photos, or instead of its own data."""
    scale: str
    """`tiny`, `default` or `full`."""
    seeds: int | None
    """Instead of the number of the lab."""
    overwrite: bool
    """Whether files of an earlier run with other settings are removed."""

    def check(self, lab: Lab) -> None:
        """Raises ArchspecError before anything is computed: `lab-data`, `missing-package`, and those of the data."""
        if lab.data == "photos" and self.data is None:
            raise fail(
                "lab-data",
                f"the lab `{lab.name}` needs photos",
                help="give them with `--data`: a folder such as CIFAR-10's, or `keras:cifar10`",
            )
        if self.data is not None:
            find_source(self.data)
            if lab.data == "none":
                raise fail("lab-data", f"the lab `{lab.name}` uses no images", help="leave `--data` out")
        elif isinstance(lab.data, Mapping):
            check_generated(next(iter(lab.data)))
        if lab.extra:
            _need(lab)


PACKAGES = {"labs": ("sklearn", "cv2")}
"""The modules that an extra installs."""


def _need(lab: Lab) -> None:
    from importlib.util import find_spec

    missing = [name for name in PACKAGES.get(lab.extra, ()) if find_spec(name) is None]
    if missing:
        fact = f"the lab `{lab.name}` needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} "
        raise fail("missing-package", f"{fact}not installed", help=f"`pip install 'archspec-keras[{lab.extra}]'`")


def run_lab(source: Source, request: LabRequest, load: Callable[..., Trainable], progress: LabProgress) -> LabResult:
    """Run the lab of a file, or continue it.

    Args:
        load: `archspec.load`.

    Raises:
        ArchspecError: the errors of the lab file; `lab-data`, `missing-package`, `output-exists`, `run-busy`,
            `cannot-write`; those of training.
        KeyboardInterrupt: after Ctrl-C; the same call continues.
    """
    lab = read_lab(source)
    request.check(lab)
    check_arms(lab, source, load)
    scale = lab.scaled(request.scale)
    seeds = request.seeds or scale.seeds or lab.seeds
    images = lab.images if scale.images is None else scale.images
    identity = {
        "lab": lab.name,
        "text": source.text,
        "scale": request.scale,
        "seeds": seeds,
        "data": request.data or "",
    }
    out = request.out
    make_folder(out)
    with locked(out), progress:
        _claim_folder(out, identity, overwrite=request.overwrite)
        make_folder(out / "parts")
        given: str | Mapping[str, Any] = request.data or lab.data
        data = "" if given == "none" else lab_data(given, images, out / "data", progress.line)
        options = Needed("option", {**lab.options, **scale.options})
        networks = Needed("network", _write_networks(lab, source, out / "specs"))
        context = LabContext(out, request.scale, tuple(range(seeds)), options, data, images, networks, load, progress)
        found = _run(lab, source, context, given)
        result = dataclasses.replace(
            found,
            lab=lab.name,
            claim=lab.claim,
            source=lab.source,
            criterion=lab.criterion or criterion(found.differences),
            scale=request.scale,
            seeds=seeds,
            seconds=context.seconds,
            directory=out,
        )
        write(result)
    return result


def _run(lab: Lab, source: Source, context: LabContext, given: str | Mapping[str, Any]) -> LabResult:
    if lab.code:
        module = import_module(f"archspec.runtime.labs.experiments.{lab.code}")
        made: LabResult = module.run(lab, context)
        return made
    from archspec.runtime.labs import arm_figures, compare_arms
    from archspec.runtime.labs.arms import LabSource, run_arm

    recipe = str(context.out / "specs" / "train.yaml") if lab.train else None
    outcomes = {name: run_arm(name, lab, context, LabSource(given, recipe)) for name in lab.arms}
    differences = tuple(
        dataclasses.replace(compare_arms.difference(lab, each, outcomes), decides=each.decides) for each in lab.compare
    )
    verdict = overall(each.verdict for each in differences if each.decides)
    reason = compare_arms.reason(lab, outcomes, len(context.seeds))
    if verdict != "reproduced" and lab.explanation:
        reason += f". {lab.explanation}"
    columns, rows = compare_arms.table(lab, outcomes)
    figures = arm_figures.draw(lab, outcomes, context.out)
    if lab.picture:
        figures = (*figures, context.out / f"{lab.picture}.png")
        PICTURES[lab.picture](figures[-1])
    return LabResult(columns, rows, verdict, reason, differences, figures)


def _write_networks(lab: Lab, source: Source, folder: Path) -> dict[str, str]:
    """Write the networks and the recipe of a lab as specs. Returns the reference of each network, and of the arms'."""
    make_folder(folder)
    found = {}
    for name, text in network_texts(source).items():
        path = folder / f"{name}.yaml"
        write_text(path, text)
        found[name] = str(path)
    if lab.train:
        write_text(folder / "train.yaml", dump(lab.train))
    for arm in lab.arms.values():
        found.setdefault(arm.network, reference(arm.network, source))
    return found


def criterion(differences: Sequence[PairedDifference]) -> str:
    """Of a lab with arms: what each difference that decides must be."""
    return "; ".join(f"{each.what}: {each.criterion}" for each in differences if each.decides)


def _claim_folder(out: Path, identity: Mapping[str, Any], *, overwrite: bool) -> None:
    """Write lab.json and lab.yaml, or check that the folder holds this lab.

    Raises:
        ArchspecError: `output-exists` for a folder with something else.
    """
    mark = out / "lab.json"
    if mark.is_file():
        try:
            earlier = json.loads(mark.read_text(encoding="utf-8"))
        except ValueError:
            earlier = {}
        if earlier == identity:
            return
        if not overwrite:
            other = [word for word in identity if earlier.get(word) != identity[word]]
            what = ", ".join("lab file" if word == "text" else word for word in other)
            help = "choose another `--out`, or replace that lab with `--overwrite`"
            raise fail("output-exists", f"`{out}` holds a lab that differs in: {what}", help=help)
        for name in ("specs", "data", "runs", "parts", "result.json", "numbers.csv", "index.html", "lab.json"):
            discard(out / name)
    elif any(each.name != ".lock" for each in out.iterdir()):
        fact, help = f"the folder `{out}` exists and is not empty", "choose another `--out`"
        raise fail("output-exists", fact, help=help)
    write_text(out / "lab.yaml", str(identity["text"]))
    write_json(mark, identity)


def write(result: LabResult) -> None:
    """Write result.json, numbers.csv and index.html into the folder of a lab."""
    write_json(result.directory / "result.json", result.to_json())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([result.columns, *result.rows])
    write_text(result.directory / "numbers.csv", text.getvalue())
    write_book(result.directory / "index.html", [result])
