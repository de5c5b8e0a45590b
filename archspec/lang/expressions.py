"""Expressions: `$name`, or `$(4 * filters)` with Python's syntax, limited to arithmetic on bounded numbers.

Python's parser makes the tree. Syntax that is not listed here is rejected before anything is evaluated: numbers, text,
names, lists, arithmetic, comparison, and / or / not, conditional expressions, indexing, and a few functions are left.
Numbers are bounded, so `9**9**9` is an error at once, and so are lists, which could double in each parameter.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from archspec.diagnostics import Span, did_you_mean, fail, listed
from archspec.lang.expression_functions import FUNCTIONS, call, item, number, section, shown, too_large
from archspec.lang.expression_functions import ExpressionError as ExpressionError
from archspec.lang.expression_functions import bounded as bounded

MAX_LENGTH = 300


def is_expression(value: Any) -> bool:
    """Whether a scalar of a spec is an expression: text that starts with `$`."""
    return isinstance(value, str) and value[:1] == "$"


# ---- operations and functions ------------------------------------------------------------------------------------

_NAME = re.compile(r"\$([A-Za-z_]\w*)\Z")
_PARENTHESES = re.compile(r"\$\((.*)\)\Z", re.DOTALL)


def _divide(a: Any, b: Any) -> Any:
    # an exact quotient of integers stays an integer: $(filters / 2) can be a number of filters
    return a // b if isinstance(a, int) and isinstance(b, int) and a % b == 0 else a / b


def _power(a: Any, b: Any) -> Any:
    if abs(b) > 64 or (a == 0 and b < 0):
        raise ExpressionError(f"`{a} ** {b}` is out of range", "expression-too-large")
    result = a**b
    if isinstance(result, complex):
        raise ExpressionError(f"`{a} ** {b}` is not a real number")
    return result


ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
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


PYTHON = {
    "int": "use `floor`, or `//` for whole quotients",
    "abs": "use `max(x, -x)`",
    "pow": "use `**`",
    "sqrt": "use `** 0.5`",
}
"""Python's functions that expressions do not have, and what to use."""


# ---- trees ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def names_in(text: str) -> tuple[str, ...]:
    """The names that an expression reads, in order. Raises ExpressionError when it cannot be parsed."""
    tree = list(ast.walk(parsed(text)))
    called = {node.func for node in tree if isinstance(node, ast.Call)}
    return tuple(dict.fromkeys(node.id for node in tree if isinstance(node, ast.Name) and node not in called))


def names_if_valid(value: Any) -> tuple[str, ...]:
    """The names that a value reads; none for a value that is not an expression or cannot be parsed."""
    try:
        return names_in(value) if is_expression(value) else ()
    except ExpressionError:
        return ()


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
        meant = text.replace("$", "").strip("{} ") if len(text) < 60 else "4 * name"
        written = f"${meant}" if meant.isidentifier() else f"$({meant})"
        raise ExpressionError(f"`{text}` is not an expression", help=f"write `{written}`")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"this expression is longer than {MAX_LENGTH} characters", "expression-too-large")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python would warn of `1if x else 2`
            tree = ast.parse(inside[1].strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it cannot be parsed"
        help = "an expression is one value in Python's syntax, such as `$(2 * filters)`"
        raise ExpressionError(f"`{text}` is not an expression: {reason}", help=help) from None
    for node in ast.walk(tree):
        _check(node)
    return tree


_PARTS = (
    ast.Name,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.List,
    ast.Tuple,
    ast.Subscript,
    ast.Slice,
)
_SIGNS: tuple[type[ast.AST], ...] = (
    ast.USub,
    ast.UAdd,
    ast.Not,
    ast.And,
    ast.Or,
    ast.Load,
    *ARITHMETIC,
    *COMPARISON,
)


def _check(node: ast.AST) -> None:
    """Raises ExpressionError for Python syntax that expressions do not allow."""
    match node:
        case ast.Subscript(slice=ast.Tuple() as several):
            raise ExpressionError(
                f"`{ast.unparse(node)}` has {len(several.elts)} indices, but a list has one",
                help="write one index or slice in each pair of brackets: `a[0][1]`",
            )
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return
        case ast.Call(func=ast.Name(id=function), keywords=[]):
            if function not in FUNCTIONS:
                help = (
                    PYTHON.get(function)
                    or did_you_mean(function, FUNCTIONS)
                    or f"the functions are: {listed(FUNCTIONS)}"
                )
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
                help=f"use arithmetic, comparison, `a if b else c`, list indexing and slicing, {listed(FUNCTIONS)}",
            )


def _sign(node: ast.AST) -> str:
    """An operation as it is written."""
    x = ast.Name("x")
    if isinstance(node, ast.cmpop):
        return ast.unparse(ast.Compare(x, [node], [x]))[2:-2]
    return ast.unparse(ast.UnaryOp(node, x) if isinstance(node, ast.unaryop) else ast.BinOp(x, node, x)).strip("x ")  # type: ignore[arg-type]


# ---- values --------------------------------------------------------------------------------------------------------


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
    try:
        return _compiled(text)(names)
    except OverflowError:
        raise too_large() from None


Compiled = Callable[[Mapping[str, Any]], Any]
"""An expression as a function of the values of its names."""


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Compiled:
    """Blocks evaluate the same expressions again and again. Raises ExpressionError."""
    return _function(parsed(text))


def _function(node: ast.expr) -> Compiled:
    match node:
        case ast.Constant(value=value):
            return lambda names: bounded(value)
        case ast.Name(id=name):
            return _name(name)
        case ast.BinOp(left=left, op=op, right=right):
            a, b, operation = _function(left), _function(right), ARITHMETIC[type(op)]
            return lambda names: bounded(_arithmetic(operation, a(names), b(names)))
        case ast.UnaryOp(op=sign, operand=operand):
            inner = _function(operand)
            if isinstance(sign, ast.Not):
                return lambda names: not inner(names)
            if isinstance(sign, ast.USub):
                return lambda names: -number(inner(names))
            return lambda names: number(inner(names))
        case ast.BoolOp(op=op, values=values):
            return _first([*map(_function, values)], isinstance(op, ast.Or))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            first, others = _function(left), [*map(_function, comparators)]
            return lambda names: _compare(first(names), ops, [each(names) for each in others])
        case ast.IfExp(test=test, body=body, orelse=orelse):
            condition, then, other = _function(test), _function(body), _function(orelse)
            return lambda names: then(names) if condition(names) else other(names)
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            items = [*map(_function, parts)]
            return lambda names: bounded([each(names) for each in items])
        case ast.Subscript(value=of, slice=ast.Slice(lower=start, upper=stop, step=step)):
            whole, ends = _function(of), [_function(end or ast.Constant(None)) for end in (start, stop, step)]
            return lambda names: section(whole(names), [end(names) for end in ends])
        case ast.Subscript(value=of, slice=index):
            whole, place = _function(of), _function(index)
            return lambda names: item(whole(names), place(names))
        case ast.Call(func=ast.Name(id=function), args=args):
            given = [*map(_function, args)]
            return lambda names: bounded(call(function, [each(names) for each in given]))
    raise AssertionError(f"`parsed` let {ast.dump(node)} through")


def _name(name: str) -> Compiled:
    def value(names: Mapping[str, Any]) -> Any:
        if name not in names:
            raise undefined(name, names)
        return bounded(names[name])

    return value


def _first(parts: list[Compiled], truth: bool) -> Compiled:
    """The first value with that truth, else the last one: `or`, `and`."""

    def value(names: Mapping[str, Any]) -> Any:
        result = None
        for part in parts:
            result = part(names)
            if bool(result) == truth:
                break
        return result

    return value


def _arithmetic(operation: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    try:
        return operation(number(a), number(b))
    except ZeroDivisionError:
        raise ExpressionError("division by zero", "division-by-zero") from None


def _compare(left: Any, ops: list[ast.cmpop], rights: list[Any]) -> bool:
    for op, right in zip(ops, rights, strict=True):
        try:
            if not COMPARISON[type(op)](left, right):
                return False
        except TypeError:
            raise ExpressionError(f"{shown(left)} and {shown(right)} cannot be compared") from None
        left = right
    return True
