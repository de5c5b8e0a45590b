"""Cells of a label column that are not one class: lists of labels, and numbers to predict."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from archspec.diagnostics import ArchspecError, listed, printable

Error = Callable[[str, str], ArchspecError]
"""From the fact and the remedy to the error of a source."""
LIST = re.compile(r"[;|]|,(?! )")
"""What separates labels and does not occur in names: ImageNet's `tench, Tinca tinca` has a comma and a space."""
SEPARATORS = (";", "|", ",")


def check_labels(labels: Collection[str], error: Error) -> None:
    """Raises the error if the different labels of a data set look like lists of labels, or like measurements."""
    numbers = sorted((each for each in labels if _is_fraction(each)), key=float)
    if numbers and all(map(is_number, labels)):
        raise measurements(", ".join(numbers[:3]), error)
    if joined := joined_labels(labels):
        shown = listed((f"`{printable(each)}`" for each in joined), 3)
        raise several_labels(f"labels such as {shown} look like several labels of one image", error)


def several_labels(fact: str, error: Error) -> ArchspecError:
    """The error for images with several labels."""
    help = "end the network in `sigmoid` instead of `softmax` to train several labels of an image; "
    return error(fact, help + "or join the words of a single class by `_`")


def measurements(values: str, error: Error) -> ArchspecError:
    """The error for labels that are numbers with decimals, `0.13, 2.7`."""
    help = "to predict numbers, end the network in `dense` without an activation, and set `train.loss` to "
    help += "`mean_squared_error`; or group the numbers into classes, such as `low` and `high`"
    return error(f"the labels are numbers with decimals ({values}), not classes", help)


def is_number(text: str) -> bool:
    """Whether a cell is a decimal number: `12`, `-0.5`, `3e-2`."""
    return re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text) is not None


def _is_fraction(text: str) -> bool:
    return is_number(text) and not float(text).is_integer()


def joined_labels(labels: Collection[str]) -> list[str]:
    """Labels that are lists of labels: by their separators, or because their words are labels or change places."""
    lists = sorted(each for each in labels if LIST.search(each) and all(part.strip() for part in LIST.split(each)))
    if lists:
        return lists
    words = {each: re.split(r",? +", each) for each in labels if " " in each}
    alone = set(labels) - set(words)
    first, last = {each[0] for each in words.values()}, {each[-1] for each in words.values()}
    moving_or_alone = alone | (first & last)
    return sorted(each for each, parts in words.items() if len(set(parts)) > 1 and moving_or_alone.issuperset(parts))


def label_lists(
    cells: Iterable[str], fits: Callable[[Collection[str]], bool], error: Error
) -> dict[str, tuple[str, ...]]:
    """Each different cell -> its labels: `cat dog`, `cat;dog`, `cat|dog` or `cat,dog`; none for an empty cell.

    A separator that occurs anywhere in the column is the separator of all cells; otherwise labels are words.

    Args:
        fits: whether a network may have these labels, by their number or their names.

    Raises the error where the column has two separators, or where a space may be part of a name.
    """
    cells = list(cells)
    found = [mark for mark in SEPARATORS if any(mark in cell for cell in cells)]
    if len(found) > 1:
        shown = listed(f"`{printable(next(cell for cell in cells if mark in cell))}`" for mark in found)
        raise error(
            f"the labels are separated by {listed(f'`{mark}`' for mark in found)}: {shown}",
            "use one separator in all rows: `cat;dog`",
        )
    if found:
        parts = {cell: [part.strip() for part in cell.split(found[0])] for cell in cells}
        return {cell: tuple(dict.fromkeys(part for part in parts[cell] if part)) for cell in cells}
    spaced = [cell for cell in cells if " " in cell]
    sure = set(joined_labels(cells))
    doubtful = sorted(cell for cell in spaced if cell not in sure)
    words, names = {word for cell in cells for word in cell.split()}, {cell for cell in cells if cell}
    if doubtful and fits(names) and not fits(words):
        return {cell: (cell,) if cell else () for cell in cells}
    if doubtful and fits(words) == fits(names):
        raise error(
            f"`{printable(doubtful[0])}` may be one label or {len(doubtful[0].split())} labels",
            f"separate labels by `;`, as in `{';'.join(doubtful[0].split())}`, or join the words of one label by `_`",
        )
    return {cell: tuple(dict.fromkeys(cell.split())) for cell in cells}
