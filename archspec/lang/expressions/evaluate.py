"""The value of an expression: `$name` and `$(4 * filters)`.

Only the syntax that parse.py allows is evaluated: numbers, text, names, lists, arithmetic, comparison, and / or / not,
conditional expressions, indexing, and a few functions. Numbers are bounded, so `9**9**9` is an error at once.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from archspec.lang.expressions.parse import (
    ARITHMETIC,
    COMPARISON,
    FUNCTIONS,
    ExpressionError,
    is_expression,
    make_divisible,
    names_if_valid,
    names_in,
    parsed,
    undefined,
)

LARGEST = 10**15


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """The value of `$name` or `$(...)`.

    Raises ExpressionError with code expression, expression-name, expression-too-large or division-by-zero.
    """
    tree = parsed(text)
    if type(tree) is ast.Name and tree.id in names:  # most expressions are `$name`
        return _bounded(names[tree.id])
    try:
        return _value(tree, names)
    except OverflowError:
        raise _too_large() from None


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return _bounded(value)
        case ast.Name(id=name):
            if name not in names:
                raise undefined(name, names)
            return _bounded(names[name])
        case ast.BinOp(left=left, op=op, right=right):
            return _bounded(_arithmetic(op, _value(left, names), _value(right, names)))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            number = _number(_value(operand, names))
            return -number if isinstance(sign, ast.USub) else number
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, names)
        case ast.BoolOp(op=op, values=values):
            result = None
            for part in values:
                result = _value(part, names)
                if bool(result) != isinstance(op, ast.And):
                    break
            return result
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _compare(_value(left, names), ops, [_value(part, names) for part in comparators])
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test, names) else orelse, names)
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_value(part, names) for part in parts]
        case ast.Subscript(value=of, slice=index):
            return _item(_value(of, names), _value(index, names))
        case ast.Call(func=ast.Name(id=function), args=args):
            return _bounded(_call(function, [_value(part, names) for part in args]))
    raise AssertionError(f"`parsed` let {ast.dump(node)} through")


def _bounded(value: Any) -> Any:
    if isinstance(value, (int, float)) and not abs(value) <= LARGEST:
        raise _too_large()
    return value


def _too_large() -> ExpressionError:
    return ExpressionError("a number in this expression is larger than 10^15", "expression-too-large")


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExpressionError(f"arithmetic needs numbers, but got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    return "nothing (null)" if value is None else f"`{value}`"


def _arithmetic(op: ast.operator, a: Any, b: Any) -> Any:
    a, b = _number(a), _number(b)
    if isinstance(op, (ast.Div, ast.FloorDiv, ast.Mod)) and b == 0:
        raise ExpressionError("division by zero", "division-by-zero")
    if isinstance(op, ast.Div):
        # an exact quotient of integers stays an integer: $(filters / 2) can be a number of filters
        return a // b if isinstance(a, int) and isinstance(b, int) and a % b == 0 else a / b
    if isinstance(op, ast.Pow):
        if abs(b) > 64 or (a == 0 and b < 0):
            raise ExpressionError(f"`{a} ** {b}` is out of range", "expression-too-large")
        result = a**b
        if isinstance(result, complex):
            raise ExpressionError(f"`{a} ** {b}` is not a real number")
        return result
    return ARITHMETIC[type(op)][1](a, b)


def _compare(left: Any, ops: list[ast.cmpop], rights: list[Any]) -> bool:
    for op, right in zip(ops, rights, strict=True):
        try:
            if not COMPARISON[type(op)](left, right):
                return False
        except TypeError:
            raise ExpressionError(f"{_shown(left)} and {_shown(right)} cannot be compared") from None
        left = right
    return True


def _item(of: Any, index: Any) -> Any:
    if not isinstance(of, (list, tuple)):
        raise ExpressionError(f"only a list can be indexed, but this is {_shown(of)}")
    if isinstance(index, bool) or not isinstance(index, int):
        raise ExpressionError(f"an index must be an integer, but is {_shown(index)}")
    if not -len(of) <= index < len(of):
        raise ExpressionError(f"index {index} is out of range for a list of {len(of)}")
    return of[index]


def _call(function: str, args: list[Any]) -> Any:
    numbers = args[0] if len(args) == 1 and isinstance(args[0], (list, tuple)) else args
    for number in numbers:
        _number(number)
    if function == "make_divisible":
        if len(args) != 2:
            raise ExpressionError("`make_divisible` takes a number and a divisor")
        return make_divisible(*args)
    if function in ("min", "max", "sum"):
        if not numbers:
            raise ExpressionError(f"`{function}` needs at least one number")
        return FUNCTIONS[function](numbers)
    if len(args) != 1 or numbers is not args:
        raise ExpressionError(f"`{function}` takes one number")
    return FUNCTIONS[function](args[0])


__all__ = [
    "FUNCTIONS",
    "LARGEST",
    "ExpressionError",
    "evaluate",
    "is_expression",
    "names_if_valid",
    "names_in",
    "undefined",
]
