"""Class lists: files that name the classes of a network in the order of its outputs.

One name a line; the synset list of ImageNet, `n01440764 tench, Tinca tinca`; a JSON list of names; a JSON object from
numbers to names, to `["n01440764", "tench"]` as in Keras's imagenet_class_index.json, or from names to numbers.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from archspec.diagnostics import ArchspecError, counted, fail, printable

IMAGENET = 1000
"""The number of classes of ImageNet."""
MAX_BYTES = 16 << 20
HELP = "give one name per line, or JSON: a list of names, or an object from numbers to names"
SYNSET = re.compile(r"n[0-9]{8}")


class ClassName(NamedTuple):
    """A class of a list."""

    name: str
    synset: str | None = None
    """The number of ImageNet's synset, `n01440764`, if the list has it."""


def read_class_list(path: str | Path, classes: int | None = None) -> tuple[ClassName, ...]:
    """The classes of a file, in the order of the outputs.

    Args:
        path: the file.
        classes: the number of outputs; None to accept any.

    Raises:
        ArchspecError: `class-list`.
    """
    try:
        with Path(path).open("rb") as file:
            contents = file.read(MAX_BYTES + 1)
        if len(contents) > MAX_BYTES:
            raise _bad(path, "it has more than 16 MB")
        text = contents.decode("utf-8-sig")
        found = _of_json(json.loads(text)) if text.lstrip()[:1] in ("[", "{") else _of_lines(text)
    except OSError as error:
        raise _bad(path, (error.strerror or str(error)).lower()) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _bad(path, "it is not a list of classes") from error
    if not found:
        raise _bad(path, "it has no classes")
    if classes is not None and len(found) != classes:
        raise _bad(path, f"it has {counted(len(found), 'class')}, but the network has {counted(classes, 'output')}")
    return tuple(found)


def unique_names(classes: Sequence[ClassName]) -> tuple[str, ...]:
    """A different name for each class: ImageNet has two classes `crane`, which are told apart by their synsets."""
    counts, seen = Counter(each.name for each in classes), Counter[str]()
    names = []
    for each in classes:
        seen[each.name] += 1
        other = each.synset or str(seen[each.name])
        names.append(each.name if counts[each.name] == 1 else f"{each.name} ({other})")
    return tuple(names)


def imagenet_class_list() -> tuple[ClassName, ...]:
    """ImageNet's 1,000 classes (ILSVRC 2012) in the order of their synsets, as in keras.applications and torchvision.

    The names are the first words of the synsets in WordNet (Princeton University).
    """
    return read_class_list(Path(__file__).with_name("imagenet.txt"), IMAGENET)


def _of_lines(text: str) -> list[ClassName]:
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not all(lines):
        raise ValueError("an empty line")
    return [_of_text(line) for line in lines]


def _of_text(text: str) -> ClassName:
    """`tench`, `n01440764` or `n01440764 tench, Tinca tinca`, of which the first word for the class is taken."""
    first, _, rest = text.partition(" ")
    if not SYNSET.fullmatch(first):
        return ClassName(text)
    return ClassName(rest.partition(",")[0].strip() or first, first)


def _of_json(data: Any) -> list[ClassName]:
    if isinstance(data, list):
        return [_of_value(each) for each in data]
    if all(isinstance(value, int) for value in data.values()):
        data = {value: name for name, value in data.items()}
    by_number = {int(number): value for number, value in data.items()}
    return [_of_value(by_number[number]) for number in range(len(data))]


def _of_value(value: Any) -> ClassName:
    if isinstance(value, str) and value.strip():
        return _of_text(value.strip())
    synset, name = value
    if not isinstance(synset, str) or not isinstance(name, str):
        raise TypeError("not words")
    return ClassName(name.replace("_", " "), synset)


def _bad(path: str | Path, fact: str) -> ArchspecError:
    return fail("class-list", f"cannot read the classes in `{printable(str(path))}`: {fact}", help=HELP)
