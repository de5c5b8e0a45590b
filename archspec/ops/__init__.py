"""The operators. Importing this package declares them all, plugins of group `archspec.ops` included."""

from __future__ import annotations

from importlib import import_module, metadata

from archspec.ops.base import REGISTRY, Op, OpError, Weight

for _module in ("conv",):
    import_module(f"archspec.ops.{_module}")
for _entry_point in metadata.entry_points(group="archspec.ops"):
    _entry_point.load()

OPS: dict[str, type[Op]] = dict(sorted(REGISTRY.items()))
"""Every operator under its name."""

__all__ = ["OPS", "Op", "OpError", "Weight"]
