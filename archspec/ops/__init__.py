"""The operators, one module for each family. Importing this package declares them all; plugins add to OPS.

May import diagnostics, declare and plugins; keras only as an argument of `build`.
"""

from __future__ import annotations

from archspec.ops.base import OPS, Op, OpError, Weight

OPS.import_package(__name__, __path__)


def merges() -> list[str]:
    """Names of the operators that take several inputs."""
    return [name for name, op in OPS.items() if op.many]


def weight_names() -> list[str]:
    """Names of the weights that operators declare in their examples: kernel, bias, ..."""
    made = ((op.make(args), inputs) for op in OPS.values() for args, inputs in op.examples)
    return list(dict.fromkeys(weight.name for op, inputs in made for weight in op.weights(*inputs)))


__all__ = ["OPS", "Op", "OpError", "Weight", "merges", "weight_names"]
