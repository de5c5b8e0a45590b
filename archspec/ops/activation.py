"""Activations: functions of `keras.activations` under their names, and prelu; softmax and others along an axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, ClassVar

from archspec.declare import BOOLEAN, INTEGER, NUMBER, POSITIVE_NUMBER, Schema, arg, declared
from archspec.ops.base import (
    EVERYTHING,
    POINTWISE,
    Functional,
    Layer,
    Op,
    OpError,
    Shape,
    View,
    Weight,
    keras_axis,
    show,
)

NOT_NEGATIVE: Schema = {"type": "number", "minimum": 0}
CEILING: Schema = {"type": ["number", "null"], "minimum": 0}
AXES: Schema = {"type": ["array", "null"], "items": INTEGER, "minItems": 1}


@declared
class Activation(Op):
    """A function of `keras.activations`, under its name and with its arguments.

    With the default arguments, it builds Keras's Activation layer; with others, the Keras layer of the function or,
    where there is none, the function of `keras.ops` followed by an Identity layer with the name.
    """

    layer: ClassVar[str | None] = None
    """The Keras layer that takes its arguments."""

    def build(self, keras: Any, name: str) -> Layer:
        arguments = vars(self)
        layer: Layer
        if all(arguments[field.name] == field.default for field in fields(self)):
            layer = keras.layers.Activation(self.name, name=name)
        elif self.layer:
            layer = getattr(keras.layers, self.layer)(**arguments, name=name)
        else:
            function = getattr(keras.ops, self.name)
            return lambda x: keras.layers.Identity(name=name)(function(x, **arguments))
        return layer

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        function = getattr(layer, "activation", None)
        if type(layer).__name__ == "Activation" and getattr(function, "__name__", None) == cls.name:
            return {} if function.__module__.startswith("keras.") else None
        given = super().from_keras(layer)
        if given is not None and type(layer).__name__ == "ReLU":
            plain_6 = layer.max_value == 6 and not layer.negative_slope and not layer.threshold
            return given if plain_6 == (cls.name == "relu6") else None
        return given


@declared
class Along(Activation):
    """Base of the activations along an axis."""

    examples = (
        ({}, [(7,)]),
        ({}, [(None, 4, 6)]),
        ({"axis": 1}, [(4, 5, 6)]),
    )

    axis: int = arg(INTEGER, "axis, from 1 because axis 0 is the batch; -1 is the channels", -1)

    def view(self, x: Shape, *others: Shape) -> View:
        return POINTWISE if self.axis in (-1, len(x)) else EVERYTHING


class Distribution(Along):
    """Base of the activations whose output is a distribution along an axis."""

    def shape(self, x: Shape, *others: Shape) -> Shape:
        if self.axis > max(len(x), 1):
            help = f"`{self.name}` has no units: write `- dense: {self.axis}` before `- {self.name}`"
            raise OpError(f"`axis: {self.axis}` is not an axis of {show(x)}", "axis", help)
        if x[keras_axis(self.axis, x)] == 1:
            raise OpError(
                f"`{self.name}` of a single value is constant: the input is {show(x)}",
                "axis",
                "use `sigmoid`, or at least two values",
            )
        return x


BY_OUTPUT = ("elu", "exponential", "relu", "relu6", "selu", "sigmoid", "tanh", "softmax", "log_softmax", "sparsemax")
"""Activations whose gradient TensorFlow computes from the output, so that it does not keep the input."""


def activation(
    name: str,
    doc: str,
    layer: str | None = None,
    example: Mapping[str, Any] | None = None,
    base: type[Activation] = Activation,
    **args: Any,
) -> None:
    """Declare the activation `name` with its arguments; `example` has values other than the defaults."""
    examples: list[Any] = [] if example is None else [(example, [(7, 3)])]
    if all(field.default is not MISSING for field in args.values()):
        examples.insert(0, ({}, [(5, 4, 3)]))
    title = name.title().replace("_", "")  # the class of the function of `keras.ops`
    namespace = {
        "__doc__": f"{doc}\n\nShapes: as its input.",
        "__module__": __name__,
        "__annotations__": dict.fromkeys(args, Any),
        "name": name,
        "layer": layer,
        "keras_layers": (title,) if layer in (None, title) else (title, layer),
        "keeps": () if name == "linear" else ("output",) if name in BY_OUTPUT else ("inputs",),
        "examples": base.examples or examples,
        **args,
    }
    made = type(title, (base,), namespace)
    globals()[title] = declared(made) if args else made


WITHOUT_ARGUMENTS = {
    "exponential": "exp(x).",
    "hard_sigmoid": "x / 6 + 1/2, clipped to [0, 1].",
    "hard_silu": "x hard_sigmoid(x) (Howard et al. 2019, section 5.2).",
    "hard_swish": "The same as `hard_silu`: x hard_sigmoid(x).",
    "hard_tanh": "x, clipped to [-1, 1].",
    "linear": "x, unchanged.",
    "log_sigmoid": "log(sigmoid(x)).",
    "mish": "x tanh(softplus(x)) (Misra 2019).",
    "selu": "1.0507 x above 0, 1.7581 (exp(x) - 1) below (Klambauer et al. 2017, equation 2).",
    "sigmoid": "1 / (1 + exp(-x)).",
    "silu": "x sigmoid(x) (Ramachandran et al. 2017).",
    "softplus": "log(exp(x) + 1).",
    "softsign": "x / (|x| + 1).",
    "sparse_plus": "0 for x <= -1, x for x >= 1, (x + 1)^2 / 4 between.",
    "sparse_sigmoid": "(x + 1) / 2, clipped to [0, 1] (Blondel et al. 2019).",
    "swish": "The same as `silu`: x sigmoid(x) (Ramachandran et al. 2017).",
    "tanh": "Hyperbolic tangent.",
    "tanh_shrink": "x - tanh(x).",
}
"""Activation -> what it computes."""

for _name, _doc in WITHOUT_ARGUMENTS.items():
    activation(_name, _doc)
activation(
    "celu",
    "max(x, 0) + min(alpha (exp(x / alpha) - 1), 0) (Barron 2017).",
    example={"alpha": 0.5},
    alpha=arg(POSITIVE_NUMBER, "scale of the negative part", 1.0),
)
activation(
    "elu",
    "x above 0, alpha (exp(x) - 1) below (Clevert et al. 2016, section 3).",
    "ELU",
    {"alpha": 0.5},
    alpha=arg(NUMBER, "scale of the negative part", 1.0),
)
activation(
    "gelu",
    "x P(X <= x) for a standard normal X (Hendrycks & Gimpel 2016, section 2).",
    example={"approximate": True},
    approximate=arg(BOOLEAN, "use the approximation by tanh from the paper", False),
)
activation(
    "hard_shrink",
    "x where |x| exceeds the threshold, 0 elsewhere.",
    example={"threshold": 0.25},
    threshold=arg(NUMBER, "largest |x| that becomes 0", 0.5),
)
activation(
    "leaky_relu",
    "x above 0, negative_slope x below (Maas et al. 2013, section 2).",
    "LeakyReLU",
    {"negative_slope": 0.01},
    negative_slope=arg(NOT_NEGATIVE, "slope below 0", 0.2),
)
activation(
    "relu",
    "Rectified linear unit, max(x, 0) (Nair & Hinton 2010; Krizhevsky et al. 2012, section 3.1).",
    "ReLU",
    {"negative_slope": 0.1, "max_value": 6, "threshold": 0.5},
    negative_slope=arg(NOT_NEGATIVE, "slope below the threshold", 0.0),
    max_value=arg(CEILING, "largest output; null for no limit", None),
    threshold=arg(NOT_NEGATIVE, "values below it are multiplied by negative_slope, after subtracting it", 0.0),
)
activation("relu6", "min(max(x, 0), 6) (Krizhevsky 2010).", "ReLU")
activation(
    "soft_shrink",
    "x moved towards 0 by the threshold; 0 where |x| is below it.",
    example={"threshold": 0.25},
    threshold=arg(NOT_NEGATIVE, "how far x is moved towards 0", 0.5),
)
activation(
    "squareplus", "(x + sqrt(x^2 + b)) / 2 (Barron 2021).", example={"b": 1}, b=arg(NOT_NEGATIVE, "smoothness", 4)
)
activation(
    "threshold",
    "x above the threshold, default_value elsewhere.",
    example={"threshold": 0.5, "default_value": -1},
    threshold=arg(NUMBER, "values up to this one are replaced"),
    default_value=arg(NUMBER, "the replacement"),
)
activation(
    "softmax", "exp(x) / sum(exp(x)) along an axis: positive values that sum to 1.", "Softmax", base=Distribution
)
activation("log_softmax", "Logarithm of the softmax along an axis.", base=Distribution)
activation(
    "sparsemax",
    "Euclidean projection onto the probability simplex along an axis: sparse (Martins & Astudillo 2016).",
    base=Distribution,
)


@declared
class PRelu(Functional):
    """x above 0, alpha x below, with a learned alpha (He et al. 2015, section 2.1).

    Shapes: as its input.
    Weights: alpha (H, W, C), with size 1 along the shared axes. One alpha for each channel, as in the paper, is
    `prelu: [1, 2]`.
    """

    name = "prelu"
    keras_layers = ("PReLU",)
    examples = (
        ({}, [(7,)]),
        ({}, [(5, 4, 3)]),
        ({"shared_axes": [1, 2]}, [(None, None, 3)]),
        ({"shared_axes": [-2]}, [(5, 4, 3)]),
    )

    shared_axes: tuple[int, ...] | None = arg(AXES, "axes that share alpha, from 1 because axis 0 is the batch", None)

    def shared(self, x: Shape) -> tuple[int, ...]:
        """Indices of the shared axes in `x`."""
        return tuple(keras_axis(axis, x, "shared_axes") for axis in self.shared_axes or ())

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        shared = self.shared(x)
        sizes = []
        for index, size in enumerate(x):
            if index not in shared and size is None:
                raise OpError(
                    f"`prelu` needs known sizes, but its input is {show(x)}",
                    "shared_axes",
                    f"share alpha along it: `shared_axes: {list(range(1, len(x)))}`",
                )
            sizes.append(1 if index in shared or size is None else size)
        return (Weight("alpha", tuple(sizes)),)

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        # Keras resolves negative axes one position too far left
        axes = [index + 1 for index in self.shared(tuple(x.shape)[1:])]
        return keras.layers.PReLU(shared_axes=axes or None, name=name)(x)


@declared
class Glu(Along):
    """Gated linear unit: the first half along an axis times the sigmoid of the second (Dauphin et al. 2017, section 2).

    Shapes: (H, W, C) -> (H, W, C / 2).
    """

    name = "glu"
    keras_layers = ("Glu",)
    examples = (
        ({}, [(8,)]),
        ({}, [(None, 4, 6)]),
        ({"axis": 1}, [(4, 5, 3)]),
    )

    def shape(self, x: Shape, *others: Shape) -> Shape:
        index = keras_axis(self.axis, x)
        size = x[index]
        if size is not None and size % 2:
            raise OpError(f"`glu` needs an even size along its axis, but the input is {show(x)}", "axis")
        return (*x[:index], None if size is None else size // 2, *x[index + 1 :])

    def build(self, keras: Any, name: str) -> Layer:
        # not Keras's Activation layer, which declares the shape of its input as its output
        return lambda x: keras.layers.Identity(name=name)(keras.ops.glu(x, axis=self.axis))
