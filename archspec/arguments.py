"""Checks of the arguments of public functions: kinds and ranges are those of the annotations, and nothing else.

`@public()` converts each argument to the kind of its annotation, or raises one `bad-argument` that names it. Paths of
any kind arrive as strings, numbers of NumPy as Python numbers, and a single string where a list is expected as a list
of one.
"""

from __future__ import annotations

import builtins
import collections.abc
import math
import numbers
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from itertools import zip_longest
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    ParamSpec,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    overload,
)

from archspec.diagnostics import did_you_mean, fail, listed, plural, short
from archspec.wording import describes, option

P = ParamSpec("P")
R = TypeVar("R")

CO_VARARGS, CO_VARKEYWORDS = 0x04, 0x08  # as in `inspect`, which takes long to import: the function has *args, **kwargs

LARGEST = 10**18


class Range(NamedTuple):
    """The values that a number may have: from `low` to `high`, or all positive ones."""

    low: float | None = None
    high: float = LARGEST

    def allows(self, value: float) -> bool:
        return (value > 0 if self.low is None else value >= self.low) and value <= self.high


StrPath: TypeAlias = str | os.PathLike[str]
"""A path, or the name of something that archspec comes with."""
PositiveInt: TypeAlias = Annotated[int, Range()]
"""1 or more."""
NonNegativeInt: TypeAlias = Annotated[int, Range(0)]
"""0 or more."""
PositiveFloat: TypeAlias = Annotated[float, Range()]
"""More than 0."""
Seed: TypeAlias = Annotated[int, Range(0, 4294967295)]
"""The seeds that NumPy and Keras accept: below 2^32."""


class _WrongKindError(Exception):
    """The value does not have the kind of its annotation."""


def public(**remedies: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator of public functions and methods that checks and converts their arguments.

    Args:
        remedies: argument -> the remedy where its value has the wrong kind.

    Raises:
        ArchspecError: by the function, `bad-argument`, and `unknown-option` for an option that it does not have.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        code = function.__code__
        names = code.co_varnames[: code.co_argcount]
        known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        rest = code.co_varnames[len(known)] if code.co_flags & CO_VARARGS else ""
        open_ended = bool(code.co_flags & CO_VARKEYWORDS)
        kinds: dict[str, Any] = {}

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if not kinds:
                kinds.update(_kinds(function, [*known, rest]))

            def checked(name: str, value: Any) -> Any:
                if name not in kinds:
                    return value
                try:
                    return _converted(kinds[name], value)
                except _WrongKindError:
                    raise _wrong(function.__qualname__, name, kinds[name], value, remedies.get(name)) from None

            for name in kwargs:
                if name not in known and not open_ended:
                    options = [each for each in known if each != "self"]
                    help = did_you_mean(name, options) or f"its options are: {listed(options)}"
                    fact = f"`archspec.{function.__qualname__}` has no option `{name}`"
                    raise fail("unknown-option", fact, help=help)
            given = [checked(*each) for each in zip_longest(names[: len(args)], args, fillvalue=rest)]
            named = {name: checked(name, value) for name, value in kwargs.items()}
            return function(*given, **named)

        return call

    return decorate


@overload
def as_path(path: StrPath) -> str: ...
@overload
def as_path(path: StrPath | None) -> str | None: ...
def as_path(path: StrPath | None) -> str | None:
    """A path argument as a string."""
    return None if path is None else os.fspath(path)


def as_paths(paths: StrPath | Sequence[StrPath]) -> list[str]:
    """An argument for one or several paths as strings."""
    return [os.fspath(each) for each in ([paths] if isinstance(paths, (str, os.PathLike)) else paths)]


def one_of(argument: str, value: str, known: Sequence[str]) -> str:
    """The value, if it is a known one.

    Raises:
        ArchspecError: `bad-argument`.
    """
    if value in known:
        return value
    help = did_you_mean(value, known) or f"it is one of: {listed(known)}"
    raise fail("bad-argument", f"{option(argument)} cannot be `{short(value)}`", help=help)


SHOWN = (str, int, float, NoneType, list, tuple)
"""Values that an error shows; of others it names the class."""


def _wrong(function: str, name: str, kind: Any, value: Any, remedy: str | None) -> Exception:
    choices = [each for each in get_args(kind) if isinstance(each, str)] if _origin(kind) is Literal else []
    near = did_you_mean(value, choices) if isinstance(value, str) else None
    if isinstance(value, str) and value == "":
        return fail("bad-argument", f"{option(name)} is empty", help=near or remedy or f"give {_named(kind)}")
    help = near or remedy or describes(f"archspec.{function}")
    shown = f"`{short(repr(value))}`" if isinstance(value, SHOWN) else a_kind(value)
    wanted = _named(kind)
    if isinstance(value, float) and not math.isfinite(value):
        wanted = re.sub(r"\bnumber\b", "finite number", wanted)
    return fail("bad-argument", f"{option(name)} must be {wanted}, but is {shown}", help=help)


# ---- kinds ---------------------------------------------------------------------------------------------------------


ALIASES = {"npt.NDArray": "numpy.ndarray"}


class _NotImported(type):
    """The metaclass of stand-ins for classes that are imported for annotations only, such as keras.Model."""

    def __getattr__(cls, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _NotImported(f"{cls.__name__}.{name}", (), {})

    def __getitem__(cls, item: object) -> type:
        return cls

    def __instancecheck__(cls, value: object) -> bool:
        package, _, name = ALIASES.get(cls.__name__, cls.__name__).rpartition(".")
        return any(
            each.__name__ == name and each.__module__.partition(".")[0] == (package or "archspec")
            for each in type(value).__mro__
        )


def _kinds(function: Callable[..., Any], names: Sequence[str]) -> dict[str, Any]:
    """Argument -> its annotation, evaluated."""

    class Names(dict[str, type]):
        def __missing__(self, name: str) -> type:
            if name in function.__globals__ or hasattr(builtins, name):
                raise KeyError(name)
            return _NotImported(name, (), {})

    annotations = {name: function.__annotations__[name] for name in names if name in function.__annotations__}
    return {name: eval(text, function.__globals__, Names()) for name, text in annotations.items()}


def _origin(kind: Any) -> Any:
    return get_origin(kind)


def _members(kind: Any) -> tuple[Any, ...]:
    """The kinds of a union, a list first, so that one path is converted to a list of one, and `str` within paths."""
    if _origin(kind) not in (Union, UnionType):
        return (kind,)
    members = sorted(get_args(kind), key=lambda each: _origin(each) is not collections.abc.Sequence)
    return tuple(each for each in members if each is not str or os.PathLike not in map(_origin, members))


def _converted(kind: Any, value: Any) -> Any:
    """The value as the kind says. Raises _WrongKindError."""
    members = _members(kind)
    if len(members) > 1:
        for each in members:
            try:
                return _converted(each, value)
            except _WrongKindError:
                continue
        raise _WrongKindError
    kind = members[0]
    origin, arguments = _origin(kind), get_args(kind)
    found: Any = value
    if origin is Annotated:
        found = _converted(arguments[0], value)
        fits = arguments[1].allows(found)
    elif origin is Literal:
        fits = isinstance(value, str) and value in arguments
    elif origin is os.PathLike:
        found = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
        fits = isinstance(found, str) and found != "" and "\0" not in found
    elif origin is collections.abc.Sequence:
        one = isinstance(value, (str, os.PathLike))
        fits = one or (isinstance(value, collections.abc.Iterable) and not isinstance(value, (bytes, Mapping)))
        found = tuple(_converted(arguments[0], each) for each in ([value] if one else value)) if fits else None
    elif origin is collections.abc.Mapping:
        fits = isinstance(value, Mapping)
        if fits and Any not in arguments:
            found = {_converted(arguments[0], key): _converted(arguments[1], each) for key, each in value.items()}
    elif origin is collections.abc.Callable:
        fits = callable(value)
    elif kind in (int, float):
        abstract = numbers.Integral if kind is int else numbers.Real
        fits = isinstance(value, abstract) and not isinstance(value, bool)
        found = kind(value) if fits and abs(value) <= LARGEST else value
    elif kind is str:
        fits = isinstance(value, str) and "\0" not in value
    else:
        fits = isinstance(value, origin or kind)
    if not fits:
        raise _WrongKindError
    return found


NAMES = {int: "an integer", float: "a number", str: "a string"}


def _named(kind: Any) -> str:
    """A kind in words: `a positive integer or None`."""
    members = [each for each in _members(kind) if each is not NoneType]
    words = [word for each in members for word in _words(each)]
    words += ["None"] * (NoneType in _members(kind))
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _words(kind: Any) -> list[str]:
    """What a kind that is no union may be: `["`svg`", "`png`"]`."""
    origin, arguments = _origin(kind), get_args(kind)
    if kind is bool:
        return ["True", "False"]
    if origin is Literal:
        return [f"`{each}`" for each in arguments]
    if origin is Annotated:
        base, limits = arguments
        noun = NAMES[base].partition(" ")[2]
        if limits.low is None:
            return [f"a positive {noun}"]
        high = "or more" if limits.high == LARGEST else f"to {limits.high:,}"
        return [f"{NAMES[base]} {'of' if limits.high == LARGEST else 'from'} {limits.low:,} {high}"]
    if origin is collections.abc.Sequence:
        return [f"a list of {_plural(arguments[0])}"]
    if origin is collections.abc.Mapping:
        return ["a dictionary" if Any in arguments else f"a dictionary from {' to '.join(map(_plural, arguments))}"]
    if origin in (os.PathLike, collections.abc.Callable):
        return ["a path" if origin is os.PathLike else "a function"]
    return [NAMES.get(kind) or _a(kind.__name__)]


def _plural(kind: Any) -> str:
    """A kind in the plural, without its limits: `positive integers`, `paths`."""
    if _origin(kind) is Literal:
        return " and ".join(_words(kind))
    return " or ".join(plural(_named(each).partition(" ")[2].partition(" of ")[0]) for each in _members(kind))


def a_kind(value: object) -> str:
    """The class of a value in words: `an array`."""
    name = type(value).__name__
    return _a({"ndarray": "array", "dict": "dictionary", "builtin_function_or_method": "function"}.get(name, name))


def _a(noun: str) -> str:
    return f"a{'n' * (noun[0] in 'aeiouAEIOU')} {noun}"
