"""Functions of each value, under the names of `keras.ops`: sqrt, square, exp, log, abs, negative, reciprocal, clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from archspec.declare import NUMBER, arg, declared
from archspec.ops.base import Functional, OpError, Shape


class Pointwise(Functional):
    """Base of the functions of `keras.ops`: the function with the arguments, then an Identity layer with the name."""

    keeps = ("inputs",)
    function: ClassVar[str] = ""
    """Its name in `keras.ops`, by default that of the operator."""

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        return keras.layers.Identity(name=name)(getattr(keras.ops, self.function or self.name)(x, **vars(self)))


FUNCTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "abs": ("|x|.", ("Absolute", "Abs")),
    "exp": ("e to the power of x; the activation `exponential` computes the same.", ("Exp",)),
    "log": ("Natural logarithm, of positive inputs.", ("Log",)),
    "negative": ("-x.", ("Negative",)),
    "reciprocal": ("1 / x.", ("Reciprocal",)),
    "rsqrt": ("1 / sqrt(x), of positive inputs.", ("Rsqrt",)),
    "sqrt": ("Square root, of inputs of at least 0.", ("Sqrt",)),
    "square": ("x^2.", ("Square",)),
}
"""Function -> what it computes, and the operations of `keras.ops` that are read as it."""

for _name, (_doc, _read) in FUNCTIONS.items():
    _title = f"{_name.title()}Function"
    _space: dict[str, Any] = {"name": _name, "keras_layers": _read, "examples": (({}, [(5, 4, 3)]), ({}, [(None, 7)]))}
    _space |= {"__doc__": f"{_doc}\n\nShapes: as its input.", "__module__": __name__}
    _space["keeps"] = () if _name == "negative" else ("output",) if _name in ("exp", "sqrt") else ("inputs",)
    globals()[_title] = type(_title, (Pointwise,), _space)


@declared
class Clip(Pointwise):
    """x limited to the range from x_min to x_max.

    Shapes: as its input.
    """

    name = "clip"
    keras_layers = ("Clip",)
    examples = (
        ({"x_min": -0.5, "x_max": 1}, [(5, 4, 3)]),
        ({"x_min": 0, "x_max": 6}, [(None, 7)]),
    )

    x_min: float = arg(NUMBER, "smallest output")
    x_max: float = arg(NUMBER, "largest output")

    def shape(self, x: Shape, *others: Shape) -> Shape:
        if self.x_min >= self.x_max:
            raise OpError(f"`x_min` must be smaller than `x_max`: {self.x_min:g} and {self.x_max:g}", "x_min")
        return x
