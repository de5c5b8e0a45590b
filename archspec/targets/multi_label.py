"""Any number of labels for each image: an output with a sigmoid unit for each label."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.declare import declared
from archspec.diagnostics import counted, listed
from archspec.targets.base import BINARY_LOSSES, KnownClasses, Labels, Target, check_units, label_error
from archspec.targets.histogram import BINS, average_precision, score_histogram
from archspec.targets.label_column import LabelColumn
from archspec.targets.label_text import label_lists

if TYPE_CHECKING:
    import numpy.typing as npt


@declared
class MultiLabel(Target):
    """Any number of labels for each image. The output ends in `sigmoid`, with a unit for each label.

    Metrics: the mean over the labels of the average precision (mAP), and F1 at a probability of one half, of the
    decisions on all labels together (micro average).
    """

    name = "multi-label"
    losses = BINARY_LOSSES
    metrics = ("map", "f1")
    running = ("f1",)
    activation = "sigmoid"

    def fits(self, end: str, units: int, loss: str) -> bool:
        return units > 1 and end == "sigmoid"

    def encode(self, column: LabelColumn, units: int, data: str, known: KnownClasses | None = None) -> Labels:
        def fits(labels: Collection[str]) -> bool:
            return len(labels) == units if known is None else set(labels) <= set(known.names)

        names, values = indicators(column, data, fits)
        if known is None:
            check_units(units, names, data, column.name)
            return Labels(names, values)
        known.check(names, data)
        found = np.zeros((len(values), len(known.names)), np.float32)
        found[:, [known.names.index(name) for name in names]] = values
        return Labels(known.names, found)

    def described(self, class_names: Sequence[str], units: int) -> str:
        return counted(units, "label")

    def smoothed(self, target: Any, smoothing: float) -> Any:
        return (1 - smoothing) * target + smoothing / 2 if smoothing else target

    def activate(self, tf: Any, scores: Any) -> Any:
        return tf.sigmoid(tf.cast(scores, tf.float32))

    def counts(self, tf: Any, scores: Any, labels: Any, center: Any, *, running: bool) -> Any:
        said, true = scores >= 0, labels >= 0.5
        both = tf.reduce_sum(tf.cast(said & true, tf.float32))
        either = tf.reduce_sum(tf.cast(said, tf.float32)) + tf.reduce_sum(tf.cast(true, tf.float32))
        total = tf.stack([both, either])
        return total if running else tf.concat([total, score_histogram(tf, scores, labels)], axis=0)

    def figures(self, counts: npt.NDArray[np.float64], examples: float, units: int) -> Mapping[str, float]:
        f1 = 2 * counts[0] / counts[1] if counts[1] else float("nan")
        if len(counts) == 2:
            return {"f1": f1}
        each = [average_precision(histogram) for histogram in counts[2:].reshape(units, 2, BINS)]
        known = [value for value in each if value == value]
        return {"map": sum(known) / len(known) if known else float("nan"), "f1": f1}

    def count(self, units: int, *, running: bool) -> int:
        return 2 if running else 2 + units * 2 * BINS


def indicators(
    column: LabelColumn, data: str, fits: Callable[[Collection[str]], bool]
) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    """The labels of a column, sorted by name, and which of them each image has: float32 (N, labels), 0 or 1.

    fits: as for `label_lists`.
    """
    error = label_error(data, column.name)
    if column.matrix is not None:
        if not column.is_indicator:
            fact = f"the columns {listed(column.cells, 5)} have other values than 0 and 1"
            raise error(fact, "write 1 where an image has the label, and 0 otherwise")
        return column.cells, column.matrix
    assert column.codes is not None
    lists = label_lists(column.present(), fits, error)
    names = tuple(sorted({name for labels in lists.values() for name in labels}))
    place = {name: number for number, name in enumerate(names)}
    of_cell = np.zeros((len(column.cells), len(names)), np.float32)
    for number, cell in enumerate(column.cells):
        of_cell[number, [place[name] for name in lists.get(cell, ())]] = 1
    return names, of_cell[column.codes]
