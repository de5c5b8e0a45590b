"""Numbers to predict: an output without an activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.declare import declared
from archspec.diagnostics import counted, fail, listed, printable
from archspec.targets.base import NUMBER_LOSSES, KnownClasses, Labels, Target, label_error
from archspec.targets.label_column import LabelColumn
from archspec.targets.label_text import is_number

if TYPE_CHECKING:
    import numpy.typing as npt


@declared
class Numbers(Target):
    """One or several numbers for each image. The output has no activation, and the recipe has a loss of numbers.

    Metrics: R2, the share of the variance that is explained; the root mean squared error and the mean absolute error,
    in the units of the labels. Of several numbers each is computed for every
    column, and averaged over the columns.
    """

    name = "numbers"
    losses = NUMBER_LOSSES
    metrics = running = ("r2", "rmse", "mae")
    activation = "linear"
    shares = False

    def fits(self, end: str, units: int, loss: str) -> bool:
        return end == "linear" and loss in NUMBER_LOSSES

    def encode(self, column: LabelColumn, units: int, data: str, known: KnownClasses | None = None) -> Labels:
        error = label_error(data, column.name)
        if column.matrix is None:
            assert column.codes is not None
            words = [cell for cell in column.present() if not is_number(cell)]
            if words:
                row = np.flatnonzero(column.codes == column.cells.index(words[0]))[0] + 1
                fact = f"the label `{printable(words[0])}` of image {row:,} is not a number"
                some = any(map(is_number, column.present()))
                classes = "to train classes, end the network in `softmax` or `sigmoid`"
                raise error(fact, "give every image a number, or remove it" if some else classes)
            values = [float(cell) if is_number(cell) else 0.0 for cell in column.cells]
            matrix = np.array(values, np.float32)[column.codes][:, None]
            names: tuple[str, ...] = ()
        else:
            matrix, names = column.matrix, column.cells
        if not np.isfinite(matrix).all():
            row = np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0] + 1
            raise error(f"the label of image {row:,} is not a finite number", "remove such images")
        if matrix.shape[1] != units or (known and known.names != names):
            have = f": {listed(map(printable, names), 5)}" if names else ""
            raise fail(
                "classes-mismatch",
                f"the network predicts {counted(units, 'number')}, but `{printable(data)}` has {matrix.shape[1]}{have}",
                help=f"end the network in `dense: {matrix.shape[1]}`",
            )
        return Labels(names, matrix)

    def described(self, class_names: Sequence[str], units: int) -> str:
        return counted(units, "number")

    def counts(self, tf: Any, scores: Any, labels: Any, center: Any, *, running: bool) -> Any:
        wrong, from_center = tf.cast(scores, tf.float32) - labels, labels - center
        sums = [wrong**2, tf.abs(wrong), from_center, from_center**2]
        return tf.concat([tf.reduce_sum(each, axis=0) for each in sums], axis=0)

    def figures(self, counts: npt.NDArray[np.float64], examples: float, units: int) -> Mapping[str, float]:
        if not examples:
            return dict.fromkeys(self.metrics, float("nan"))
        squares, absolute, offset, spread = np.asarray(counts, float).reshape(4, units)
        variance = spread - offset**2 / examples
        explained = np.where(variance > 0, 1 - squares / np.where(variance > 0, variance, 1), np.nan)
        return {
            "r2": float(explained.mean()),
            "rmse": float(np.sqrt(squares / examples).mean()),
            "mae": float((absolute / examples).mean()),
        }

    def count(self, units: int, *, running: bool) -> int:
        return 4 * units
