"""Plugin packages: found by their entry points, loaded when a name is unknown."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from archspec import plugins
from archspec.ops import OPS

METADATA = "Metadata-Version: 2.1\nName: gains\nVersion: 1\n"
PLUGIN = """
from dataclasses import dataclass
from archspec.declare import NUMBER, arg
from archspec.ops import Op
from archspec.transforms import Transform

@dataclass(frozen=True)
class Gain(Op):
    "x factor."
    name = "gain"
    factor: float = arg(NUMBER, "factor", 2)

@dataclass(frozen=True)
class Brighten(Transform):
    "Adds to every pixel."
    name = "brighten"
    value: float = arg(NUMBER, "what is added")
"""
SPEC = """
name: tiny
input: [8, 8, 3]
preprocess: [{brighten: 3}]
layers: [{gain: 3}, flatten, {dense: 2}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on sys.path."""
    monkeypatch.syspath_prepend(tmp_path)
    plugins.load_plugins.cache_clear()
    yield tmp_path
    plugins.load_plugins.cache_clear()


def install(folder: Path, information: str, entry_points: str) -> None:
    (folder / information).mkdir(parents=True)
    (folder / information / "METADATA").write_text(METADATA)
    (folder / information / "PKG-INFO").write_text(METADATA)
    (folder / information / "entry_points.txt").write_text(entry_points)


def in_a_process(code: str, folder: Path) -> str:
    """What a fresh process prints, with a folder on its path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("information", ["gains-1.dist-info", "gains.egg-info"])
@pytest.mark.parametrize("group", plugins.GROUPS)
def test_the_modules_of_a_group_are_imported_once(folder: Path, information: str, group: str) -> None:
    install(folder, information, f"[console_scripts]\ngain = gains:main\n\n[{group}]\ngain = {folder.name}_gains\n")
    (folder / f"{folder.name}_gains.py").write_text("import sys; sys.stdout.write('imported')")
    try:
        plugins.load_plugins(group, plugins.GROUPS[group])
        assert f"{folder.name}_gains" in sys.modules
    finally:
        sys.modules.pop(f"{folder.name}_gains", None)
    plugins.load_plugins(group, plugins.GROUPS[group])
    assert f"{folder.name}_gains" not in sys.modules


def test_plugins_in_a_zip_file_are_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(folder / "packages.zip", "w") as archive:
        archive.writestr("gains-1.dist-info/METADATA", METADATA)
        archive.writestr("gains-1.dist-info/entry_points.txt", "[archspec.ops]\ngain = no_such_module\n")
    monkeypatch.syspath_prepend(folder / "packages.zip")
    assert [each.value for each in metadata.entry_points(group="archspec.ops")] == ["no_such_module"]
    with pytest.warns(UserWarning, match="the operator `gain` of the package `gains` is skipped"):
        plugins.load_plugins("archspec.ops", "operator")


def test_a_plugin_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise ImportError("no module named nowhere")

    broken = SimpleNamespace(name="gate", value="gates:Gate", dist=SimpleNamespace(name="keras-gates"), load=load)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [broken] if group == "archspec.ops" else [])
    plugins.load_plugins.cache_clear()
    fact = "the operator `gate` of the package `keras-gates` is skipped: ImportError: no module named nowhere"
    with pytest.warns(UserWarning, match=fact):
        assert OPS.get("gate") is None
    plugins.load_plugins.cache_clear()


def test_one_module_may_declare_operators_and_transforms(folder: Path) -> None:
    (folder / "gains.py").write_text(PLUGIN)
    install(folder, "gains-1.dist-info", "[archspec.ops]\ngain = gains\n")
    code = f"""
import sys
from archspec import load
from archspec.diagnostics import ArchspecError
from archspec.lang.schema.spec_schema import text
from pathlib import Path
Path("tiny.yaml").write_text({SPEC!r})
network = load("tiny.yaml")
print([node.op.name for node in network.graph().layers], network.preprocess)
print('"gain"' in text(), '"brighten"' in text())
for layer in ("gian: 3", "gain: {{factor: x}}"):
    Path("tiny.yaml").write_text({SPEC!r}.replace("gain: 3", layer))
    try:
        load("tiny.yaml").graph()
    except ArchspecError as error:
        print(error.diagnostics[0].code, error.diagnostics[0].help)
"""
    assert in_a_process(code, folder).splitlines() == [
        "['gain', 'flatten', 'dense'] (Brighten(value=3),)",
        "True True",
        "unknown-operator did you mean `gain`?",
        "wrong-type `factor`: factor; for example, `gain: 2`",
    ]


def test_specs_without_unknown_names_do_not_search_for_plugins(folder: Path) -> None:
    install(folder, "gains-1.dist-info", "[archspec.ops]\ngain = gains\n")
    (folder / "gains.py").write_text("raise SystemExit")
    code = "import sys, archspec; archspec.load('resnet:18').graph(); print('importlib.metadata' in sys.modules)"
    assert in_a_process(code, folder) == "False\n"


def test_a_transform_is_found_in_the_module_of_an_operator_that_the_spec_does_not_use(folder: Path) -> None:
    (folder / "gains.py").write_text(PLUGIN)
    install(folder, "gains-1.dist-info", "[archspec.ops]\ngain = gains\n")
    (folder / "tiny.yaml").write_text(SPEC.replace("{gain: 3}, ", ""))
    code = "from archspec import load; network = load('tiny.yaml'); print(network.preprocess, network.check())"
    assert in_a_process(code, folder) == "(Brighten(value=3),) []\n"


def test_operators_of_a_script_are_seen_and_can_be_declared_again(folder: Path) -> None:
    """As in a notebook, where a cell is run, changed, and run again; `@declared` may be left out."""
    (folder / "tiny.yaml").write_text("name: tiny\ninput: [8, 8, 3]\nlayers: [{gain: 3}, flatten, {dense: 2}]\n")
    code = """
import archspec
from pathlib import Path
from archspec.declare import NUMBER, arg, declared

def shown():
    try:
        return archspec.load("tiny.yaml").graph().layers[0].op
    except archspec.ArchspecError as error:
        return error.diagnostics[0].code

print(shown())
from archspec.ops import Op

class Gain(Op):
    "x factor."
    name = "gain"
    factor: float = arg(NUMBER, "factor", 2)

print(shown())

@declared
class Gain(Op):
    "x factor."
    name = "gain"
    by: float = arg(NUMBER, "factor", 2)

print(shown())
Path("tiny.yaml").write_text("name: tiny\\ninput: [8, 8, 3]\\nlayers: [{gain: {by: 4}}, flatten, {dense: 2}]\\n")
print(shown())
"""
    assert in_a_process(code, folder) == "unknown-operator\nGain(factor=3)\nGain(by=3)\nGain(by=4)\n"
