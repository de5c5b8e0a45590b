"""Values for hostile specs: numbers at limits, words, expressions, and trees of these."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

from archspec.lang.schema.spec_schema import spec_schema
from archspec.lang.schema.structures import MODIFIERS
from archspec.ops import OPS
from archspec.protocols import PROTOCOLS
from archspec.transforms import TRANSFORMS

Json = Any

HUGE = [
    0,
    -1,
    1,
    2**31,
    2**63,
    10**15,
    10**18,
    10**18 + 1,
    10**30,
    1e308,
    -1e308,
    5e-324,
    0.1,
    float("inf"),
    float("nan"),
]
WORDS = [
    "",
    "~",
    "null",
    "true",
    "same",
    "valid",
    "none",
    "$",
    "$(",
    "$x",
    "$copy",
    "input",
    "*a",
    "&a x",
    "<<",
    "a" * 300,
]
WORDS += [
    "\u202e",
    "\x1b[2J",
    "é",
    "\U0001f600",
    "a/b",
    "../x",
    "0x10",
    "1_000",
    "1e999",
    "12:30:00",
    "2020-01-01",
    "[",
    "{",
    "%",
]
TEXTS = [
    "\t",
    "\r",
    "\0",
    "\x85",
    "\ufeff",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "&a ",
    "*a",
    "!!python/object:x ",
    "!t ",
    "? ",
    "- ",
    ": ",
]
TEXTS += ["<<: ", "|\n", ">-\n", "'", '"', "#", "@", "`", "[[[[", "{{{{", "]", "}", ",", "\n", "  "]
ATOMS = [
    "1",
    "0",
    "-1",
    "2.5",
    "x",
    "width",
    "depth",
    "rate",
    "sizes",
    "copy",
    "call",
    "channels",
    "shape",
    "'a'",
    "None",
    "True",
]
ATOMS += ["10**15", "999999999999999", "1e300", "[1, 2]", "[]", "()"]
OPERATIONS = [
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "**",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    "in",
    "not in",
    "and",
    "or",
    "@",
    "is",
    "&",
    "<<",
]
FUNCTIONS = ["min", "max", "sum", "round", "ceil", "floor", "make_divisible", "len", "open", "__import__"]


@cache
def known_keys() -> list[str]:
    """The keys of all sections, and the names of operators, transforms and protocols."""

    def of(schema: Json) -> Iterator[str]:
        if isinstance(schema, dict):
            yield from schema.get("properties", {})
            for each in schema.values():
                yield from of(each)
        elif isinstance(schema, list):
            for each in schema:
                yield from of(each)

    words = dict.fromkeys([*of(spec_schema()), *MODIFIERS, *OPS, *TRANSFORMS, *PROTOCOLS])
    return [str(word) for word in words]


def expression(random: Random, depth: int = 0) -> str:
    """The inside of `$(...)`."""
    if depth > 3 or random.random() < 0.3:
        return random.choice(ATOMS)
    inner = [expression(random, depth + 1) for _ in range(3)]
    forms = [
        f"{inner[0]} {random.choice(OPERATIONS)} {inner[1]}",
        f"({inner[0]})",
        f"-{inner[0]}",
        f"not {inner[0]}",
        f"{inner[0]} if {inner[1]} else {inner[2]}",
        f"{inner[0]}[{inner[1]}]",
        f"[{inner[0]}, {inner[1]}]",
        f"{random.choice(FUNCTIONS)}({inner[0]}, {inner[1]})",
        f"{random.choice(FUNCTIONS)}({inner[0]})",
        f"{inner[0]}.real",
        f"lambda: {inner[0]}",
        f"{inner[0]} for x in {inner[1]}",
    ]
    return random.choice(forms)


def odd_value(random: Random, depth: int = 0) -> Json:
    """A value of any type."""
    kind = random.randrange(12)
    if kind <= 2:
        return random.choice(HUGE)
    if kind <= 4:
        return random.choice(WORDS)
    if kind == 5:
        return f"$({expression(random)})"
    if kind == 6:
        return random.choice([None, True, False])
    if kind == 7:
        return random.randint(-3, 70)
    if kind == 8:
        return random.choice(known_keys())
    if depth > 3:
        return []
    if kind == 9:
        return [odd_value(random, depth + 1) for _ in range(random.choice((0, 1, 2, 5)))]
    return {random.choice(known_keys()): odd_value(random, depth + 1) for _ in range(random.choice((0, 1, 2, 4)))}
