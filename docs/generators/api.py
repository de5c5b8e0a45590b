"""docs/api.md, from the signatures and docstrings of the public names."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import itertools
import re
from collections.abc import Iterator
from typing import Any

import archspec
from generators.pages import NOTICE

SECTIONS = {
    "references": "Networks",
    "spec_files": "Specs and recipes that come with archspec",
    "analysis": "Summaries, comparisons and plans",
    "drawing": "Drawings",
    "comparison": "Comparisons",
    "models": "Weights and models",
    "exports": "Export",
    "data": "Data",
    "training": "Training",
    "evaluation": "Evaluation and prediction",
    "explanation": "Visual explanations",
    "run_report": "Reports of runs",
    "labs": "Labs",
    "serving": "Serving",
}
"""Modules of `archspec.api`, in the order of docs/api.md."""


def api() -> str:
    """docs/api.md."""
    public = {name: getattr(archspec, name) for name in archspec.__all__}
    parts = [
        NOTICE,
        "# Python API\n",
        "`import archspec` provides these functions and classes. The command line is built on them and uses the same",
        "names. Importing archspec imports neither Keras nor TensorFlow. Errors in the input raise",
        "`archspec.ArchspecError`; [errors.md](errors.md) lists the codes. An argument of the wrong kind or range",
        "is a `bad-argument`. A single string is accepted where a list of strings is expected.\n",
    ]
    for module, title in SECTIONS.items():
        parts.append(f"## {title}\n")
        parts += [
            f"### {name}\n\n{_signature(each, f'archspec.{name}')}\n{_docstring(each)}"
            for name, each in public.items()
            if inspect.isfunction(each) and each.__module__ == f"archspec.api.{module}"
        ]
    parts.append("## Classes\n")
    parts += [_class(name, each) for name, each in public.items() if inspect.isclass(each)]
    parts.append("## Types\n")
    for module in (*(f"api.{name}" for name in (*SECTIONS, "network", "choices")), "arguments"):
        for statement, text in _documented(importlib.import_module(f"archspec.{module}")):
            parts += [
                f"### {ast.unparse(statement.target)}\n",
                _code(ast.unparse(statement.value).replace("'Setting'", "Setting")),
                f"{text}\n",
            ]
    return "\n".join(parts).rstrip() + "\n"


class _Annotation(str):
    """An annotation that `inspect` shows without quotes."""

    __repr__ = str.__str__


def _signature(function: Any, name: str) -> str:
    """A signature, on one line if it fits."""
    signature = inspect.signature(function)
    given = [
        each.replace(annotation=_Annotation(each.annotation))
        for each in signature.parameters.values()
        if each.name != "self"
    ]
    parameters = str(inspect.Signature(given))[1:-1]
    line = f"{name}({parameters}) -> {signature.return_annotation}"
    if len(line) <= 100:
        return _code(line)
    lines = re.split(r", (?=\**\w+:|/|\*,)", parameters)
    return _code("\n".join([f"{name}(", *(f"    {each}," for each in lines), f") -> {signature.return_annotation}"]))


def _code(text: str) -> str:
    quoted = text.replace("'", '"')  # as ruff formats code in Markdown
    return f"```python\n{quoted}\n```\n"


def _docstring(documented: Any) -> str:
    """A docstring as Markdown, with its `Args:` as a list."""
    parts = []
    for block in re.split(r"\n\n(?=\S)", inspect.cleandoc(documented.__doc__ or "")):
        heading, _, inside = block.partition(":\n")
        if heading == "Attributes":
            continue  # which the table of the class shows
        if heading == "Args":
            parts.append("Arguments:\n\n" + "\n".join(f"- `{name}`: {text}" for name, text in _entries(inside)))
        elif heading == "Returns":
            parts.append(f"Returns: {' '.join(inside.split())}")
        elif heading == "Raises":
            parts.append(" ".join(inside.split()).replace("ArchspecError:", "Raises `ArchspecError`:"))
        else:
            parts.append(block)
    return "\n\n".join(parts) + "\n"


def _entries(section: str) -> Iterator[tuple[str, str]]:
    """The names and meanings in an indented section `name: meaning`."""
    for entry in re.split(r"^    (?=\S)", section, flags=re.MULTILINE)[1:]:
        names, _, meaning = " ".join(entry.split()).partition(": ")
        yield from ((name, meaning) for name in names.split(", "))


def _class(name: str, documented: type[Any]) -> str:
    """A class with its attributes as a table, and its methods."""
    _, _, attributes = inspect.cleandoc(documented.__doc__ or "").partition("\n\nAttributes:\n")
    meanings = dict(_entries(attributes))
    meanings.update((ast.unparse(statement.target), text) for statement, text in _documented(documented))
    rows, methods = [], []
    if "__dataclass_fields__" in vars(documented):  # those of a base class are documented there
        for field in dataclasses.fields(documented):
            if field.name.startswith("_"):
                continue
            meaning = field.metadata.get("doc") or meanings.get(field.name, "")
            rows.append((field.name, field.type, meaning))
    for each, value in vars(documented).items():
        function = getattr(value, "fget", None) or getattr(value, "func", None)
        if each.startswith("_"):
            continue
        if function is not None:
            rows.append((each, function.__annotations__["return"], inspect.cleandoc(value.__doc__ or "")))
        elif inspect.isfunction(value):
            methods.append(f"#### {name}.{each}\n\n{_signature(value, each)}\n{_docstring(value)}")
    table = [
        f"| `{each}` | `{kind}` | {' '.join(text.partition(2 * chr(10))[0].split())} |".replace(" | None`", "` or None")
        for each, kind, text in rows
    ]
    head = ["| attribute | type | meaning |", "|---|---|---|"] if rows else []
    return "\n".join([f"### {name}\n", _docstring(documented), *head, *table, *([""] if rows else []), *methods])


def _documented(documented: Any) -> Iterator[tuple[ast.AnnAssign, str]]:
    """The annotated assignments of a class or a module that a string follows, and that string."""
    tree: Any = ast.parse(inspect.getsource(documented))
    for before, after in itertools.pairwise(tree.body if inspect.ismodule(documented) else tree.body[0].body):
        if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr):
            yield before, inspect.cleandoc(ast.literal_eval(after.value))
