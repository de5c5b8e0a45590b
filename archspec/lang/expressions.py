"""Expressions: `$name`, or `$(4 * filters)` with Python's syntax, limited to arithmetic on bounded numbers.

Python's parser makes the tree. Syntax that is not listed here is rejected before anything is evaluated: numbers, text,
names, lists, arithmetic, comparison, and / or / not, conditional expressions, indexing, and a few functions are left.
Numbers are bounded, so `9**9**9` is an error at once, and so are lists, which could double in each parameter.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from archspec.diagnostics import Span, did_you_mean, fail, listed, short

T = TypeVar("T")

MAX_LENGTH = 300


class ExpressionError(ValueError):
    """An invalid expression: error code, message and, if known, the remedy."""

    def __init__(self, message: str, code: str = "expression", help: str | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.help = message, code, help


def is_expression(value: Any) -> bool:
    """Whether a scalar of a spec is an expression: text that starts with `$`."""
    return isinstance(value, str) and value.startswith("$")


# ---- operations and functions ------------------------------------------------------------------------------------

_NAME = re.compile(r"\$([A-Za-z_]\w*)\Z")
_PARENTHESES = re.compile(r"\$\((.*)\)\Z", re.DOTALL)

ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
COMPARISON: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


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
}


# ---- trees ---------------------------------------------------------------------------------------------------------


def names_in(text: str) -> list[str]:
    """The names that an expression reads, in order. Raises ExpressionError when it cannot be parsed."""
    tree = list(ast.walk(parsed(text)))
    called = {node.func for node in tree if isinstance(node, ast.Call)}
    return list(dict.fromkeys(node.id for node in tree if isinstance(node, ast.Name) and node not in called))


def names_if_valid(value: Any) -> list[str]:
    """The names that a value reads; none for a value that is not an expression or cannot be parsed."""
    try:
        return names_in(value) if is_expression(value) else []
    except ExpressionError:
        return []


ELSEWHERE = {
    "copy": "`copy` is defined only in the arguments of a layer with `repeat`",
    "call": "`call` is defined only inside a block",
}
"""Names that are defined in some places only."""


def undefined(name: str, names: Iterable[str]) -> ExpressionError:
    """The error for a name that is not in `names`."""
    known = sorted(names)
    here = f"; the names defined here are: {listed(known)}" if known else ""
    help = ELSEWHERE.get(name) or did_you_mean(name, known) or f"declare it under `params`{here}"
    return ExpressionError(f"the name `{name}` is not defined here", "expression-name", help)


@lru_cache(maxsize=4096)
def parsed(text: str) -> ast.expr:
    """The tree of an expression. Raises ExpressionError."""
    name = _NAME.match(text)
    if name:
        return ast.Name(name[1])
    inside = _PARENTHESES.match(text)
    if not inside:
        if text.startswith("$(") and text.count("(") > text.count(")"):
            raise ExpressionError(
                f"`{text}` has an unclosed parenthesis",
                help='close it; inside braces or brackets, quote an expression that has a comma: "$(min(a, b))"',
            )
        raise ExpressionError(f"`{text}` is not an expression", help="write `$name` or `$(4 * name)`")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"this expression is longer than {MAX_LENGTH} characters", "expression-too-large")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python would warn of `1if x else 2`
            tree = ast.parse(inside[1].strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it cannot be parsed"
        raise ExpressionError(f"`{text}` is not an expression: {reason}") from None
    for node in ast.walk(tree):
        _check(node)
    return tree


_PARTS = (ast.Name, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.List, ast.Tuple, ast.Subscript)
_SIGNS: tuple[type[ast.AST], ...] = (
    ast.USub,
    ast.UAdd,
    ast.Not,
    ast.And,
    ast.Or,
    ast.Load,
    ast.Div,
    ast.Pow,
    *ARITHMETIC,
    *COMPARISON,
)


def _check(node: ast.AST) -> None:
    """Raises ExpressionError for Python syntax that expressions do not allow."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return
        case ast.Call(func=ast.Name(id=function), keywords=[]):
            if function not in FUNCTIONS:
                help = did_you_mean(function, FUNCTIONS) or f"the functions are: {listed(FUNCTIONS)}"
                raise ExpressionError(f"there is no function `{function}` in expressions", help=help)
        case ast.operator() | ast.unaryop() | ast.boolop() | ast.expr_context() | ast.cmpop():
            if not isinstance(node, _SIGNS):
                kind = "comparison" if isinstance(node, ast.cmpop) else "operation"
                raise ExpressionError(
                    f"expressions have no {kind} `{_sign(node)}`",
                    help="the operations are + - * / // % **, == != < <= > >=, in, and, or, not",
                )
        case _ if not isinstance(node, _PARTS):
            raise ExpressionError(
                f"`{ast.unparse(node)}` is not allowed in an expression",
                help=f"use arithmetic, comparison, `a if b else c`, list indexing, {listed(FUNCTIONS)}",
            )


def _sign(node: ast.AST) -> str:
    """An operation as it is written."""
    x = ast.Name("x")
    if isinstance(node, ast.cmpop):
        return ast.unparse(ast.Compare(x, [node], [x]))[2:-2]
    return ast.unparse(ast.UnaryOp(node, x) if isinstance(node, ast.unaryop) else ast.BinOp(x, node, x)).strip("x ")  # type: ignore[arg-type]


# ---- values --------------------------------------------------------------------------------------------------------

LARGEST = 10**15
MAX_ITEMS = 1000  # of a list, with those of the lists inside it
MAX_LEVELS = 8  # of lists inside lists
MAX_TEXT = 1000


def value_of(value: Any, names: Mapping[str, Any], span: Span | None = None, what: str = "") -> Any:
    """The value, with the expressions in it evaluated. Raises ArchspecError at `span`; `what` begins its message."""
    try:
        if isinstance(value, list):
            values = [value_of(each, names, span, what) for each in value]
            return values if values == value else bounded(values)
        return evaluate(value, names) if is_expression(value) else value
    except ExpressionError as error:
        raise fail(error.code, what + error.message, span, help=error.help) from None


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """The value of `$name` or `$(...)`.

    Raises ExpressionError with code expression, expression-name, expression-too-large or division-by-zero.
    """
    tree = parsed(text)
    if type(tree) is ast.Name and tree.id in names:  # most expressions are `$name`
        return bounded(names[tree.id])
    try:
        return _value(tree, names)
    except OverflowError:
        raise _too_large() from None


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return bounded(value)
        case ast.Name(id=name):
            if name not in names:
                raise undefined(name, names)
            return bounded(names[name])
        case ast.BinOp(left=left, op=op, right=right):
            return bounded(_arithmetic(op, _value(left, names), _value(right, names)))
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
            return bounded([_value(part, names) for part in parts])
        case ast.Subscript(value=of, slice=index):
            return _item(_value(of, names), _value(index, names))
        case ast.Call(func=ast.Name(id=function), args=args):
            return bounded(_call(function, [_value(part, names) for part in args]))
    raise AssertionError(f"`parsed` let {ast.dump(node)} through")


def bounded(value: T) -> T:
    """The value. Raises ExpressionError (expression-too-large) for a number, list or text over the limits."""
    if isinstance(value, (int, float)):
        if not abs(value) <= LARGEST:
            raise _too_large()
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


def _too_large() -> ExpressionError:
    return ExpressionError("a number in this expression is larger than 10^15", "expression-too-large")


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExpressionError(f"arithmetic needs numbers, but got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    return "nothing (null)" if value is None else f"`{short(value)}`"


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
    return ARITHMETIC[type(op)](a, b)


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
