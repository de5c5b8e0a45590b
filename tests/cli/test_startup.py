"""What commands import: no more than they need, and TensorFlow only after the arguments are checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import MEMBER
from archspec.runtime.system import tensorflow_import

BEFORE = "import sys; before, out, sys.stdout = set(sys.modules), sys.stdout, sys.stderr\n"
AFTER = "\nprint(*set(sys.modules) - before, file=out)"
RUN = "from archspec.cli.main import run; sys.argv[0] = 'archspec'; assert run() == 0"
COMPLETE = """
from archspec.cli.main import cli
try:
    cli.main(prog_name="archspec")
except SystemExit:
    pass
"""
COMMAND_LINE = {"version", "api", "cli", "cli.main", "cli.terminal", "diagnostics", "format", "interrupt", "wording"}
HEAVY = {"yaml", "pathlib", "json", "csv", "difflib", "numpy", "rich", "shutil", "importlib.metadata"}


def modules(code: str, *arguments: str, **environment: str) -> set[str]:
    """The modules that the code imports in a process of its own."""
    command = [sys.executable, "-c", BEFORE + code + AFTER, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment})
    return set(done.stdout.split())


def of_archspec(names: set[str]) -> set[str]:
    return {name.removeprefix("archspec.") for name in names if name.startswith("archspec.")}


def test_importing_archspec_imports_its_version_only() -> None:
    names = modules("import archspec")
    assert of_archspec(names) == {"version"}
    assert not names & {*HEAVY, "click", "dataclasses"}


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_options_without_a_command_import_no_command(option: str) -> None:
    names = modules(RUN, option)
    assert of_archspec(names) == COMMAND_LINE
    assert not names & HEAVY


def test_completion_of_a_command_imports_no_command() -> None:
    words = {"_ARCHSPEC_COMPLETE": "bash_complete", "COMP_WORDS": "archspec summ", "COMP_CWORD": "1"}
    names = modules(COMPLETE, **words)
    assert of_archspec(names) == COMMAND_LINE
    assert not names & HEAVY


def test_a_summary_imports_the_modules_of_the_operators_in_the_spec() -> None:
    names = of_archspec(modules(RUN, "summarize", "lenet:5"))
    assert {"ops.conv", "ops.dense", "ops.pool"} < names
    assert names & {"ops.norm", "ops.lrn", "transforms.color", "lang.spec.resolve", "graph.select"} == set()
    assert len(names) < 75


def test_a_check_imports_no_module_for_errors() -> None:
    names = modules(RUN, "check", "vgg", "resnet", "nasnet")
    assert not names & {"textwrap", "fractions", "shutil", "difflib", "importlib.metadata"}
    assert not of_archspec(names) & {"lang.schema.foreign", "lang.schema.remedies", "lang.spec.resolve"}


def test_a_drawing_imports_neither_numpy_nor_fonts(tmp_path: os.PathLike[str]) -> None:
    names = modules(RUN, "draw", "lenet:5", "-o", os.path.join(tmp_path, "a.svg"))
    assert "archspec.drawings.graph.style" in names
    assert not names & {"numpy", "PIL", "matplotlib", "cairosvg", "keras", "tensorflow"}


def test_recipes_are_imported_only_for_a_spec_with_a_recipe(tmp_path: os.PathLike[str]) -> None:
    spec = os.path.join(tmp_path, "net.yaml")
    with open(spec, "w") as file:
        file.write("name: net\ninput: [8, 6, 3]\nlayers: [conv: 4, relu]\n")
    names = of_archspec(modules(RUN, "summarize", spec))
    assert {name for name in names if name.startswith("lang.recipes.")} == set()


MISTAKES = {
    "train --nope": "No such option '--nope'",
    "train resnet-digits --data nowhere": "data-not-found",
    "train vgg:Q --data digits": "unknown-variant",
    "train resnet-digits --data digits --devices x": "devices",
    "train resnet-digits --data digits --init-from nowhere.h5": "weights-not-found",
    "train resnet-digits --data digits --freeze none/**": "unmatched-pattern",
    "train --resume nowhere": "not-a-run",
    "train resnet-digits --data digits --out image.png/b": "cannot-write",
    "train resnet-digits --data digits --recipe nowhere.yaml": "page-not-found",
    "train resnet-digits --data digits --set train.batch_size=0": "wrong-value",
    "evaluate nowhere --data digits": "model-not-found",
    "evaluate model.keras --data nowhere": "data-not-found",
    "evaluate model.keras --data digits --protocol none": "unknown-protocol",
    "evaluate model.keras --data digits --recompute-bn nowhere": "data-not-found",
    "evaluate model.keras --data digits --classes nowhere.txt": "class-list",
    "predict nowhere a.png": "model-not-found",
    "predict model.keras --data nowhere": "data-not-found",
    "predict model.keras image.png --classes nowhere.txt": "class-list",
    "explain gradcam nowhere a.png -o x": "model-not-found",
    "explain gradcm nowhere a.png -o x": "No such command 'gradcm'",
    "explain gradcam model.keras nowhere.png -o x": "nowhere.png: no such file",
    "explain gradcam model.keras --data nowhere -o x": "data-not-found",
    "explain gradcam model.keras image.png --class bird -o x": "unknown-class",
    "export nowhere -o x": "model-not-found",
    "export model.keras -o x --data nowhere": "data-not-found",
    "export model.keras -o x --format onnx --precision int8 --calibration nowhere": "data-not-found",
    "serve nowhere": "model-not-found",
    "serve nowhere --label stable": "LABEL=VERSION",
    "build vgg:D -o a.keras --weights nowhere.h5": "weights-not-found",
    "from-keras nowhere.keras": "model-not-found",
    "data check nowhere": "data-not-found",
    "data preview vgg:D --data nowhere -o a.png": "data-not-found",
    "convolutionalize nowhere.keras": "model-not-found",
}
WITHOUT_TENSORFLOW = """
import contextlib, io, json, sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from archspec.cli.main import run
said = {}
for line in json.loads(sys.argv[1]):
    sys.argv = ["archspec", *line.split()]
    with contextlib.redirect_stderr(io.StringIO()) as err:
        assert run() != 0
    said[line] = err.getvalue()
print(json.dumps(said))
"""


def test_mistakes_are_reported_before_tensorflow_is_imported(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as model:
        model.writestr("config.json", '{"config": {}}')
        model.writestr(MEMBER, json.dumps(Metadata(class_names=("cat", "dog")).to_json()))
    (tmp_path / "image.png").touch()
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, json.dumps(list(MISTAKES))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    said = json.loads(done.stdout)
    assert {line: text for line, text in said.items() if MISTAKES[line] not in text} == {}


@pytest.mark.parametrize(
    ("seconds", "command_line", "said"), [(0.0, True, True), (9.0, True, False), (0.0, False, False)]
)
def test_a_long_import_is_announced_on_the_command_line(
    seconds: float, command_line: bool, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "archspec.cli.main", raising=False)
    if command_line:
        monkeypatch.setitem(sys.modules, "archspec.cli.main", sys)
    reader, writer = os.pipe()
    with tensorflow_import._notice_after(seconds, writer):
        time.sleep(0.2)
    os.close(writer)
    with os.fdopen(reader, "rb") as read:
        assert read.read() == (tensorflow_import.NOTICE + b"\n") * said
