"""Two classes: an output with a single sigmoid unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.declare import declared
from archspec.diagnostics import fail, listed, printable
from archspec.targets.base import BINARY_LOSSES, KnownClasses, Labels, Target
from archspec.targets.classes import class_codes
from archspec.targets.histogram import BINS, area_under_curve, score_histogram
from archspec.targets.label_column import LabelColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@declared
class Binary(Target):
    """One of two classes for each image, by the probability of the second one. The output is a single sigmoid unit.

    Metrics: the area under the ROC curve (AUC), and the accuracy at a probability of one half.
    """

    name = "binary"
    losses = BINARY_LOSSES
    metrics = ("auc", "accuracy")
    running = ("accuracy",)
    activation = "sigmoid"

    def fits(self, end: str, units: int, loss: str) -> bool:
        return units == 1 and (end == "sigmoid" or (end == "linear" and loss in BINARY_LOSSES))

    def encode(self, column: LabelColumn, units: int, data: str, known: KnownClasses | None = None) -> Labels:
        names, codes = class_codes(column, data, known)
        if len(names) != 2:
            what = f"the output `{column.name}`" if column.name else "the network"
            raise fail(
                "classes-mismatch",
                f"{what} has one sigmoid unit for two classes, but `{printable(data)}` has "
                f"{len(names)}: {listed(map(printable, names), 10)}",
                help=f"end the network in `dense: {len(names)}` and `softmax`" if len(names) > 2 else None,
            )
        return Labels(names, codes.astype("float32")[:, None])

    def described(self, class_names: Sequence[str], units: int) -> str:
        return f"2 classes ({printable(class_names[1])} against {printable(class_names[0])})"

    def strata(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        return values[:, 0].astype("int32")

    def compared(
        self, outputs: npt.NDArray[np.float32], values: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
        import numpy as np

        return np.concatenate([1 - outputs, outputs], axis=1), values[:, 0].astype(np.int32)

    def smoothed(self, target: Any, smoothing: float) -> Any:
        return (1 - smoothing) * target + smoothing / 2 if smoothing else target

    def activate(self, tf: Any, scores: Any) -> Any:
        return tf.sigmoid(tf.cast(scores, tf.float32))

    def counts(self, tf: Any, scores: Any, labels: Any, center: Any, *, running: bool) -> Any:
        right = tf.equal(scores >= 0, labels >= 0.5)
        total = tf.reduce_sum(tf.cast(right, tf.float32))[None]
        return total if running else tf.concat([total, score_histogram(tf, scores, labels)], axis=0)

    def figures(self, counts: npt.NDArray[np.float64], examples: float, units: int) -> Mapping[str, float]:
        accuracy = counts[0] / examples if examples else float("nan")
        if len(counts) == 1:
            return {"accuracy": accuracy}
        return {"auc": area_under_curve(counts[1:].reshape(2, BINS)), "accuracy": accuracy}

    def count(self, units: int, *, running: bool) -> int:
        return 1 if running else 1 + 2 * BINS
