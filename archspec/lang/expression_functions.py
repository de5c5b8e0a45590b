"""Functions, lists and limits of expressions: the values that they compute with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from archspec.diagnostics import counted, short

T = TypeVar("T")

LARGEST = 10**15
MAX_ITEMS = 1000  # of a list, with those of the lists inside it
MAX_LEVELS = 8  # of lists inside lists
MAX_TEXT = 1000


class ExpressionError(ValueError):
    """An invalid expression: error code, message and, if known, the remedy."""

    def __init__(self, message: str, code: str = "expression", help: str | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.help = message, code, help


def make_divisible(value: float, divisor: int) -> int:
    """The multiple of `divisor` nearest to a number of channels, never less than 90 % of it, and at least one.

    As in the code of MobileNetV2 and EfficientNet (Sandler et al. 2018; Tan & Le 2019, section 3.3).
    """
    if isinstance(divisor, float) or divisor < 1:
        raise ExpressionError(f"the divisor of `make_divisible` must be an integer of at least 1, but is `{divisor}`")
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "sum": sum,
    "round": round,
    "ceil": math.ceil,
    "floor": math.floor,
    "make_divisible": make_divisible,
    "len": len,
    "range": range,
}


def bounded(value: T) -> T:
    """The value. Raises ExpressionError (expression-too-large) for a number, list or text over the limits."""
    if isinstance(value, (int, float)):
        if not abs(value) <= LARGEST:
            raise too_large()
    elif isinstance(value, (list, tuple)):
        count = 0
        level: list[Any] = [value]
        for _ in range(MAX_LEVELS):
            count += sum(map(len, level))
            if count > MAX_ITEMS:
                raise ExpressionError(f"a list here has more than {MAX_ITEMS:,} values", "expression-too-large")
            level = [each for items in level for each in items if isinstance(each, (list, tuple))]
            if not level:
                return value
        raise ExpressionError(f"lists are nested more than {MAX_LEVELS} levels deep here", "expression-too-large")
    elif isinstance(value, str) and len(value) > MAX_TEXT:
        raise ExpressionError(f"a text here has more than {MAX_TEXT:,} characters", "expression-too-large")
    return value


def too_large() -> ExpressionError:
    return ExpressionError("a number in this expression is larger than 10^15", "expression-too-large")


def number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExpressionError(f"arithmetic needs numbers, but got {shown(value)}")
    return value


def shown(value: Any) -> str:
    return "nothing (null)" if value is None else f"`{short(value)}`"


def item(of: Any, index: Any) -> Any:
    if not isinstance(of, (list, tuple)):
        raise ExpressionError(f"only a list can be indexed, but this is {shown(of)}")
    if isinstance(index, bool) or not isinstance(index, int):
        raise ExpressionError(f"an index must be an integer, but is {shown(index)}")
    if not -len(of) <= index < len(of):
        help = f"the indices of {shown(of)} are 0 to {len(of) - 1}" if of else "check the length with `len`"
        fact = f"index {index} is out of range for a list of {counted(len(of), 'value')}"
        raise ExpressionError(fact if of else f"index {index} is out of range: the list is empty", help=help)
    return of[index]


def section(of: Any, ends: list[Any]) -> list[Any]:
    """`of[start:stop:step]`."""
    if not isinstance(of, (list, tuple)):
        raise ExpressionError(f"only a list can be sliced, but this is {shown(of)}")
    for end in ends:
        if end is not None and (isinstance(end, bool) or not isinstance(end, int)):
            raise ExpressionError(f"the ends of a slice must be integers, but one is {shown(end)}")
    if ends[2] == 0:
        raise ExpressionError("the step of a slice must not be 0")
    return list(of[slice(*ends)])


def _range(args: list[Any]) -> list[int]:
    """The integers of Python's `range`, as a list."""
    whole = [arg for arg in args if isinstance(arg, int) and not isinstance(arg, bool)]
    if len(whole) < len(args) or not 1 <= len(args) <= 3 or args[2:] == [0]:
        raise ExpressionError("`range` takes a stop, or a start and a stop, perhaps with a step, all integers")
    found = range(*whole)
    if len(found) > MAX_ITEMS:
        raise ExpressionError(f"a list here has more than {MAX_ITEMS:,} values", "expression-too-large")
    return list(found)


def call(function: str, args: list[Any]) -> Any:
    if function == "range":
        return _range(args)
    if function == "len":
        if len(args) != 1 or not isinstance(args[0], (list, tuple)):
            raise ExpressionError("`len` takes one list")
        return len(args[0])
    numbers = args[0] if len(args) == 1 and isinstance(args[0], (list, tuple)) else args
    for each in numbers:
        number(each)
    if function == "make_divisible":
        if len(args) != 2:
            raise ExpressionError("`make_divisible` takes a number and a divisor")
        return make_divisible(*args)
    if function in ("min", "max", "sum"):
        if not numbers and not (args and function == "sum"):
            raise ExpressionError(f"`{function}` needs at least one number")
        return FUNCTIONS[function](numbers)
    if len(args) != 1 or numbers is not args:
        raise ExpressionError(f"`{function}` takes one number")
    return FUNCTIONS[function](args[0])
