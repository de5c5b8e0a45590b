"""`init:` of a recipe: the initializer of each weight, by operator or by path.

    init:
      conv: he_normal                                # the kernels of every convolution
      dense: {random_normal: {stddev: 0.01}}         # Keras's initializers, with Keras's arguments
      "conv[245]": {bias: ones}                      # other weights by name, of layers by a pattern of paths

The last rule for a weight applies. Weights without a rule are initialized as in Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from archspec.declare import NUMBER, POSITIVE_NUMBER, KerasNamed, arg, choice, declared
from archspec.lang.declarations import Json, from_one_key, head, one_key, or_expression, summary, to_one_key
from archspec.ops import weight_names

VARIANCE = {"type": ["number", "null"], "exclusiveMinimum": 0}


INITIALIZERS: dict[str, type[Initializer]] = {}
"""Every initializer under Keras's name; `stft`, which makes a Fourier transform of a dense layer, is left out."""


@declared
class Initializer(KerasNamed):
    """How a weight is initialized; the name and the arguments are those of `keras.initializers`."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not cls.__name__.startswith("_"):
            INITIALIZERS[cls.name] = cls

    def keras_arguments(self) -> dict[str, Any]:
        """The arguments of the Keras class, without the seed."""
        return dict(vars(self))


@declared
class _Normal(Initializer):
    mean: float = arg(NUMBER, "mean", 0.0)
    stddev: float = arg(POSITIVE_NUMBER, "standard deviation", 0.05)
    variance: float | None = arg(VARIANCE, "variance, instead of `stddev`", None)

    def keras_arguments(self) -> dict[str, Any]:
        stddev = self.stddev if self.variance is None else self.variance**0.5
        return {"mean": self.mean, "stddev": stddev}


@declared
class RandomNormal(_Normal):
    """Normal distribution: N(mean, stddev^2) (Krizhevsky et al. 2012, section 5: stddev 0.01)."""


@declared
class TruncatedNormal(_Normal):
    """Normal distribution; values beyond two standard deviations are drawn again."""


@declared
class RandomUniform(Initializer):
    """Uniform distribution over [minval, maxval)."""

    minval: float = arg(NUMBER, "lower bound", -0.05)
    maxval: float = arg(NUMBER, "upper bound, exclusive", 0.05)


@declared
class VarianceScaling(Initializer):
    """Variance scale / n, where n is the number of inputs or outputs of a unit (He et al. 2015, section 2.2: 2 / n)."""

    scale: float = arg(POSITIVE_NUMBER, "the factor", 1.0)
    mode: str = arg(choice("fan_in", "fan_out", "fan_avg"), "n: number of inputs, of outputs, or their mean", "fan_in")
    distribution: str = arg(
        choice("truncated_normal", "untruncated_normal", "uniform"),
        "distribution; papers usually mean `untruncated_normal`",
        "truncated_normal",
    )


@declared
class GlorotUniform(Initializer):
    """Uniform with variance 2 / (inputs + outputs) (Glorot & Bengio 2010, equation 16); Keras's default."""


@declared
class GlorotNormal(Initializer):
    """Truncated normal with variance 2 / (inputs + outputs) (Glorot & Bengio 2010, equation 12)."""


@declared
class HeNormal(Initializer):
    """Truncated normal with variance 2 / inputs (He et al. 2015, equation 10)."""


@declared
class HeUniform(Initializer):
    """Uniform with variance 2 / inputs."""


@declared
class LecunNormal(Initializer):
    """Truncated normal with variance 1 / inputs (LeCun et al. 1998, section 4.6)."""


@declared
class LecunUniform(Initializer):
    """Uniform with variance 1 / inputs."""


@declared
class Orthogonal(Initializer):
    """Matrix with orthogonal columns (Saxe et al. 2013)."""

    gain: float = arg(NUMBER, "factor of the matrix", 1.0)


@declared
class Identity(Initializer):
    """The identity matrix, for square matrices only."""

    gain: float = arg(NUMBER, "factor of the matrix", 1.0)


@declared
class Constant(Initializer):
    """The same value everywhere."""

    value: float = arg(NUMBER, "the value", 0.0)


@declared
class Zeros(Initializer):
    """0 everywhere."""


@declared
class Ones(Initializer):
    """1 everywhere (Krizhevsky et al. 2012, section 5: biases of layers 2, 4, 5 and the hidden dense ones)."""


def schema() -> Json:
    """What `init:` may hold: {OPERATOR or pattern: initializer, or {WEIGHT: initializer}}."""
    weights = {name: f"the initializer of every `{name}`" for name in weight_names()}
    names = {name: summary(each) for name, each in INITIALIZERS.items()} | weights
    return {
        **or_expression({"type": ["object", "null"]}),
        "additionalProperties": {
            "if": {"type": "string"},
            "then": {"enum": list(INITIALIZERS)},
            "else": {
                "type": "object",
                "minProperties": 1,
                "if": {"anyOf": [{"required": [name]} for name in INITIALIZERS]},
                "then": {"maxProperties": 1, "properties": {name: {"description": doc} for name, doc in names.items()}},
                "properties": {
                    **{name: head(each) for name, each in INITIALIZERS.items()},
                    **{name: {"description": doc, **one_key(INITIALIZERS)} for name, doc in weights.items()},
                },
                "additionalProperties": False,
            },
        },
    }


class Rule(NamedTuple):
    """One initializer for weights of the layers of an operator, or of the layers that match a pattern."""

    layers: str
    """The name of an operator, or a pattern of paths."""
    weight: str | None
    """Name of the weight in Keras; None for the kernels."""
    initializer: Initializer


def rules(section: Mapping[str, Any]) -> tuple[Rule, ...]:
    """`init:`, already validated, in its order."""
    found = []
    for layers, value in section.items():
        if isinstance(value, Mapping) and not set(value) & set(INITIALIZERS):
            found += [Rule(layers, name, from_one_key(each, INITIALIZERS)) for name, each in value.items()]
        else:
            found.append(Rule(layers, None, from_one_key(value, INITIALIZERS)))
    return tuple(found)


def rules_json(given: tuple[Rule, ...]) -> dict[str, Any]:
    """The rules as in a spec, with every default."""
    section: dict[str, Any] = {}
    for rule in given:
        if rule.weight is None:
            section[rule.layers] = to_one_key(rule.initializer)
        else:
            section.setdefault(rule.layers, {})[rule.weight] = to_one_key(rule.initializer)
    return section
