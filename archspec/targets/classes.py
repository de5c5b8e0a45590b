"""One of several classes for each image: a softmax output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec.declare import declared
from archspec.diagnostics import counted, listed
from archspec.targets.base import NUMBER_LOSSES, KnownClasses, Labels, Target, check_units, label_error
from archspec.targets.label_column import LabelColumn
from archspec.targets.label_text import check_labels, several_labels

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@declared
class Classes(Target):
    """One of several classes for each image. The output ends in `softmax`; without an activation it gives logits.

    Metrics: top-1, the share of images whose most probable class is the true one.
    """

    name = "classes"
    losses = ("categorical_crossentropy",)  # any loss of Keras that takes one-hot targets applies too
    metrics = running = ("top1",)
    activation = "softmax"

    def fits(self, end: str, units: int, loss: str) -> bool:
        return units > 1 and (end in ("softmax", "log_softmax") or (end == "linear" and loss not in NUMBER_LOSSES))

    def columns(self, units: int) -> int:
        return 1

    def encode(self, column: LabelColumn, units: int, data: str, known: KnownClasses | None = None) -> Labels:
        names, codes = class_codes(column, data, known)
        if known is None:
            check_units(units, names, data, column.name)
        return Labels(names, codes.astype("float32")[:, None])

    def strata(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        return values[:, 0].astype("int32")

    def compared(
        self, outputs: npt.NDArray[np.float32], values: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
        return outputs, values[:, 0].astype("int32")

    def soft(self, tf: Any, labels: Any, units: int) -> Any:
        mixed = labels.shape[-1] == units
        return tf.cast(labels, tf.float32) if mixed else tf.one_hot(tf.cast(labels[:, 0], tf.int32), units)

    def smoothed(self, target: Any, smoothing: float) -> Any:
        return (1 - smoothing) * target + smoothing / target.shape[-1] if smoothing else target

    def activate(self, tf: Any, scores: Any) -> Any:
        return tf.nn.softmax(tf.cast(scores, tf.float32))

    def counts(self, tf: Any, scores: Any, labels: Any, center: Any, *, running: bool) -> Any:
        true = tf.argmax(self.soft(tf, labels, scores.shape[-1]), axis=-1)
        right = tf.cast(tf.equal(tf.argmax(scores, axis=-1), true), tf.float32)
        return tf.reduce_sum(right)[None]

    def figures(self, counts: npt.NDArray[np.float64], examples: float, units: int) -> Mapping[str, float]:
        return {"top1": counts[0] / examples if examples else float("nan")}

    def count(self, units: int, *, running: bool) -> int:
        return 1


def class_codes(
    column: LabelColumn, data: str, known: KnownClasses | None
) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """The class names, and int32 (N,), the class of each image. Raises as `Target.encode`."""
    import numpy as np

    error = label_error(data, column.name)
    if column.matrix is not None:
        if not column.is_indicator:
            values = listed(f"{value:g}" for value in column.matrix[0])
            fact = f"the columns {listed(column.cells, 5)} are numbers ({values}), not classes"
            raise error(fact, "to predict numbers, set `train.loss` to `mean_squared_error`, without an activation")
        totals = column.matrix.sum(axis=1)
        if (totals != 1).any():
            several = int((totals > 1).sum())
            have = "has" if several == 1 else "have"
            without = counted(int((totals < 1).sum()), "image")
            fact = f"{counted(several, 'image')} {have} several labels" if several else f"no label: {without}"
            raise several_labels(fact, error)
        column = LabelColumn(column.name, column.cells, column.matrix.argmax(axis=1).astype(np.int32))
    assert column.codes is not None
    present = column.present()
    if "" in present:
        rows = np.flatnonzero(column.codes == column.cells.index(""))
        have = "image has no label: it is" if len(rows) == 1 else "images have no label: the first is"
        raise error(f"{len(rows):,} {have} number {rows[0] + 1:,}", "give every image a label, or remove it")
    check_labels(present, error)
    if known is not None:
        known.check(present, data)
    names = tuple(present) if known is None else known.names
    place = {name: number for number, name in enumerate(names)}
    numbers = np.array([place.get(cell, -1) for cell in column.cells], np.int32)
    return names, numbers[column.codes]
