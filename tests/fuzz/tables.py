"""Hostile text: tables of images, and lists of classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from archspec.runtime.data.class_list import read_class_list
from tests.fuzz.arrays import opens
from tests.fuzz.family import Family
from tests.fuzz.mutate import mutated

CELLS = [
    "a.png",
    "b/c.png",
    "../x.png",
    "/etc/passwd",
    "",
    " ",
    "cat",
    "dog",
    "0",
    "1",
    "0.5",
    "-1",
    "1e9",
    "train",
    "val",
    "Test",
]
CELLS += [
    "cat|dog",
    "cat dog",
    '"x"',
    'a"b',
    "a,b",
    "\0",
    "é",
    "\u202e",
    "\x1b[2J",
    "x" * 5000,
    ".",
    "..",
    "a/../b.png",
    "nan",
]
COLUMNS = [
    "path",
    "label",
    "split",
    "Filename",
    "class",
    "subset",
    "",
    "path ",
    "image",
    "id",
    '"path"',
    "labels",
    "set",
]


def _table(random: Random) -> bytes:
    comma, end = random.choice([",", ",", ",", ";", "\t"]), random.choice(["\n", "\r\n", "\r"])
    columns = random.sample(COLUMNS, random.randint(1, 4)) if random.random() < 0.5 else ["path", "label", "split"]
    rows = [columns]
    for number in range(random.choice((0, 1, 5, 30))):
        usual = [f"{number}.png", random.choice(("cat", "dog")), random.choice(("train", "val"))][: len(columns)]
        usual += [""] * (len(columns) - len(usual))
        rows.append([random.choice(CELLS) if random.random() < 0.1 else cell for cell in usual])
    if random.random() < 0.1:
        random.choice(rows).append("more")
    text = end.join(comma.join(row) for row in rows) + random.choice(["", end, end * 3])
    encoding = random.choice(["utf-8", "utf-8-sig", "utf-16", "utf-8"])
    contents = text.encode(encoding, "surrogatepass")
    return mutated(random, contents, 3) if random.random() < 0.3 else contents


def _class_list(random: Random) -> bytes:
    items: list[Any] = [
        "cat",
        "dog",
        "n01440764 tench, Tinca tinca",
        "",
        " ",
        3,
        None,
        ["n01440764", "tench"],
        [],
        {},
        10**400,
    ]
    names = [random.choice(items) for _ in range(random.randint(0, 5))]
    forms: list[Any] = [
        names,
        {str(number): name for number, name in enumerate(names)},
        {str(name): 0 for name in names},
    ]
    text = json.dumps(random.choice(forms)) if random.random() < 0.7 else "\n".join(map(str, names))
    if random.random() < 0.1:
        text = random.choice("[{") * random.choice((3, 100_000))
    return mutated(random, text.encode(), 3) if random.random() < 0.5 else text.encode()


def _lists_classes(file: Path) -> Iterator[object]:
    yield read_class_list(file)


FAMILIES = [
    Family("table", ".csv", _table, opens, weight=2),
    Family("class-list", ".json", _class_list, _lists_classes),
]
