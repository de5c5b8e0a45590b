"""Labels that are not classes: several labels of an image, and numbers to predict. Every source refuses them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from archspec.diagnostics import ArchspecError, listed, printable

Error = Callable[[str, str], ArchspecError]
"""From the fact and the remedy to the error of a source."""
LIST = re.compile(r"[;|]|,(?! )")
"""What separates labels and does not occur in names: ImageNet's `tench, Tinca tinca` has a comma and a space."""


def check_labels(labels: Collection[str], error: Error) -> None:
    """Raises the error if the different labels of a data set look like lists of labels, or like measurements."""
    numbers = sorted((each for each in labels if _is_fraction(each)), key=float)
    if numbers and all(map(_is_number, labels)):
        raise measurements(", ".join(numbers[:3]), error)
    if joined := _joined(labels):
        shown = listed((f"`{printable(each)}`" for each in joined), 3)
        raise several_labels(f"labels such as {shown} look like several labels of one image", error)


def several_labels(fact: str, error: Error) -> ArchspecError:
    """The error for images with several labels."""
    help = "archspec trains classifiers, with one class for each image; join the words of a single class by `_`"
    return error(fact, help)


def measurements(values: str, error: Error) -> ArchspecError:
    """The error for labels that are numbers with decimals, `0.13, 2.7`."""
    help = "archspec trains classifiers and has no regression: group the numbers into classes, such as `low` and `high`"
    return error(f"the labels are numbers with decimals ({values}), not classes", help)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text) is not None


def _is_fraction(text: str) -> bool:
    return _is_number(text) and not float(text).is_integer()


def _joined(labels: Collection[str]) -> list[str]:
    """Labels that are lists of labels: by their separators, or because their words are labels or change places."""
    lists = sorted(each for each in labels if LIST.search(each) and all(part.strip() for part in LIST.split(each)))
    if lists:
        return lists
    words = {each: re.split(r",? +", each) for each in labels if " " in each}
    alone = set(labels) - set(words)
    first, last = {each[0] for each in words.values()}, {each[-1] for each in words.values()}
    moving_or_alone = alone | (first & last)
    return sorted(each for each, parts in words.items() if len(set(parts)) > 1 and moving_or_alone.issuperset(parts))
