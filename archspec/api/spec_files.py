"""Find specs and recipes: by name if they come with archspec, else by path."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module

from archspec.diagnostics import Source, did_you_mean, fail, listed, nearest
from archspec.lang.document.nodes import MappingNode
from archspec.lang.document.yaml_parser import read_text

RUN_SPEC = "spec.yaml"
"""The spec in a run directory."""


def families() -> list[str]:
    """The names of the specs that come with archspec: `alexnet`, `resnet`, `vgg`, ..."""
    return list(_names(""))


def recipes() -> list[str]:
    """The names of the recipes that come with archspec: `archspec train REF --recipe NAME`."""
    return list(_names("recipes"))


def split_reference(reference: str) -> tuple[str, str | None]:
    """Split a reference into spec and variant: `vgg:D` -> ("vgg", "D"). An existing path may contain a colon.

    Raises:
        ArchspecError: `unknown-family`, `unknown-variant` where nothing is before or after the colon.
    """
    spec, colon, variant = reference.rpartition(":")
    if not colon or os.path.exists(reference):
        return reference, None
    if not spec.strip():
        fact, help = f"`{reference}` has no family before the colon", "write FAMILY:VARIANT, such as `vgg:D`"
        raise fail("unknown-family", fact, help=help)
    if not variant.strip():
        help = f"write `{spec}`, or give one of its variants after the colon"
        raise fail("unknown-variant", f"`{reference}` has no variant after the colon", help=help)
    return spec, variant


def read_spec(name: str, variant: str | None = None) -> Source:
    """Read the text of a spec: the name of a family, the path of a file, or a run directory, for the spec in it.

    Args:
        variant: what follows the name in the reference, for the remedy of an error.

    Raises:
        ArchspecError: `unknown-family`, `page-not-found`, `page-too-large`, `not-text`.
    """
    if name not in families() and os.path.isdir(name):
        path = os.path.join(name, RUN_SPEC)
        if os.path.isfile(path):
            return read_text(path, "spec")
        from archspec.api.near_names import in_folder

        own = f"give the path of a spec, such as `{os.path.join(name, 'net.yaml')}`, or a run directory"
        own += "; give a folder of images as `--data`"
        message = f"the folder `{name}` contains no {RUN_SPEC}"
        raise fail("page-not-found", message, help=in_folder(name) or own)
    text = _read(name, families(), "", "spec", variant)
    if text is None:
        near = _data_set(name) or _meant(name, variant)
        notes = [] if near else [f"archspec comes with {listed(families(), 12)}"]
        own = "give the path of your own spec: `./my-net.yaml`"
        raise fail("unknown-family", f"there is no family `{name}`", notes=notes, help=near or own)
    return text


def _data_set(name: str) -> str | None:
    """The remedy for a data set in the place of a network."""
    from archspec.runtime.data.sources.keras_datasets import DATASETS

    known = {"digits": "digits", **{each: f"keras:{each}" for each in DATASETS}}
    found = known.get(name.lower().removeprefix("keras:").replace("-", "_"))
    return f"`{name}` is a data set: name a network first, then `--data {found}`" if found else None


def _meant(name: str, variant: str | None) -> str | None:
    """The reference that was meant by one that leads to no spec: a file of that name, else a network of archspec."""
    from archspec.api.near_names import near_file, same_stem, shipped
    from archspec.lang.spec.spec import parse

    def variants(family: str) -> list[str]:
        text = _read(family, [family], "", "spec")
        return list(parse(text).variants) if text else []

    full = f"{name}:{variant}" if variant else name
    whole = None if same_stem(name) else shipped(full, families(), variants)
    found = whole or same_stem(name) or nearest(name, families()) or near_file(name)
    if found is None:
        return None
    return f"did you mean `{found}`?" if whole or not variant else f"did you mean `{found}:{variant}`?"


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


def _read(name: str, shipped: list[str], folder: str, what: str, variant: str | None = None) -> Source | None:
    """None for a name that is not shipped; a path has a suffix or a folder, or exists."""
    if name in shipped:
        file = f"{folder}{name}.yaml"
        with open(os.path.join(_folder(), file), encoding="utf-8") as text:
            return Source(f"specs/{file}", text.read())
    is_path = name.endswith((".yaml", ".yml")) or "/" in name or os.path.exists(name)
    if is_path and _is_missing(name):
        from archspec.api.near_names import near_file, same_stem

        known = os.path.basename(name).removesuffix(".yaml").removesuffix(".yml")
        near = same_stem(name) or (known if known in shipped else near_file(name))
        other = (
            "`archspec list` shows the specs that ship with archspec"
            if what == "spec"
            else "give the path of a .yaml file, relative to the current folder"
        )
        help = f"did you mean `{near}{f':{variant}' if variant else ''}`?" if near else other
        raise fail("page-not-found", f"there is no file `{name}`", help=help)
    return read_text(name, what) if is_path else None


def _is_missing(path: str) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):  # which reading the file explains
        return False
    return False


def _remedy(name: str, known: list[str], own: str) -> tuple[list[str], str]:
    near = did_you_mean(name, known)
    return ([], near) if near else ([f"archspec comes with {listed(known, 12)}"], own)


@cache
def _names(folder: str) -> tuple[str, ...]:
    files = os.listdir(os.path.join(_folder(), folder))
    return tuple(sorted(file.removesuffix(".yaml") for file in files if file.endswith(".yaml")))


@cache
def _folder() -> str:
    # neither pathlib nor importlib.resources, which take longer to import than a spec takes to be read
    return str(import_module("archspec.specs").__path__[0])
