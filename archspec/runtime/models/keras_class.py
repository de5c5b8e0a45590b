"""Keras's classes by the names that specs use."""

from __future__ import annotations

import inspect
from typing import Any


def keras_class(module: Any, name: str) -> Any:
    """The class in a module of Keras whose name is `name` in snake case: `kl_divergence` is KLDivergence."""
    word = name.replace("_", "")
    return next(each for key, each in vars(module).items() if key.lower() == word and inspect.isclass(each))
