"""Find specs and recipes: those that come with archspec by their names, the user's own by their paths."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from pathlib import Path

from archspec.diagnostics import Source, did_you_mean, fail, listed
from archspec.lang.document.nodes import MappingNode
from archspec.lang.document.yaml_parser import read_text
from archspec.lang.recipes.document import parse_recipe


def families() -> list[str]:
    """The names of the specs that come with archspec: `alexnet`, `resnet`, `vgg`, ..."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def recipes() -> list[str]:
    """The names of the recipes that come with archspec: `archspec train REF --recipe NAME`."""
    return sorted(path.stem for path in (_folder() / "recipes").glob("*.yaml"))


def shipped(family: str) -> Path:
    """The path of the spec of a family that comes with archspec."""
    return _folder() / f"{family}.yaml"


def split_reference(reference: str) -> tuple[str, str | None]:
    """Split a reference into spec and variant: `vgg:D` -> ("vgg", "D"). An existing path may contain a colon."""
    spec, colon, variant = reference.rpartition(":")
    if not colon or os.path.exists(reference):
        return reference, None
    return spec, variant


def read_spec(name: str) -> Source:
    """Read the text of a spec: the name of a family, or the path of a file.

    Raises:
        ArchspecError: `unknown-family`, `page-not-found`, `page-too-large`, `not-text`.
    """
    return _read("family", name, families(), "")


def read_recipe(name: str) -> MappingNode:
    """Read a recipe: the name of one that comes with archspec, or the path of a file. Its keys are under `train`.

    Raises:
        ArchspecError: `unknown-recipe`, `not-a-recipe`, and the errors of a file that cannot be read or parsed.
    """
    return parse_recipe(_read("recipe", name, recipes(), "recipes/"))


def _read(what: str, name: str, shipped: list[str], folder: str) -> Source:
    """`name` is a path when it has a suffix or a folder, or when the file exists."""
    if name in shipped:
        file = f"{folder}{name}.yaml"
        return Source(f"specs/{file}", (_folder() / file).read_text(encoding="utf-8"))
    if Path(name).suffix in (".yaml", ".yml") or "/" in name or os.path.exists(name):
        return read_text(name, "page" if what == "family" else what)
    near = did_you_mean(name, shipped)
    several, own, file = {
        "family": ("families", "spec", "./my-net.yaml"),
        "recipe": ("recipes", "recipe", "./my-recipe.yaml"),
    }[what]
    raise fail(
        f"unknown-{what}",
        f"there is no {what} `{name}`",
        notes=[] if near else [f"the {several} are: {listed(shipped)}"],
        help=near or f"give the path of a {own} of your own: `{file}`",
    )


@cache
def _folder() -> Path:
    # importlib.resources would find it too, and takes longer than reading a spec
    return Path(import_module("archspec.specs").__path__[0])
