"""What each package may import, and that the static commands load neither keras nor tensorflow."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"keras", "tensorflow"}

BASE = "wording diagnostics arguments format interrupt version declare plugins "
DECLARATIONS = BASE + "ops transforms protocols targets "
LANGUAGE = DECLARATIONS + "lang.declarations lang.document lang.expressions lang.recipes lang.schema lang.spec "
GRAPH = LANGUAGE + "graph graph.compile graph.select graph.analysis graph.diff graph.decompile graph.rewrite "
DATA = "runtime.data runtime.data.files runtime.data.pipeline runtime.data.sources runtime.data.report "
MODELS = (
    GRAPH + DATA + "runtime.system runtime.models runtime.models.fast runtime.models.keras2 runtime.models.untrusted "
    "runtime.runs "
)

MAY_IMPORT = {
    "specs": "",
    "labs": "",
    "interrupt": "",
    "version": "",
    "wording": "",
    "diagnostics": "wording",
    "arguments": "diagnostics wording",
    "format": "",
    "declare": "diagnostics",
    "module_index": "",
    "plugins": "diagnostics declare module_index",
    "ops": BASE + "module_index",
    "transforms": BASE + "ops",
    "protocols": BASE + "ops transforms",
    "targets": BASE + "ops",
    "lang.document": BASE,
    "lang.expression_functions": BASE,
    "lang.expressions": BASE + "lang.expression_functions",
    "lang.declarations": DECLARATIONS,
    "lang.recipes": DECLARATIONS + "lang.declarations lang.document lang.expressions",
    "lang.schema": DECLARATIONS + "lang.declarations lang.document lang.expressions lang.recipes",
    "lang.spec": DECLARATIONS + "lang.declarations lang.document lang.expressions lang.recipes lang.schema",
    "graph": LANGUAGE,
    "graph.compile": LANGUAGE + "graph",
    "graph.select": LANGUAGE + "graph",
    "graph.analysis": LANGUAGE + "graph",
    "graph.diff": LANGUAGE + "graph graph.analysis",
    "graph.decompile": LANGUAGE + "graph graph.compile graph.diff",
    "graph.rewrite": LANGUAGE + "graph graph.compile graph.analysis graph.decompile",
    "drawings": GRAPH + "runtime.system",
    "drawings.graph": GRAPH + "drawings",
    "drawings.table": GRAPH + "drawings",
    "drawings.volumes": GRAPH + "drawings",
    "comparison": GRAPH + "drawings runtime.system",
    "runtime.system": BASE,
    "runtime.data": DECLARATIONS + "runtime.system",
    "runtime.data.files": DECLARATIONS + "runtime.system runtime.data",
    "runtime.data.pipeline": DECLARATIONS + "runtime.system runtime.data runtime.data.files",
    "runtime.data.sources": DECLARATIONS + "runtime.system runtime.data runtime.data.files runtime.data.pipeline",
    "runtime.data.report": LANGUAGE + DATA + "runtime.system",
    "runtime.runs": LANGUAGE + "runtime.system",
    "runtime.models.fast": "",
    "runtime.models.untrusted": BASE,
    "runtime.models.keras2": "runtime.models.untrusted",
    "runtime.models": GRAPH + "runtime.system runtime.models.fast runtime.models.keras2 runtime.models.untrusted",
    "runtime.weights": MODELS,
    "runtime.from_keras": MODELS + "runtime.weights",
    "runtime.dense": MODELS + "runtime.weights runtime.from_keras",
    "runtime.distributed": BASE + DATA + "runtime.system",
    "runtime.training.optimization": MODELS,
    "runtime.training.records": MODELS,
    "runtime.training": MODELS + "runtime.weights runtime.dense runtime.distributed runtime.training.optimization "
    "runtime.training.records",
    "runtime.evaluation.inference": MODELS + "runtime.dense",
    "runtime.evaluation": MODELS + "runtime runtime.dense runtime.distributed runtime.evaluation.inference "
    "runtime.explain",
    "runtime.export": "declare plugins " + MODELS + "runtime.dense",
    "runtime.export.converters": "",
    "runtime.export.runners": "",
    "runtime.serve": BASE,
    "runtime.serve.models": "runtime.serve runtime.export runtime.explain " + MODELS,
    "runtime.serve.http": "runtime.export runtime.serve runtime.serve.models " + MODELS,
    "runtime.explain": "runtime runtime.from_keras " + MODELS,
    "runtime.explain.methods": "runtime runtime.from_keras runtime.explain " + MODELS,
    "runtime.labs": MODELS + "labs runtime runtime.weights runtime.dense runtime.distributed runtime.training "
    "runtime.training.records runtime.evaluation runtime.evaluation.inference runtime.explain "
    "runtime.explain.methods",
    "runtime.labs.experiments": MODELS + "runtime runtime.weights runtime.dense runtime.training runtime.evaluation "
    "runtime.evaluation.inference runtime.explain runtime.explain.methods runtime.labs",
    "runtime.run_report": "runtime drawings comparison runtime.evaluation runtime.explain runtime.explain.methods "
    "runtime.training.records " + MODELS,
    "runtime": MODELS,
    "api": GRAPH + DATA + "runtime runtime.system runtime.models runtime.weights runtime.from_keras runtime.dense "
    "runtime.distributed runtime.training runtime.training.records runtime.evaluation runtime.export "
    "runtime.explain runtime.labs runtime.run_report runtime.serve runtime.serve.http drawings comparison",
    "": BASE + "api comparison drawings graph graph.analysis graph.diff lang.recipes runtime runtime.data.report "
    "runtime.weights runtime.training runtime.evaluation runtime.export runtime.explain "
    "runtime.dense runtime.labs runtime.run_report",
    "cli": "version wording diagnostics format interrupt api",
    "__main__": "cli interrupt",
}
"""Package or top-level module of archspec -> what it may import besides itself; "" is archspec/__init__.py."""

LAZY = {"api", "", "cli"}
"""Packages that import `runtime` inside functions, or for annotations only."""


class Import(NamedTuple):
    """An import of a module, or of names in it."""

    line: int
    module: str
    names: tuple[str, ...]
    in_function: bool
    for_annotations: bool
    """Under `if TYPE_CHECKING`."""


def imports(text: str) -> Iterator[Import]:
    tree = ast.parse(text)
    in_function: set[ast.AST] = set()
    for_annotations: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            in_function.update(ast.walk(node))
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for_annotations.update(ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            found = [(node.module or "", tuple(each.name for each in node.names))]
        else:
            continue
        for module, names in found:
            yield Import(node.lineno, module, names, node in in_function, node in for_annotations)


def package(module: str) -> str:
    """The package in MAY_IMPORT that a module of archspec belongs to."""
    words = module.split(".")[1:]
    while words and ".".join(words) not in MAY_IMPORT:
        words.pop()
    return ".".join(words)


def reached(each: Import) -> set[str]:
    """The packages of archspec that an import reaches."""
    if each.module.split(".")[0] != "archspec":
        return set()
    return {package(f"{each.module}.{name}") for name in each.names} or {package(each.module)}


def problem(importing: str, each: Import) -> str | None:
    """Why an import in this package breaks the architecture, or None."""
    if each.module.split(".")[0] in HEAVY and not each.for_annotations and not importing.startswith("runtime"):
        return "only runtime imports keras or tensorflow"
    for imported in sorted(reached(each) - {importing}):
        if imported not in MAY_IMPORT[importing].split():
            return f"{importing or 'archspec'} must not import {imported or 'archspec'}"
        if imported.startswith("runtime") and importing in LAZY and not (each.in_function or each.for_annotations):
            return f"{importing or 'archspec'} imports runtime inside functions only"
    return None


def modules() -> Iterator[tuple[str, Path]]:
    """All modules by their names when installed: `cli/`, `labs/` and `specs/` install inside archspec."""
    places = {"archspec": "archspec"} | {each: f"archspec.{each}" for each in ("cli", "labs", "specs")}
    for folder, prefix in places.items():
        for file in sorted((ROOT / folder).rglob("*.py")):
            words = [prefix, *file.relative_to(ROOT / folder).with_suffix("").parts]
            yield ".".join(words[:-1] if words[-1] == "__init__" else words), file


def test_every_package_is_in_the_table() -> None:
    """The commands count as part of `cli`, and `lang` has no modules of its own."""
    packages = {name.partition(".")[2] for name, file in modules() if file.stem == "__init__"}
    assert packages - {"cli.commands", "lang"} <= MAY_IMPORT.keys()
    assert {name.partition(".")[2] for name, _ in modules()} >= MAY_IMPORT.keys()


def test_the_table_has_no_circles() -> None:
    TopologicalSorter({each: {*allowed.split()} - {each} for each, allowed in MAY_IMPORT.items()}).prepare()


def test_packages_import_what_the_table_allows() -> None:
    found = {}
    for name, file in modules():
        for each in imports(file.read_text(encoding="utf-8")):
            reason = problem(package(name), each)
            if reason:
                found[f"{file.relative_to(ROOT)}:{each.line}: {reason}"] = each.module
    assert found == {}


@pytest.mark.parametrize(
    ("importing", "code"),
    [
        ("ops", "from archspec.lang.document import nodes"),
        ("lang.document", "from archspec.lang.spec.spec import parse"),
        ("lang.spec", "from archspec.graph.ir import Graph"),
        ("graph", "def f():\n    import archspec.runtime.models.build"),
        ("graph.analysis", "from archspec import api"),
        ("runtime.models", "from archspec import load"),
        ("runtime.models", "from archspec.runtime.training import run"),
        ("runtime.evaluation", "def f():\n    from archspec.runtime.training.run import train"),
        ("api", "from archspec.runtime.models.build import build_model"),
        ("cli", "from archspec.graph.ir import Graph"),
        ("cli", "def command():\n    from archspec.runtime.training.train import train"),
        ("ops", "def build(self):\n    import keras"),
        ("cli", "def command():\n    from tensorflow import io"),
    ],
)
def test_a_wrong_import_is_reported(importing: str, code: str) -> None:
    (each,) = imports(code)
    assert problem(importing, each)


@pytest.mark.parametrize(
    ("importing", "code"),
    [
        ("lang.schema", "from archspec.ops import OPS"),
        ("graph", "from archspec.graph.ir import Graph"),
        ("runtime.models", "def f():\n    import tensorflow as tf"),
        ("runtime.models", "from archspec.version import __version__"),
        ("api", "def f():\n    from archspec.runtime.models.build import build_model"),
        ("api", "if TYPE_CHECKING:\n    import keras"),
        ("cli", "from archspec import api"),
        ("ops", "from kerassomething import layers"),
    ],
)
def test_a_right_import_is_accepted(importing: str, code: str) -> None:
    (each,) = imports(code)
    assert problem(importing, each) is None


def test_no_two_classes_share_a_name() -> None:
    places = defaultdict(list)
    for name, file in modules():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_every_package_has_a_docstring() -> None:
    bare = [
        name
        for name, file in modules()
        if file.stem == "__init__" and not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert bare == []


RUN = """
import sys
sys.path[:0] = {folders}
{before}
from archspec.cli.main import cli
for arguments in {commands}:
    cli.main(arguments, standalone_mode=False)
print(sorted({unneeded} & set(sys.modules)), file=sys.stderr)
"""
UNNEEDED = HEAVY | {"PIL", "google", "h5py", "matplotlib", "ml_dtypes", "numpy", "rich", "safetensors"}
"""Dependencies that checking and summarizing a spec must not load: all but click and yaml."""


def loaded_by(*commands: list[str], before: str = "", folders: tuple[str, ...] = ()) -> str:
    """Which of UNNEEDED a fresh process has loaded after some code and these commands."""
    code = RUN.format(commands=list(commands), unneeded=UNNEEDED, before=before, folders=folders)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1]


def test_static_commands_load_click_and_yaml_only() -> None:
    bad = str(ROOT / "tests" / "examples" / "good" / "deep.yaml")
    commands = [
        ["check", "vgg", "resnet", bad],
        ["list", "resnet"],
        ["schema"],
        ["plan", "vgg:D", "--batch-size", "32"],
        ["summarize", "vgg:D"],
        ["summarize", "resnet:50", "--format", "json"],
        ["draw", "vgg", "--style", "table"],
        ["compare", "resnet:50", "vgg:D"],
    ]
    assert loaded_by(*commands) == "[]"


def test_the_process_would_tell_if_they_were_loaded(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text("")  # stands in for the real one, which takes seconds
    (tmp_path / "keras.py").write_text("")
    assert loaded_by(["schema"], before="import tensorflow", folders=(str(tmp_path),)) == "['tensorflow']"
    assert loaded_by(["schema"], before="from keras import __doc__", folders=(str(tmp_path),)) == "['keras']"
