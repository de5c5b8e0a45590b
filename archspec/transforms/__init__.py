"""The transforms of images. Importing this package declares them all, plugins of `archspec.transforms` included."""

from __future__ import annotations

from importlib import import_module

from archspec.plugins import load_plugins
from archspec.transforms.base import REGISTRY, Transform

for _module in ("color", "crop", "erase", "flip", "mix", "rand_augment", "resize", "resized_crop", "values"):
    import_module(f"archspec.transforms.{_module}")
load_plugins("archspec.transforms", "transform")

TRANSFORMS: dict[str, type[Transform]] = dict(sorted(REGISTRY.items()))
"""Every transform under its name."""

__all__ = ["TRANSFORMS", "Transform"]
