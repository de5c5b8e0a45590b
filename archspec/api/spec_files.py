"""Find specs and recipes: by name if they come with archspec, else by path."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module

from archspec.diagnostics import Source, did_you_mean, fail, listed
from archspec.lang.document.nodes import MappingNode
from archspec.lang.document.yaml_parser import read_text

RUN_SPEC = "spec.yaml"
"""The spec in a run directory."""


def families() -> list[str]:
    """The names of the specs that come with archspec: `alexnet`, `resnet`, `vgg`, ..."""
    return _names("")


def recipes() -> list[str]:
    """The names of the recipes that come with archspec: `archspec train REF --recipe NAME`."""
    return _names("recipes")


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
    if name not in families() and os.path.isdir(name):
        path = os.path.join(name, RUN_SPEC)
        if os.path.isfile(path):
            return read_text(path, "spec")
        raise fail(
            "page-not-found",
            f"the folder `{name}` contains no {RUN_SPEC}",
            help=f"give the path of a spec, such as `{os.path.join(name, 'net.yaml')}`, or a run directory",
        )
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
    from archspec.lang.recipes.recipe import parse_recipe

    return parse_recipe(text)


def _read(name: str, shipped: list[str], folder: str, what: str) -> Source | None:
    """None for a name that is not shipped; a path has a suffix or a folder, or exists."""
    if name in shipped:
        file = f"{folder}{name}.yaml"
        with open(os.path.join(_folder(), file), encoding="utf-8") as text:
            return Source(f"specs/{file}", text.read())
    is_path = name.endswith((".yaml", ".yml")) or "/" in name or os.path.exists(name)
    return read_text(name, what) if is_path else None


def _remedy(name: str, known: list[str], own: str) -> tuple[list[str], str]:
    near = did_you_mean(name, known)
    return ([], near) if near else ([f"archspec comes with {listed(known, 12)}"], own)


def _names(folder: str) -> list[str]:
    files = os.listdir(os.path.join(_folder(), folder))
    return sorted(file.removesuffix(".yaml") for file in files if file.endswith(".yaml"))


@cache
def _folder() -> str:
    # neither pathlib nor importlib.resources, which take longer to import than a spec takes to be read
    return str(import_module("archspec.specs").__path__[0])
