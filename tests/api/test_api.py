"""The public API does what the command line does, by the same names, and imports nothing heavy before it must."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
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
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ArchspecError, match="a device or a pipe"):
        api.check_output(tmp_path / "pipe.png", overwrite=True)
    assert api.check_output(tmp_path / "there.png", ".png", overwrite=True) == tmp_path / "there.png"


def test_a_manifest_renders_as_the_command_prints_it(run: Run) -> None:
    manifest = archspec.check_data("digits")
    assert json.loads(manifest.render("json")) == json.loads(run("data", "check", "digits", "--format", "json").out)
    assert "1,797 images" in manifest.render()


def test_options_are_those_of_the_command_and_its_settings() -> None:
    """The keys of the recipe need no prefix where a network is given."""
    small = archspec.summarize("vgg:A", classes=10).graph
    assert small.output_shape == (10,)
    given = archspec.plan("vgg:A", dtype_policy="mixed_bfloat16", momentum=0.5, batch_size=2)
    network = archspec.load("vgg:A", **{"train.dtype_policy": "mixed_bfloat16"})
    assert given == archspec.plan(network, batch_size=2)
    ten = archspec.load("vgg:A", classes=10)
    assert archspec.diff("vgg:A", "vgg:A", classes=10).render() == archspec.diff(ten, ten).render()


@pytest.mark.parametrize(
    ("call", "code", "help"),
    [
        (lambda: archspec.evaluate("a", "b", protocl="x"), "unknown-option", "did you mean `protocol`?"),  # type: ignore[call-arg]
        (lambda: archspec.export("a", out="b", overwite=True), "unknown-option", "did you mean `overwrite`?"),  # type: ignore[call-arg]
        (lambda: archspec.train("lenet:5", "digits", epoch=2), "unknown-parameter", "did you mean `epochs`?"),
        (lambda: archspec.train("lenet:5", "digits", devcies=2), "unknown-parameter", "did you mean `devices`?"),
        (lambda: archspec.train("vgg:A", "digits", learnin_rate=2), "unknown-parameter", "mean `learning_rate`?"),
        (lambda: archspec.summarize("vgg:A", clases=2), "unknown-parameter", "did you mean `classes`?"),
    ],
)
def test_a_misspelt_option_is_an_error_that_names_the_near_one(
    call: Callable[[], object], code: str, help: str
) -> None:
    with pytest.raises(ArchspecError) as caught:
        call()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.help
    assert help in diagnostic.help


def test_a_run_directory_is_a_reference(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "a:b"  # a colon as in a reference
    folder.mkdir()
    network = archspec.load("lenet:5", **{"train.epochs": 3})
    (folder / "spec.yaml").write_text(network.resolved_text())
    assert archspec.summarize(folder).graph.params == network.graph().params
    assert archspec.load(str(folder)).recipe.epochs == 3
    for arguments in (["summarize", folder], ["diff", folder, "lenet:5"], ["plan", folder], ["check", folder]):
        done = run(*arguments)
        assert done.status == 0, done.err
    (folder / "spec.yaml").unlink()
    assert "contains no spec.yaml" in run("summarize", folder).err


def test_every_result_prints_something_short_and_useful() -> None:
    network = archspec.load("resnet:50")
    graph = network.graph()
    results = {
        "resnet-50": graph,
        "resnet-50: ": archspec.summarize(network),
        " a device": archspec.plan(network),
        "layers differ": archspec.diff("vgg:A", "vgg:B"),
        "FullyConvolutional": archspec.convolutionalize_spec("vgg:A"),
        "resnet:50": network,
        "Conv(filters=64": graph.layers[0],
        "Recipe(": network.recipe,
        "1,347 in train": archspec.check_data("digits"),
    }
    for words, result in results.items():
        assert words in repr(result)
        assert "\n" not in repr(result)
        assert len(repr(result)) < 1000, type(result)
    assert repr(graph) == (
        f"<Graph resnet-50: {len(graph.layers)} layers, (224, 224, 3) -> (1000,), 25.61M params, 3.858G MACs>"
    )
    assert str(archspec.plan(network)) == archspec.plan(network).render()
    assert str(archspec.summarize(network)) == archspec.summarize(network).render()
