"""Random changes of bytes: flips, cuts, copies, and numbers at the limits of their type."""

from __future__ import annotations

import struct
from random import Random

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
