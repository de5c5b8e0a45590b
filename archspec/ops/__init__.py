"""The operators. Importing this package declares them all, plugins of group `archspec.ops` included."""

from __future__ import annotations

import warnings
from importlib import import_module, metadata

from archspec.ops.base import REGISTRY, Op, OpError, Weight

MODULES = (
    "activation",
    "adaptive",
    "attention",
    "border",
    "conv",
    "dense",
    "depthwise",
    "layer_scale",
    "lrn",
    "merge",
    "norm",
    "pool",
    "regularize",
    "scale",
    "select",
    "shape",
    "shuffle",
    "softmax",
    "tokens",
    "upsample",
)


def declare_plugins() -> None:
    """Import what other packages declare. One that cannot be imported is left out, with a warning that names it."""
    for entry_point in metadata.entry_points(group="archspec.ops"):
        try:
            entry_point.load()
        except Exception as error:  # whatever a foreign package raises, the pages that do not use it work
            package = entry_point.dist.name if entry_point.dist else entry_point.value
            reason = f"{type(error).__name__}: {error}"
            warnings.warn(
                f"the operator `{entry_point.name}` of the package `{package}` is left out: {reason}", stacklevel=2
            )


for _module in MODULES:
    import_module(f"archspec.ops.{_module}")
declare_plugins()

OPS: dict[str, type[Op]] = dict(sorted(REGISTRY.items()))
"""Every operator under its name."""

__all__ = ["OPS", "Op", "OpError", "Weight"]
