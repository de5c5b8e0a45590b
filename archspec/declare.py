"""How anything that a spec can name is declared: operators, transforms, optimizers, schedules.

A declaration is a frozen dataclass. Its fields are made by `arg`, which holds a fragment of JSON Schema, the meaning
(with units) and the default. The schema, the reference documentation and the error messages are derived from them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, ClassVar, NamedTuple, Self, TypeVar, dataclass_transform

T = TypeVar("T")

Schema = Mapping[str, Any]
"""A fragment of JSON Schema, draft-07."""

# The fragments of JSON Schema that arguments are made of.
POSITIVE: Schema = {"type": "integer", "minimum": 1}
NATURAL: Schema = {"type": "integer", "minimum": 0}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
POSITIVE_NUMBER: Schema = {"type": "number", "exclusiveMinimum": 0}
AT_LEAST_0: Schema = {"type": "number", "minimum": 0}
FRACTION: Schema = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
INSIDE: Schema = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
BOOLEAN: Schema = {"type": "boolean"}


def optional(fragment: Schema) -> Schema:
    """The fragment, or nothing: `~`."""
    return {**fragment, "type": [fragment["type"], "null"]}


def for_each_channel(item: Schema) -> Schema:
    """One value, or one for each channel: `[0.485, 0.456, 0.406]`."""
    return {**item, "type": [item["type"], "array"], "items": item, "minItems": 1}


def one_or_each(item: Schema) -> Schema:
    """`3`, or one for each spatial axis: `[1, 3]`."""
    return {
        "type": [item["type"], "array"],
        **{key: value for key, value in item.items() if key != "type"},
        "items": item,
        "minItems": 1,
        "maxItems": 3,
    }


SIZES = one_or_each(POSITIVE)


def choice(*values: str) -> Schema:
    return {"enum": list(values)}


def arg(schema: Schema, doc: str, default: Any = MISSING, summary: str | Callable[[Any], str] | None = None) -> Any:
    """Declare an argument: its fragment of JSON Schema, meaning (with units) and default.

    A bare value sets the first argument of an operator: `conv: 64`.

    summary: how a summary of a recipe names the value unless it is false or None: `weight decay {:g}`, or a function.
    """
    return dataclasses.field(default=default, metadata={"schema": schema, "doc": doc, "summary": summary})


class Declared:
    """Base of everything that a spec can name; a subclass is a frozen dataclass with a `name`
    and a docstring. The sections of a spec are declared in the same way, without a name.

    The first line of the docstring is its description. A bare value sets the first argument: `conv: 64`.
    """

    name: ClassVar[str] = ""
    registry: ClassVar[Any] = None
    """The `archspec.plugins.Registry` of the subclasses that have a name, if there is one."""

    def __init_subclass__(cls) -> None:
        if cls.registry is not None and "name" in cls.__dict__:
            cls.registry.add(cls)

    def __init__(self, *values: Any, **given: Any) -> None:
        """Set the arguments, in the order of their declaration or by name. Raises TypeError, as any function does."""
        defaults = _defaults(type(self))
        by_name = dict(zip(defaults, values, strict=False)) | given
        made = defaults | by_name
        if len(by_name) < len(values) + len(given) or len(made) > len(defaults) or MISSING in made.values():
            raise TypeError(f"{type(self).__name__} takes {list(defaults)}, but is given {values} and {given}")
        vars(self).update(made)

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"`{name}` cannot be set")

    @classmethod
    def make(cls, args: Mapping[str, Any]) -> Self:
        """One from plain values that follow the JSON Schema; lists become tuples."""
        complete(cls)
        return cls(**{key: freeze(value) for key, value in args.items()})

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__qualname__}({arguments})"


class KerasNamed(Declared):
    """A declaration under the name that Keras derives from that of its class: `mean_squared_error`."""

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


@dataclass_transform(frozen_default=True)
def declared(cls: type[T]) -> type[T]:
    """Make a frozen dataclass of a declaration.

    Its methods are those of `Declared`. To generate them for each declaration takes `dataclass` 15 times as long.
    """
    return dataclass(init=False, eq=False, repr=False, match_args=False)(cls)


def complete(cls: type[Any]) -> None:
    """Make a dataclass of a declaration whose author left `@declared` out."""
    if issubclass(cls, Declared) and vars(cls).get("name") and "__dataclass_fields__" not in vars(cls):
        declared(cls)


class Argument(NamedTuple):
    """An argument as declared by `arg`."""

    name: str
    schema: Schema
    doc: str
    default: Any

    @property
    def required(self) -> bool:
        return self.default is MISSING


def arguments(declared: type[Any]) -> tuple[Argument, ...]:
    """The arguments in the order of their declaration; the first is the bare value."""
    if declared not in _ARGUMENTS:
        complete(declared)
        fields = dataclasses.fields(declared) if dataclasses.is_dataclass(declared) else ()
        _ARGUMENTS[declared] = tuple(
            Argument(f.name, f.metadata["schema"], f.metadata["doc"], f.default) for f in fields
        )
    return _ARGUMENTS[declared]


_ARGUMENTS: dict[type[Any], tuple[Argument, ...]] = {}


def _defaults(declared: type[Any]) -> dict[str, Any]:
    if declared not in _DEFAULTS:
        _DEFAULTS[declared] = {argument.name: argument.default for argument in arguments(declared)}
    return _DEFAULTS[declared]


_DEFAULTS: dict[type[Any], dict[str, Any]] = {}


def thaw(value: Any) -> Any:
    """Tuples to lists, at every depth."""
    return [thaw(item) for item in value] if isinstance(value, (list, tuple)) else value


def freeze(value: Any) -> Any:
    """Lists to tuples, at every depth."""
    return tuple(freeze(item) for item in value) if isinstance(value, (list, tuple)) else value
