"""archspec/module_index.py, from the classes in the packages of the registries."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from archspec.ops import OPS, weights_of
from archspec.plugins import Registry
from archspec.protocols import PROTOCOLS
from archspec.runtime.data.sources.source import DATA_SOURCES
from archspec.runtime.explain import EXPLAIN_METHODS
from archspec.runtime.export import EXPORT_FORMATS
from archspec.targets import TARGETS
from archspec.transforms import TRANSFORMS
from generators.pages import DOCS


def module_index() -> str:
    """archspec/module_index.py, from the classes in the packages of the registries."""
    lines = ["MODULES = {"]
    for package, registry in PACKAGES.items():
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(module.name)
        found = {
            name: each.__module__ for name, each in registry.imported.items() if each.__module__.startswith(package)
        }
        lines += [
            f'    "{registry.group}": {{',
            *(f'        "{name}": "{found[name]}",' for name in sorted(found)),
            "    },",
        ]
    text = (DOCS / "../archspec/module_index.py").read_text(encoding="utf-8")
    weights = "\n".join(f'    "{name}",' for name in weights_of(OPS.values()))
    return text.partition("MODULES = ")[0] + "\n".join(lines) + f"\n}}\n\nWEIGHTS = (\n{weights}\n)\n"


PACKAGES: dict[str, Registry[Any]] = {
    "archspec.ops": OPS,
    "archspec.transforms": TRANSFORMS,
    "archspec.protocols": PROTOCOLS,
    "archspec.runtime.data.sources": DATA_SOURCES,
    "archspec.runtime.export": EXPORT_FORMATS,
    "archspec.runtime.explain.methods": EXPLAIN_METHODS,
    "archspec.targets": TARGETS,
}
"""The package whose modules declare the classes of a registry."""
