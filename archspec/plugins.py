"""Registries of what a spec can name, and the plugin packages that add to them.

A plugin is a module that an installed package names in an entry point of one of GROUPS. Plugins are loaded when a name
is unknown or all names are listed: to import importlib.metadata and search the installed packages takes as long as
checking a spec.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Self, TypeVar

from archspec.declare import Declared

D = TypeVar("D", bound=Declared)

GROUPS = {
    "archspec.ops": "operator",
    "archspec.transforms": "transform",
    "archspec.data_sources": "data source",
    "archspec.protocols": "evaluation protocol",
    "archspec.export_formats": "export format",
}
"""Group of entry points -> what its modules declare."""


class Registry(dict[str, type[D]]):
    """Declared classes by name. `registry[name]` loads the plugins of its group before it raises KeyError."""

    def __init__(self, group: str) -> None:
        super().__init__()
        self.group, self.noun = group, GROUPS[group]

    def add(self, declared: type[D]) -> None:
        """Add a class under its name. Raises TypeError when another module has declared that name."""
        if declared.name in self and self[declared.name].__module__ != declared.__module__:
            raise TypeError(f"the {self.noun} `{declared.name}` is declared twice")
        self[declared.name] = declared

    def import_package(self, name: str, path: Iterable[str]) -> None:
        """Import every module of a package, each of which adds its classes, and sort them by name."""
        for module in iter_modules(path):
            import_module(f"{name}.{module.name}")
        for each in sorted(self):
            self[each] = self.pop(each)

    def find(self, name: str) -> type[D] | None:
        """The class of that name, of archspec or a plugin."""
        try:
            return self[name]
        except KeyError:
            return None

    def with_plugins(self) -> Self:
        """The registry after the plugins of its group are loaded, for lists of all names."""
        load_plugins(self.group, self.noun)
        return self

    def __missing__(self, name: str) -> type[D]:
        if name in self.with_plugins():
            return self[name]
        raise KeyError(name)


@cache
def load_plugins(group: str, what: str) -> None:
    """Import the plugins of a group, once. One that fails to import is skipped, with a warning that names it."""
    from importlib.metadata import entry_points

    for entry_point in entry_points(group=group):
        try:
            entry_point.load()
        except Exception as error:  # whatever a plugin raises, specs that do not use it work
            package = entry_point.dist.name if entry_point.dist else entry_point.value
            reason = f"{type(error).__name__}: {error}"
            message = f"the {what} `{entry_point.name}` of the package `{package}` is left out: {reason}"
            warnings.warn(message, stacklevel=2)


def load_all_plugins() -> None:
    """Import the plugins of every group."""
    for group, what in GROUPS.items():
        load_plugins(group, what)
