"""Find specs and recipes: by name if they come with archspec, else by path."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from pathlib import Path

from archspec.diagnostics import Source, did_you_mean, fail, listed
from archspec.lang.document.nodes import MappingNode
from archspec.lang.document.yaml_parser import read_text
from archspec.lang.recipes.recipe import parse_recipe

RUN_SPEC = "spec.yaml"
"""The spec in a run directory."""


def families() -> list[str]:
    """The names of the specs that come with archspec: `alexnet`, `resnet`, `vgg`, ..."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def recipes() -> list[str]:
    """The names of the recipes that come with archspec: `archspec train REF --recipe NAME`."""
    return sorted(path.stem for path in (_folder() / "recipes").glob("*.yaml"))


def split_reference(reference: str) -> tuple[str, str | None]:
    """Split a reference into spec and variant: `vgg:D` -> ("vgg", "D"). An existing path may contain a colon."""
    spec, colon, variant = reference.rpartition(":")
    if not colon or os.path.exists(reference):
        return reference, None
    return spec, variant


def read_spec(name: str) -> Source:
    """Read the text of a spec: the name of a family, the path of a file, or a run directory, for the spec in it.

    Raises:
        ArchspecError: `unknown-family`, `page-not-found`, `page-too-large`, `not-text`.
    """
    path = Path(name)
    if name not in families() and path.is_dir():
        if (path / RUN_SPEC).is_file():
            return read_text(str(path / RUN_SPEC), "spec")
        help = f"give the path of a spec, such as `{path / 'net.yaml'}`, or a run directory"
        raise fail("page-not-found", f"the folder `{name}` holds no {RUN_SPEC}", help=help)
    text = _read(name, families(), "", "spec")
    if text is None:
        notes, help = _remedy(name, families(), "give the path of your own spec: `./my-net.yaml`")
        raise fail("unknown-family", f"there is no family `{name}`", notes=notes, help=help)
    return text


def read_recipe(name: str) -> MappingNode:
    """Read a recipe: the name of one that comes with archspec, or the path of a file. Its keys are under `train`.

    Raises:
        ArchspecError: `unknown-recipe`, `not-a-recipe`, and the errors of a file that cannot be read or parsed.
    """
    text = _read(name, recipes(), "recipes/", "recipe")
    if text is None:
        notes, help = _remedy(name, recipes(), "give the path of your own recipe: `./my-recipe.yaml`")
        raise fail("unknown-recipe", f"there is no recipe `{name}`", notes=notes, help=help)
    return parse_recipe(text)


def _read(name: str, shipped: list[str], folder: str, what: str) -> Source | None:
    """None for a name that is not shipped; a path has a suffix or a folder, or exists."""
    if name in shipped:
        file = f"{folder}{name}.yaml"
        return Source(f"specs/{file}", (_folder() / file).read_text(encoding="utf-8"))
    is_path = Path(name).suffix in (".yaml", ".yml") or "/" in name or os.path.exists(name)
    return read_text(name, what) if is_path else None


def _remedy(name: str, known: list[str], own: str) -> tuple[list[str], str]:
    near = did_you_mean(name, known)
    return ([], near) if near else ([f"archspec comes with {listed(known)}"], own)


@cache
def _folder() -> Path:
    # importlib.resources would find it too, and takes longer than reading a spec
    return Path(import_module("archspec.specs").__path__[0])
