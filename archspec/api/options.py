"""The options of the public functions: a misspelt one is an `ArchspecError` that names the nearest."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from archspec.diagnostics import did_you_mean, fail, listed

P = ParamSpec("P")
R = TypeVar("R")


def named_options(function: Callable[P, R]) -> Callable[P, R]:
    """A function that raises ArchspecError (`unknown-option`) for an option that it does not have."""
    code = function.__code__
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                options = [each for each in known if each != "self"]
                help = did_you_mean(name, options) or f"its options are: {listed(options)}"
                raise fail("unknown-option", f"`archspec.{function.__qualname__}` has no option `{name}`", help=help)
        return function(*args, **kwargs)

    return call
