"""The report of a run on other targets than one class for each image: every kind in one network, and two classes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import archspec
from archspec.runtime.run_report.recipe_words import output_losses
from archspec.runtime.runs.train_config import read_settings
from tests.refusal import refused
from tests.runtime.training.test_targets import data as data
from tests.runtime.training.test_targets import spec as spec
from tests.runtime.training.test_targets import whole as whole


@pytest.fixture(scope="module")
def several(whole: Path) -> archspec.RunReport:
    return archspec.report(whole)


def test_every_output_is_reported_with_the_figures_of_evaluate(
    several: archspec.RunReport, whole: Path, data: str
) -> None:
    expected = {each.output: str(each.metrics[0]) for each in archspec.evaluate_all([whole], data)}
    facts = several.content.facts
    assert list(expected) == ["color", "big", "tags", "size"]
    headings = ("color top-1 error (%)", "big AUC", "tags mAP", "size R2")
    assert [facts[heading] for heading in headings] == list(expected.values())
    best = json.loads((whole / "run.json").read_text())["best"]
    assert facts["best validation tags mAP"] == f"{best['val_tags_map']:.4f} in epoch {best['epoch']}"
    assert several.notes == ("Mistakes are shown for networks with one output that gives an image one class.",)
    assert (
        several.content.data.labels
        == "color: 3 classes, big: 2 classes (yes against no), tags: 4 labels, size: 1 number"
    )
    assert several.content.commands.evaluate.count("--protocol") == 1


def test_sample_images_have_all_their_labels(several: archspec.RunReport) -> None:
    """`red, yes, big red, 2.5`: the squares of the table, whose tags repeat the color and the size."""
    samples = several.content.data.samples
    assert len(samples) == 5
    for sample in samples:
        color, big, tags, size = sample.class_name.split(", ")
        assert tags.split() == (["big", color] if big == "yes" else [color])
        assert (float(size) > 2) == (big == "yes")


def test_the_losses_are_those_of_the_targets(whole: Path) -> None:
    """Huber applies to numbers alone, so classes and labels have their cross-entropies."""
    from archspec.runtime.run_report.data_summary import trained_targets

    record, config = read_settings(whole)
    names = [each.name for each in output_losses(config.recipe, trained_targets(record))]
    assert names == ["categorical_crossentropy", "binary_crossentropy", "binary_crossentropy", "huber"]


def test_both_formats_have_a_table_and_curves_of_each_output(several: archspec.RunReport, tmp_path: Path) -> None:
    several.save(tmp_path / "report.html")
    several.save(tmp_path / "report.md")
    page, text = ((tmp_path / f"report.{suffix}").read_text(encoding="utf-8") for suffix in ("html", "md"))
    for name in ("color", "big", "tags", "size"):
        assert f"<h3>{name}</h3>" in page
        assert f"### {name}" in text
    for heading in ("average precision", "rmse"):
        assert f">{heading}</th>" in page
        assert f"| {heading} |" in text
    for curve in ("color top-1", "big AUC", "tags mAP", "size R2", "size RMSE"):
        assert f'aria-label="{curve} by epoch"' in page
    assert "Early stopping: `monitor" not in text
    assert "`: {" not in text


def test_targets_that_cannot_be_read_are_refused(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    record["targets"][0]["kind"] = "nothing"
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    wrong = refused(lambda: archspec.report(tmp_path / "run"))
    assert (wrong.code, wrong.message) == ("bad-run", "cannot read `targets` of run.json: there is no target `nothing`")
