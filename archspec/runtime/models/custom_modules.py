"""The user's own Python modules with classes of layers that a model file names: `--custom MODULE:CLASS`."""

from __future__ import annotations

import os
import sys
from importlib import import_module, invalidate_caches
from importlib.machinery import PathFinder
from importlib.util import find_spec
from typing import Any

from archspec.diagnostics import fail

WHERE = "run archspec in the folder of MODULE.py, or install the package of the module"

_given: dict[str, bool] = {}
"""MODULE or MODULE:CLASS -> whether it has been imported."""


def use_custom(name: str) -> None:
    """Import a module before the next model is loaded: MODULE, or MODULE:CLASS for a class that is not registered.

    Raises:
        ArchspecError: `custom-layer` for another form, and for a module that is not found.
    """
    module, colon, wanted = name.partition(":")
    words = [*module.split("."), *([wanted] if colon else [])]
    if not all(word.isidentifier() for word in words) or module.endswith(".py"):
        raise fail(
            "custom-layer",
            f"`--custom {name}` does not have the form MODULE or MODULE:CLASS",
            help="write the name of a Python module without `.py`, such as `--custom layers:Scale`",
        )
    top = module.partition(".")[0]
    if top not in sys.modules and not _found(top):
        raise fail("custom-layer", f"there is no module `{top}` for `--custom {name}`", help=WHERE)
    _given.setdefault(name, False)


def _found(top: str) -> bool:
    """Whether a module or package of this name is in the current folder or installed; it is not imported."""
    here = os.getcwd()
    invalidate_caches()
    if PathFinder.find_spec(top, [here]):
        return True
    try:
        return find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def register_custom() -> None:
    """Import the modules, and let Keras know their classes by name.

    Raises:
        ArchspecError: `custom-layer` for a module that cannot be imported, or that lacks the class.
    """
    for name, done in _given.items():
        if not done:
            module, _, wanted = name.partition(":")
            _register(module, wanted)
            _given[name] = True


def _register(module: str, wanted: str) -> None:
    import keras

    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        imported = import_module(module)
    except Exception as error:  # whatever the module does
        raise fail(
            "custom-layer",
            f"the module `{module}` of `--custom` cannot be imported: {type(error).__name__}: {str(error)[:200]}",
            help=WHERE,
        ) from error
    found: dict[str, Any] = {
        name: each
        for name, each in vars(imported).items()
        if isinstance(each, type) and each.__module__ == imported.__name__ and issubclass(each, keras.layers.Layer)
    }
    if wanted:
        each = getattr(imported, wanted, None)
        if not isinstance(each, type):
            known = ", ".join(f"`{module}:{name}`" for name in found)
            fact = f"the module `{module}` of `--custom` has no class `{wanted}`"
            raise fail("custom-layer", fact, help=f"its layers are: {known}" if known else None)
        found = {wanted: each}
    objects = keras.saving.get_custom_objects()
    for name, each in found.items():
        for full in (name, f"Custom>{name}", f"{module}>{name}"):
            objects.setdefault(full, each)
