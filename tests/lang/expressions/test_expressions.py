"""Expressions: what they are worth, what they refuse, and that no text can make them do anything else."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archspec import api
from archspec.lang.expression_functions import FUNCTIONS, LARGEST
from archspec.lang.expressions import ExpressionError, evaluate, names_in

NAMES = {"n": 3, "rate": 0.5, "flag": True, "word": "pad", "widths": [16, 32, 64], "nothing": None, "big": 10**15}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$n", 3),
        ("$word", "pad"),
        ("$widths", [16, 32, 64]),
        ("$nothing", None),
        ("$(n)", 3),
        ("$( n + 1 )", 4),
        ("$(2 * n - 1)", 5),
        ("$(-n)", -3),
        ("$(+n)", 3),
        ("$(n / 2)", 1.5),
        ("$(6 / n)", 2),
        ("$(7 // n)", 2),
        ("$(7 % n)", 1),
        ("$(2 ** n)", 8),
        ("$(2 + 3 * 4)", 14),
        ("$(n < 4)", True),
        ("$(1 < n < 3)", False),
        ("$(n == 3 and word == 'pad')", True),
        ("$(n != 3 or not flag)", False),
        ("$(n in widths)", False),
        ("$(16 in widths)", True),
        ("$(n not in [1, 2])", True),
        ("$(n if flag else 0)", 3),
        ("$(widths[0])", 16),
        ("$(widths[-1])", 64),
        ("$(widths[n - 2])", 32),
        ("$([1, [2, n]])", [1, [2, 3]]),
        ("$(widths[1:])", [32, 64]),
        ("$(widths[::-1])", [64, 32, 16]),
        ("$(widths[:-n + 2])", [16, 32]),
        ("$(len(widths))", 3),
        ("$(range(n))", [0, 1, 2]),
        ("$(range(n, 0, -2))", [3, 1]),
        ("$(sum(range(1, n + 1)))", 6),
        ("$(n in range(2, 5))", True),
        ("$(min(n, 2))", 2),
        ("$(max(widths))", 64),
        ("$(round(2.5))", 2),
        ("$(ceil(rate))", 1),
        ("$(floor(rate))", 0),
        ("$(0 if nothing else 1)", 1),
        ("$(1if flag else 0)", 1),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert evaluate(text, NAMES) == value


def test_an_exact_quotient_of_integers_is_an_integer() -> None:
    assert isinstance(evaluate("$(6 / 3)", {}), int)
    assert isinstance(evaluate("$(6.0 / 3)", {}), float)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("$", "expression", "`$` is not an expression"),
        ("${n}", "expression", "`${n}` is not an expression"),
        ("$n + 1", "expression", "`$n + 1` is not an expression"),
        ("$(n) + (n)", "expression", "`$(n) + (n)` is not an expression: unmatched ')'"),
        ("$(n", "expression", "`$(n` has an unclosed parenthesis"),
        ("$()", "expression", "`$()` is not an expression: invalid syntax"),
        ("$(n n)", "expression", "`$(n n)` is not an expression: invalid syntax"),
        ("$(n := 3)", "expression", "`$(n := 3)` is not an expression: invalid syntax"),
        ("$(m)", "expression-name", "the name `m` is not defined here"),
        ("$m", "expression-name", "the name `m` is not defined here"),
        ("$(abs(n))", "expression", "there is no function `abs` in expressions"),
        ("$(n.real)", "expression", "`n.real` is not allowed in an expression"),
        ("$(().__class__)", "expression", "`().__class__` is not allowed in an expression"),
        ("$(lambda: n)", "expression", "`lambda: n` is not allowed in an expression"),
        ("$([x for x in widths])", "expression", "`[x for x in widths]` is not allowed in an expression"),
        ("$(widths[0:1:0])", "expression", "the step of a slice must not be 0"),
        ("$(widths[rate:])", "expression", "the ends of a slice must be integers, but one is `0.5`"),
        ("$(n[1:])", "expression", "only a list can be sliced, but this is `3`"),
        ("$(len(n))", "expression", "`len` takes one list"),
        ("$(widths[:, 0])", "expression", "`widths[:, 0]` has 2 indices, but a list has one"),
        ("$(max([]))", "expression", "`max` needs at least one number"),
        ("$(range())", "expression", "`range` takes a stop, or a start and a stop, perhaps with a step, all integers"),
        (
            "$(range(1, n, 0))",
            "expression",
            "`range` takes a stop, or a start and a stop, perhaps with a step, all integers",
        ),
        ("$(range(10 ** 9))", "expression-too-large", "a list here has more than 1,000 values"),
        ("$(f'{n}')", "expression", "`f'{n}'` is not allowed in an expression"),
        ("$(min(*widths))", "expression", "`*widths` is not allowed in an expression"),
        ("$(max(n, key=n))", "expression", "`max(n, key=n)` is not allowed in an expression"),
        ("$(n ^ 2)", "expression", "expressions have no operation `^`"),
        ("$(~n)", "expression", "expressions have no operation `~`"),
        ("$(n is 3)", "expression", "expressions have no comparison `is`"),
        ("$(word + word)", "expression", "arithmetic needs numbers, but got `pad`"),
        ("$(nothing + 1)", "expression", "arithmetic needs numbers, but got nothing (null)"),
        ("$(flag + 1)", "expression", "arithmetic needs numbers, but got `True`"),
        ("$(widths * 2)", "expression", "arithmetic needs numbers, but got `[16, 32, 64]`"),
        ("$(word > 3)", "expression", "`pad` and `3` cannot be compared"),
        ("$(n in n)", "expression", "`3` and `3` cannot be compared"),
        ("$(n[0])", "expression", "only a list can be indexed, but this is `3`"),
        ("$(word[0])", "expression", "only a list can be indexed, but this is `pad`"),
        ("$(widths[3])", "expression", "index 3 is out of range for a list of 3 values"),
        ("$(widths[-4])", "expression", "index -4 is out of range for a list of 3 values"),
        ("$(widths[0.5])", "expression", "an index must be an integer, but is `0.5`"),
        ("$(widths[flag])", "expression", "an index must be an integer, but is `True`"),
        ("$(min())", "expression", "`min` needs at least one number"),
        ("$(round(1, 2))", "expression", "`round` takes one number"),
        ("$(ceil(widths))", "expression", "`ceil` takes one number"),
        ("$((-8) ** 0.5)", "expression", "`-8 ** 0.5` is not a real number"),
        ("$(sum())", "expression", "`sum` needs at least one number"),
        ("$(sum(big, big))", "expression-too-large", "a number in this expression is larger than 10^15"),
        ("$(make_divisible(n))", "expression", "`make_divisible` takes a number and a divisor"),
        (
            "$(make_divisible(n, 0))",
            "expression",
            "the divisor of `make_divisible` must be an integer of at least 1, but is `0`",
        ),
        ("$(n / 0)", "division-by-zero", "division by zero"),
        ("$(n // 0.0)", "division-by-zero", "division by zero"),
        ("$(n % (n - 3))", "division-by-zero", "division by zero"),
        ("$(0 ** -1)", "expression-too-large", "`0 ** -1` is out of range"),
        ("$(9 ** 9 ** 9)", "expression-too-large", "`9 ** 387420489` is out of range"),
        ("$(big * 2)", "expression-too-large", "a number in this expression is larger than 10^15"),
        ("$(1e14 ** 60.0)", "expression-too-large", "a number in this expression is larger than 10^15"),
        ("$(1e999)", "expression-too-large", "a number in this expression is larger than 10^15"),
        ("$(" + "1 + " * 100 + "1)", "expression-too-large", "this expression is longer than 300 characters"),
    ],
)
def test_what_is_refused(text: str, code: str, message: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        evaluate(text, NAMES)
    assert (raised.value.code, raised.value.message) == (code, message)


@pytest.mark.parametrize(
    ("channels", "rounded"),
    [(32, 32), (35.2, 32), (44.8, 48), (19.2, 24), (17.6, 16), (3, 8), (1792, 1792)],
)
def test_channels_are_rounded_as_in_efficientnet(channels: float, rounded: int) -> None:
    """To the nearest multiple, and up where that would lose more than a tenth: 19.2 becomes 24, 17.6 becomes 16."""
    assert evaluate(f"$(make_divisible({channels}, 8))", {}) == rounded


def test_a_sum_is_that_of_a_list_or_of_numbers() -> None:
    assert evaluate("$(sum([1, 2, 3.5]))", {}) == 6.5
    assert evaluate("$(sum(1, 2))", {}) == 3
    assert evaluate("$(sum(depths[:0]))", {"depths": [3, 4]}) == 0  # the layers before the first stage


def test_a_misspelt_name_or_function_is_suggested() -> None:
    for text, help in (("$widhts", "did you mean `widths`?"), ("$(cel(n))", "did you mean `ceil`?")):
        with pytest.raises(ExpressionError) as raised:
            evaluate(text, NAMES)
        assert raised.value.help == help


def test_the_names_of_an_expression_are_those_it_reads() -> None:
    assert names_in("$n") == ("n",)
    assert names_in("$(min(n, widths[i]) if flag else n)") == ("flag", "n", "widths", "i")
    assert names_in("$(min(1, 2))") == ()


SIGNS = ["**", "//", "not ", " in ", " if ", " else ", " and ", "lambda ", "9", "1e308", "0x1", "x", "__import__('os')"]
PIECES = st.sampled_from([*"()[],.:+-*/%<>=!^~'\"\\ \n\x00é", *SIGNS, *NAMES, *FUNCTIONS])


@given(st.lists(PIECES, max_size=30).map("".join))
@example("-" * 290)
@example("(" * 140 + "1" + ")" * 140)
@example("[" * 140 + "1" + "]" * 140)
@example("not " * 70 + "1")
@example("9**" * 90 + "9")
@example("big*" * 60 + "1")
@settings(max_examples=400)
def test_any_text_is_worth_a_bounded_value_or_an_error(inside: str) -> None:
    started = time.process_time()
    try:
        value = evaluate(f"$({inside})", NAMES)
    except ExpressionError:
        value = None
    numbers = value if isinstance(value, list) else [value]
    assert all(abs(each) <= LARGEST for each in numbers if isinstance(each, (int, float)))
    assert time.process_time() - started < 1


def doubled(levels: int, flat: str = "") -> str:
    """A spec whose parameters double: `p3` has 8 values."""
    lines = [f'  p{i}: "$([p{i - 1}, p{i - 1}])"' for i in range(1, levels)]
    return "\n".join(["name: net", "input: [8, 8, 3]", "params:", "  p0: [1, 2, 3]", *lines, flat])


@pytest.mark.parametrize(
    "layer",
    [
        'relu: ~, when: "$({0} == 0)"',
        "relu: ~, when: ${0}",
        "relu: ~, repeat: ${0}",
        'dense: "$({0} + 1)"',
        "conv: ${0}",
        "${0}: 3",
        "reshape: ${0}",
        "residual: {{body: [relu], shortcut: ${0}}}",
        "dense: [${0}, ${0}]",
        "block: [${0}, ${0}]",
    ],
)
@pytest.mark.parametrize("levels", [3, 4, 9, 12, 60])
def test_doubled_lists_are_refused_in_short(layer: str, levels: int, tmp_path: Path) -> None:
    blocks = 'blocks: {block: {args: [a], layers: [{relu: ~, when: "$(a == 0)"}, relu]}}\n'
    text = doubled(levels, blocks + f"layers: [{{{layer.format(f'p{levels - 1}')}}}, relu]\n")
    text += f"train: {{schedule: {{step: $p{levels - 1}}}}}\n"
    (tmp_path / "net.yaml").write_text(text)
    start = time.process_time()
    found = api.check(str(tmp_path / "net.yaml"))
    assert time.process_time() - start < 1
    assert found
    assert all(len(each.message) < 400 and len(each.help or "") < 1000 for each in found)
    if levels > 9:
        assert {each.code for each in found} <= {"expression-too-large", "wrong-type"}  # a list is no `units`


def test_lists_are_bounded_wherever_they_grow() -> None:
    many, long = list(range(1001)), "a" * 1001
    names = {"many": many, "long": long, "some": many[:400], "deep": [[[[[[[[1]]]]]]]]}
    for text in ("$many", "$(many)", "$long", "$(long == long)", "$([some, some, some])", "$([deep])", "$(1 in many)"):
        with pytest.raises(ExpressionError) as caught:
            evaluate(text, names)
        assert caught.value.code == "expression-too-large"
    assert evaluate("$([some, some])", names) == [many[:400]] * 2
    with pytest.raises(ExpressionError, match=r"but got `\[0, 1, 2, .*, \.\.\.\]`"):
        evaluate("$(some + 1)", names)
