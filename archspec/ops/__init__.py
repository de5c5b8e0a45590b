"""The operators. Importing this package declares them all, plugins of group `archspec.ops` included."""

from __future__ import annotations

from importlib import import_module

from archspec.ops.base import REGISTRY, Op, OpError, Weight
from archspec.plugins import load_plugins

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


for _module in MODULES:
    import_module(f"archspec.ops.{_module}")
load_plugins("archspec.ops", "operator")

OPS: dict[str, type[Op]] = dict(sorted(REGISTRY.items()))
"""Every operator under its name."""

__all__ = ["OPS", "Op", "OpError", "Weight"]
