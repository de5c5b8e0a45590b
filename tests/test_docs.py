"""The generated documents are fresh, links lead somewhere, and every public name is documented."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import archspec
from tests.examples import errors

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def generate() -> Iterator[ModuleType]:
    """docs/generate.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        yield importlib.import_module("generate")


def test_generated_documents_are_fresh(generate: ModuleType) -> None:
    for file, document in generate.DOCUMENTS.items():
        path = (ROOT / "docs" / file).resolve()
        assert path.read_text(encoding="utf-8") == document(), f"{path.name} is stale: run `python docs/generate.py`"


def test_every_public_name_attribute_and_method_is_documented() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert [each for each in archspec.__all__ if f"\n### {each}\n" not in text] == ["__version__"]
    assert [line for line in text.splitlines() if line.endswith("|  |")] == []
    assert "```\n\n\n" not in text


def test_the_errors_that_the_api_names_exist() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    named = {
        word for line in text.splitlines() if line.startswith("Raises") for word in re.findall(r"`([a-z-]+)`", line)
    }
    assert {"output-exists", "worker-lost"} < named
    assert named - errors.documented() - set(archspec.__all__) == set()


def test_links_between_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_ci_runs_the_test_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.split("<!-- test command -->\n```sh\n")[1].split("\n```")[0]
    assert block.count("\n") == 0
    assert "python -m pytest --installed" in block
    assert "-e" not in block.split()
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_table_of_the_architecture_names_every_package_and_existing_files() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    folders = {re.findall(r"`(.+?)`", row[0])[0]: re.findall(r"`([\w/]+\.py)`", row[3]) for row in rows}
    for package, files in folders.items():
        assert files, package
        for file in files:
            assert (ROOT / package.replace(".", "/") / file).exists(), f"{package} has no {file}"
    found = {each.parent.relative_to(ROOT).as_posix().replace("/", ".") for each in ROOT.glob("archspec/*/__init__.py")}
    found |= {f"archspec.runtime.{each.parent.name}" for each in ROOT.glob("archspec/runtime/*/__init__.py")}
    assert found - {"archspec.runtime"} | {"cli"} == set(folders)


def test_docstrings_describe_parameters_that_exist() -> None:
    for name in archspec.__all__:
        function = getattr(archspec, name)
        text = (inspect.getdoc(function) or "") if inspect.isfunction(function) else ""
        block = re.search(r"^Args:\n((?:    .*\n?)+)", text, re.MULTILINE)
        described = re.findall(r"^    (\w+):", block[1], re.MULTILINE) if block else []
        assert set(described) <= set(inspect.signature(function).parameters) if described else True, name
        inside = re.findall(r"[.)`] (\w+): ", block[1]) if block else []
        assert set(inside) & set(inspect.signature(function).parameters) == set() if block else True, name
