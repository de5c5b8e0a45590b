"""Registries of the names in a spec, and the plugin packages that add to them.

A plugin is a module that an installed package names in an entry point of one of GROUPS. Plugins are loaded when a name
is unknown or all names are listed: to import importlib.metadata and search the installed packages takes as long as
checking a spec.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Self, TypeVar

from archspec.declare import Declared
from archspec.module_index import MODULES

D = TypeVar("D", bound=Declared)

GROUPS = {
    "archspec.ops": "operator",
    "archspec.transforms": "transform",
    "archspec.data_sources": "data source",
    "archspec.protocols": "evaluation protocol",
    "archspec.export_formats": "export format",
    "archspec.explain_methods": "explanation method",
    "archspec.targets": "target",
}
"""Group of entry points -> what its modules declare."""


CACHES: list[Callable[[], None]] = []
"""Functions that clear what was derived from declarations; called when a name is declared again."""


class Registry(Mapping[str, type[D]]):
    """Declared classes by name, sorted.

    `registry[name]` and `get` import the module that declares the name; for an unknown name they load the plugins.
    `in`, `len` and a list of the names import nothing.
    """

    def __init__(self, group: str) -> None:
        self.group, self.noun = group, GROUPS[group]
        self._modules = MODULES[group]
        self.imported: dict[str, type[D]] = {}
        """The classes of modules that are imported already."""

    def add(self, declared: type[D]) -> None:
        """Add a class under its name. Raises TypeError when another module has declared that name."""
        name, module = declared.name, declared.__module__
        known = self.imported[name].__module__ if name in self.imported else self._modules.get(name, module)
        if known != module and (name in self.imported or not module.startswith("archspec.")):
            raise TypeError(f"the {self.noun} `{name}` is declared twice")
        if name in self.imported:  # declared again in a notebook
            for clear in CACHES:
                clear()
        self.imported[name] = declared

    def with_plugins(self) -> Self:
        """The registry after the plugins are loaded, for lists of all names.

        Those of all groups: one module may declare an operator and a transform, and be named in one group only.
        """
        load_all_plugins()
        return self

    def __getitem__(self, name: str) -> type[D]:
        if name not in self.imported:
            if name in self._modules:
                import_module(self._modules[name])
            else:
                self.with_plugins()
        return self.imported[name]

    def __contains__(self, name: object) -> bool:
        return name in self._modules or name in self.imported

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._modules.keys() | self.imported.keys()))

    def __len__(self) -> int:
        return len(self._modules.keys() | self.imported.keys())


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
            message = f"the {what} `{entry_point.name}` of the package `{package}` is skipped: {reason}"
            warnings.warn(message, stacklevel=2)


def load_all_plugins() -> None:
    """Import the plugins of every group."""
    for group, what in GROUPS.items():
        load_plugins(group, what)
