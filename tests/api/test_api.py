"""The public API does what the command line does, by the same names, and imports nothing heavy before it must."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import archspec
from archspec import api
from archspec.cli.main import COMMANDS
from archspec.diagnostics import ArchspecError
from tests.cli.conftest import Run

OTHER_NAMES = {
    "list": {"families", "networks"},
    "data": {"check_data", "preview_data"},
    "train": {"train", "resume"},
    "evaluate": {"evaluate", "evaluate_all"},
    "convolutionalize": {"convolutionalize", "convolutionalize_spec"},
    "completion": set(),
}
"""The functions of commands that are not called like their function."""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_functions(command: str) -> None:
    assert OTHER_NAMES.get(command, {command.replace("-", "_")}) <= set(archspec.__all__)


def test_every_public_name_can_be_imported() -> None:
    for name in archspec.__all__:
        assert getattr(archspec, name) is not None
    assert set(archspec.__all__) <= set(dir(archspec))
    assert not hasattr(archspec, "summarise")


def test_importing_archspec_imports_nothing_heavy() -> None:
    heavy = {"keras", "tensorflow", "numpy", "matplotlib", "PIL", "rich", "jsonschema", "h5py", "grpc"}
    code = f"import sys, archspec, archspec.cli.main; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_functions_take_a_network_or_a_reference() -> None:
    network = archspec.load("lenet:5")
    assert archspec.summarize(network).render() == archspec.summarize("lenet:5").render()
    assert archspec.plan(network) == archspec.plan("lenet:5")
    assert archspec.diff(network, "lenet:5").render("json") == archspec.diff("lenet:5", network).render("json")


def test_results_render_what_the_commands_print(run: Run) -> None:
    for format in ("text", "json", "markdown", "csv"):
        printed = run("summarize", "lenet:5", "--depth", 1, "--format", format).out
        assert archspec.summarize("lenet:5", depth=1).render(format) + "\n" == printed
    assert (
        archspec.diff("vgg:A", "vgg:B").render("markdown") + "\n"
        == run("diff", "vgg:A", "vgg:B", "--format", "markdown").out
    )
    assert (
        archspec.plan("vgg:A", device="t4").render("json") + "\n"
        == run("plan", "vgg:A", "--device", "t4", "--format", "json").out
    )
    assert archspec.schema() == run("schema").out
    assert archspec.convolutionalize_spec("lenet:5").spec == run("convolutionalize", "lenet:5").out


def test_a_summary_folds_rows() -> None:
    summary = archspec.summarize("vgg:D", depth=1)
    assert sum(row.params for row in summary.rows) == 138_357_544  # "138M" in Table 2 of the paper
    assert len(summary.rows) < len(summary.graph.layers)


def test_a_plan_takes_the_batch_size_of_the_recipe() -> None:
    network = archspec.load("lenet:5")
    assert archspec.plan(network).batch_size == network.recipe.batch_size
    assert archspec.plan(network, memory=1.0).fits is False
    assert set(archspec.accelerators()) >= {"a100-80gb", "h100"}


def test_a_plan_needs_every_size() -> None:
    with pytest.raises(ArchspecError, match=r"error\[free-input\]"):
        archspec.plan(archspec.load("nin:cifar10", input=[None, None, 3]))


def test_a_spec_without_weights_becomes_no_model(tmp_path: Path) -> None:
    converted = archspec.convolutionalize_spec(archspec.load("lenet:5"))
    with pytest.raises(ArchspecError, match=r"error\[bad-output\].*no weights"):
        converted.write(tmp_path / "dense.keras")
    path = converted.write(tmp_path / "dense.yaml")
    assert archspec.check(str(path)) == []
    assert archspec.load(str(path)).graph().params == converted.graph.params
    with pytest.raises(ArchspecError, match=r"error\[output-exists\]"):
        converted.write(path)


@pytest.mark.parametrize(
    ("name", "overwrite", "code"),
    [("a.jpg", False, "bad-output"), ("there.png", False, "output-exists"), ("folder.png", True, "output-exists")],
)
def test_a_bad_output_is_refused_before_the_work(tmp_path: Path, name: str, overwrite: bool, code: str) -> None:
    (tmp_path / "there.png").touch()
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ArchspecError, match=code):
        api.check_output(tmp_path / name, ".png", overwrite=overwrite)
    assert api.check_output(tmp_path / "there.png", ".png", overwrite=True) == tmp_path / "there.png"


def test_a_manifest_renders_as_the_command_prints_it(run: Run) -> None:
    manifest = archspec.check_data("digits")
    assert json.loads(manifest.render("json")) == json.loads(run("data", "check", "digits", "--format", "json").out)
    assert "1,797 images" in manifest.render()
