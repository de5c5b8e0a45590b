"""The operators, one module for each family. Looking a name up in OPS imports its module; plugins add to OPS.

May import diagnostics, declare and plugins; keras only as an argument of `build`.
"""

from __future__ import annotations

from collections.abc import Iterable

from archspec.module_index import WEIGHTS
from archspec.ops.base import OPS, Op, OpError, Weight


def is_merge(name: str | None) -> bool:
    """Whether the operator of that name takes several inputs; False for other names."""
    return name is not None and name in OPS and OPS[name].many


def merges() -> list[str]:
    """Names of the operators that take several inputs."""
    return list(filter(is_merge, OPS))


def weight_names() -> list[str]:
    """Names of the weights of all operators: kernel, bias, ... Imports no operator."""
    of_plugins = [op for op in OPS.imported.values() if not op.__module__.startswith("archspec.")]
    return list(dict.fromkeys([*WEIGHTS, *weights_of(of_plugins)]))


def weights_of(ops: Iterable[type[Op]]) -> list[str]:
    """Names of the weights that operators have in their examples."""
    made = ((op.make(args), inputs) for op in ops for args, inputs in op.examples)
    return list(dict.fromkeys(weight.name for op, inputs in made for weight in op.weights(*inputs)))


__all__ = ["OPS", "Op", "OpError", "Weight", "is_merge", "merges", "weight_names", "weights_of"]
