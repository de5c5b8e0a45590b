"""Random changes of bytes (flips, cuts, copies, numbers at the limits of their type) and of JSON values."""

from __future__ import annotations

import copy
import json
import struct
from random import Random
from typing import Any

NUMBERS = [
    struct.pack(form, value)
    for form, values in {
        "<I": (0, 1, 2**31 - 1, 2**31, 2**32 - 1),
        ">I": (1, 2**31 - 1, 2**32 - 1),
        "<Q": (2**63 - 1, 2**63, 2**64 - 1, 2**40),
        "<H": (2**15, 2**16 - 1),
    }.items()
    for value in values
]


def mutated(random: Random, contents: bytes, most: int = 8) -> bytes:
    """The contents with 1 to `most` changes, most of them near the start, where headers are."""
    changed = bytearray(contents)
    for _ in range(random.randint(1, most)):
        size = len(changed)
        if not size:
            return random.randbytes(random.randint(0, 64))
        at = random.randrange(size) if random.random() < 0.5 else min(size - 1, int(random.expovariate(1 / 60)))
        kind = random.randrange(8)
        if kind <= 1:
            changed[at] ^= 1 << random.randrange(8)
        elif kind == 2:
            changed[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
        elif kind == 3:
            number = random.choice(NUMBERS)
            changed[at : at + len(number)] = number
        elif kind == 4:
            del changed[at : at + random.choice((1, 2, 4, 16, size))]
        elif kind == 5:
            changed[at:at] = changed[at : at + random.choice((1, 4, 32, 256))] * random.choice((1, 2, 50))
        elif kind == 6:
            changed[at:at] = random.randbytes(random.choice((1, 4, 100)))
        else:
            other = random.randrange(size)
            length = random.choice((1, 4, 16, 64))
            changed[at : at + length] = changed[other : other + length]
    return bytes(changed)


VALUES: list[Any] = [0, 1, -1, 3, 2**31, 2**48, 2**63, 10**30, 1.5, True, None, "x", "", [], {}, [[]], 50_000_000]
"""What takes the place of a value in a structure."""


def changed(random: Random, value: Any, changes: int) -> Any:
    """A JSON value with some values replaced, renamed or removed."""
    value = json.loads(json.dumps(value))
    for _ in range(changes):
        place = value
        for _ in range(random.randint(0, 12)):
            inner = [each for each in (place.values() if isinstance(place, dict) else place) if _has_values(each)]
            if not inner:
                break
            place = random.choice(inner)
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            continue
        key = random.choice(keys)
        kind = random.randrange(5)
        if kind == 0 and isinstance(place, dict):
            place[f"{key}x"] = place.pop(key)
        elif kind == 1:
            del place[key]
        else:
            place[key] = copy.deepcopy(random.choice(VALUES))  # which a later change may go into
    return value


def _has_values(value: Any) -> bool:
    return isinstance(value, (dict, list)) and bool(value)
