"""The distributions that users install: their files, and every command in an environment outside the checkout."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from archspec.cli.commands.data import command as data
from archspec.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
PACKAGES = {"archspec": "archspec", "cli": "archspec/cli", "labs": "archspec/labs", "specs": "archspec/specs"}
"""Folder of the checkout -> where its files are installed."""
DISTRIBUTED = (*PACKAGES, "tests", "docs", "benchmarks", ".ci")
"""Folders of the source distribution."""
IGNORED = shutil.ignore_patterns("__pycache__", "*.py[co]", ".*_cache", "*.egg-info", "build")


def call(*command: str | Path, cwd: Path, expected: int = 0) -> str:
    """Run a command to its end: its standard output."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == expected, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, because setuptools writes into the folder that it builds."""
    folder = tmp_path_factory.mktemp("source") / "archspec"
    folder.mkdir()
    for each in DISTRIBUTED:
        shutil.copytree(ROOT / each, folder / each, ignore=IGNORED)
    for file in ROOT.iterdir():
        if file.is_file() and file.name not in (".git", ".gitignore", ".coverage"):
            shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="module")
def distributions(source: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that was built from the sdist."""
    out = source.parent / "dist"
    call(sys.executable, "-P", "-m", "build", "--no-isolation", "-o", out, source, cwd=source.parent)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def files(root: Path) -> Iterator[str]:
    for path in root.rglob("*"):
        if path.is_file():
            yield path.relative_to(root).as_posix()


def test_the_wheel_holds_every_file_of_the_packages(source: Path, distributions: tuple[Path, Path]) -> None:
    expected = {f"{place}/{file}" for folder, place in PACKAGES.items() for file in files(source / folder)}
    with zipfile.ZipFile(distributions[1]) as wheel:
        found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert "archspec/specs/vgg.yaml" in expected
    assert "archspec/labs/mlp-vs-cnn.yaml" in expected
    assert found == expected


def test_the_source_distribution_holds_what_the_tests_need(source: Path, distributions: tuple[Path, Path]) -> None:
    expected = {f"{folder}/{file}" for folder in DISTRIBUTED for file in files(source / folder)}
    expected |= {file.name for file in source.iterdir() if file.is_file()}
    with tarfile.open(distributions[0]) as sdist:
        found = {member.name.partition("/")[2] for member in sdist if member.isfile()}
    assert expected <= found


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel, which takes the other packages from the environment of the tests."""

    folder: Path
    work: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def archspec(self, *arguments: str | Path, expected: int = 0) -> str:
        """The console script: its standard output."""
        return call(self.folder / "bin" / "archspec", *arguments, cwd=self.work, expected=expected)

    def install(self, distribution: Path) -> None:
        options = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
        call(
            sys.executable, "-P", "-m", "pip", "--python", self.python, "install", *options, distribution, cwd=self.work
        )


@pytest.fixture(scope="module")
def environment(distributions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("environment")
    made = Environment(folder / "venv", folder / "work")
    made.work.mkdir()
    call(sys.executable, "-m", "venv", "--without-pip", made.folder, cwd=folder)
    made.install(distributions[1])  # first: pip does not install a version that the outer environment has
    (packages,) = made.folder.glob("lib/python*/site-packages")
    outer = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (packages / "outer.pth").write_text("\n".join(outer))
    found = call(made.python, "-P", "-c", "import archspec, sys; print(archspec.__file__)", cwd=made.work)
    assert Path(found.strip()).is_relative_to(packages)
    return made


SPEC = """\
name: small
input: [8, 8, 1]
params: {classes: 10}
layers:
  - conv: {filters: 8, kernel_size: 3, strides: 2}
  - relu
  - flatten
  - dense: $classes
  - softmax
preprocess: [scale: $(1 / 16)]
train: {epochs: 1, batch_size: 128, optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}}
"""

STATIC = (
    "check small.yaml vgg resnet",
    "list resnet",
    "schema",
    "summarize vgg:D",
    "plan small.yaml --batch-size 32 --memory 8GB",
    "diff vgg:B vgg:D",
    "draw vgg:D -o vgg.svg",
    "draw vgg --style table",
    "list --published resnet",
    "compare resnet:50 vgg:D",
    "convolutionalize small.yaml -o dense.yaml",
    "completion bash",
)
"""Commands without TensorFlow, through the console script. Both `diff` and `check` exit with 0 here."""

RUNTIME = (
    "train small.yaml --data digits -o run",
    "evaluate run --data digits",
    "predict run run/example.png",
    "explain gradcam run run/example.png -o explained",
    "lab mlp-vs-cnn --scale tiny -o lab",
    "report run -o report.html",
    "export run -o saved",
    "build small.yaml -o small.keras",
    "from-keras small.keras -o again.yaml",
    "draw small.keras -o small.svg",
    "data check digits",
    "data preview small.yaml --data digits -o preview.png",
)
"""Commands with TensorFlow, in one process, which imports TensorFlow once."""

SERVE = "serve saved --port 0"
"""Runs until it is stopped."""

RUN = """
import json, sys
from archspec.cli.main import run
for line in json.loads(sys.argv[1]):
    sys.argv = ["archspec", *line.split()]
    status = run()
    assert status == 0, f"{line}: exit status {status}"
"""


def run_in_one_process(environment: Environment, *commands: str) -> None:
    call(environment.python, "-P", "-c", RUN, json.dumps(commands), cwd=environment.work)


def test_every_command_is_run() -> None:
    run = {line.split()[0] for line in (*STATIC, *RUNTIME, SERVE)}
    assert run == set(COMMANDS)
    parts = {line.split()[1] for line in RUNTIME if line.startswith("data ")}
    assert parts == set(data.commands)  # type: ignore[attr-defined]


def test_every_command_works(environment: Environment) -> None:
    (environment.work / "small.yaml").write_text(SPEC)
    for line in STATIC:
        assert environment.archspec(*line.split()) or "-o" in line
    run_in_one_process(environment, *RUNTIME)
    served_and_stopped(environment)


def served_and_stopped(environment: Environment) -> None:
    """The server of the export says where it listens, answers, and ends well on SIGTERM."""
    command = [environment.folder / "bin" / "archspec", *SERVE.split()]
    with subprocess.Popen(command, cwd=environment.work, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("listening on "):
            lines.append(server.stderr.readline())
            assert lines[-1], "".join(lines)
        image = (environment.work / "run" / "example.png").read_bytes()
        address = lines[-1].split()[-1] + "/predict?top=1"
        with urlopen(Request(address, image, {"Content-Type": "image/png"}), timeout=60) as answer:
            (found,) = json.load(answer)["predictions"]
        server.send_signal(signal.SIGTERM)
        said = server.stderr.read()
        assert (server.wait(60), said) == (0, "stopping after the requests that are under way\n")
    (expected,) = json.loads(environment.archspec(*["predict", "run", "run/example.png", "--format", "json"]))
    assert found["classes"][0]["class"] == expected["classes"][0]["class"]


PLUGIN = (
    "check net.yaml",
    "data check stripes:20",
    "train net.yaml --data digits -o plugin-run",
    "evaluate plugin-run --data digits --protocol center-flip",
    "export plugin-run --format keras-json -o plugin-export",
)


@pytest.mark.slow
def test_a_plugin_package_adds_to_every_registry(environment: Environment, source: Path) -> None:
    """The package of docs/extending.md."""
    package = source / "tests" / "plugin_package"
    environment.install(package)
    shutil.copy(package / "net.yaml", environment.work)
    run_in_one_process(environment, *PLUGIN)


def test_the_documentation_quotes_the_plugin_package() -> None:
    package = ROOT / "tests" / "plugin_package"
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    for file in (package / "pyproject.toml", package / "net.yaml", *package.glob("archspec_example/[!_]*.py")):
        assert file.read_text(encoding="utf-8").strip() in text, f"docs/extending.md does not quote {file.name}"


DISTRIBUTION = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "google": "protobuf",
    "mlflow": "mlflow-skinny",
    "sklearn": "scikit-learn",
    "tensorflow_serving": "tensorflow-serving-api",
    "yaml": "pyyaml",
}
"""Import name -> name of the distribution, where they differ by more than `_` and `-`."""


NOT_IMPORTED = {"torch", "python-multipart"}
"""Declared: torch for tests; python-multipart, which starlette imports to read forms."""


def test_every_imported_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    names = (*project["dependencies"], *(name for extra, names in extras.items() if extra != "test" for name in names))
    declared = {re.split(r"[<>=\[]", name)[0] for name in names}
    imported = {name for folder in PACKAGES for file in (ROOT / folder).rglob("*.py") for name in imports(file)}
    assert {DISTRIBUTION.get(name, name.replace("_", "-")) for name in imported} == declared - NOT_IMPORTED


def imports(file: Path) -> Iterator[str]:
    """Top-level names of the packages that a module imports, without Python's own and archspec."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from {module.partition(".")[0] for module in modules} - {*sys.stdlib_module_names, "archspec"}
