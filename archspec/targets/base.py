"""The target contract: how the labels of an output are read and encoded, which losses and metrics it has.

A target never imports tensorflow: its functions receive the module as an argument. Labels are held as columns of
numbers, float32 (N, columns), so that several outputs are trained on one array. To add a kind, add a module to this
package with a subclass; a package of your own names its module in an entry point of the group `archspec.targets`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from archspec.declare import Declared
from archspec.diagnostics import ArchspecError, counted, did_you_mean, fail, listed, printable
from archspec.plugins import Registry

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from archspec.targets.label_column import LabelColumn

TARGETS: Registry[Target] = Registry("archspec.targets")
"""Every kind of target under its name."""
BINARY_LOSSES = ("binary_crossentropy", "binary_focal_crossentropy")
NUMBER_LOSSES = (
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
    "log_cosh",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
)
"""Losses of numbers. An output without an activation predicts numbers if the recipe has one of them."""


class Labels(NamedTuple):
    """The labels of a column, encoded."""

    class_names: tuple[str, ...]
    """Of the classes, labels or numbers, in the order of the output's units; () for a number without a name."""
    values: npt.NDArray[np.float32]
    """(N, columns)."""


class KnownClasses(NamedTuple):
    """The class names of the training images, or of a trained network."""

    names: tuple[str, ...]
    trained: bool
    """Whether they are those of a trained network."""

    def check(self, labels: Sequence[str], data: str) -> None:
        """Raises data-classes or classes-mismatch for a label that is not among them."""
        unknown = next((label for label in labels if label not in self.names), None)
        if unknown is None:
            return
        near = did_you_mean(unknown, self.names)
        if self.trained:
            raise fail(
                "classes-mismatch",
                f"the network was not trained on the class `{printable(unknown)}` of `{printable(data)}`",
                notes=[f"its classes are {listed(map(printable, self.names), 10)}"],
                help=near or "use the class names of training",
            )
        fact = f"`{printable(data)}` has the label `{printable(unknown)}`, which no training image has"
        raise fail("data-classes", fact, help=near)


class Target(Declared):
    """Base of all kinds of targets; the docstring is its description.

    Class attributes:
        losses: the losses of Keras that apply, the default one first.
        metrics: its columns in history.csv beside the loss, the main one first; each is 1 at best.
        running: those that training steps count too; the others need a whole validation.
        activation: of the output's units, for messages: `softmax`.
        shares: whether the outputs are probabilities, 0 to 1.
    """

    registry = TARGETS
    losses: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[str, ...]] = ()
    running: ClassVar[tuple[str, ...]] = ()
    activation: ClassVar[str] = ""
    shares: ClassVar[bool] = True

    # ---- labels ------------------------------------------------------------------------------------------------

    def fits(self, end: str, units: int, loss: str) -> bool:
        """Whether an output with these units, which ends in an activation or in `linear`, has this kind of target."""
        raise NotImplementedError(f"{type(self).__name__}.fits")  # a plugin that forgot it

    def columns(self, units: int) -> int:
        """Number of columns of the labels of an image."""
        return units

    def encode(self, column: LabelColumn, units: int, data: str, known: KnownClasses | None = None) -> Labels:
        """The labels of the images of a column.

        Args:
            units: of the output.
            data: the data source, for messages.
            known: the classes that there are; None takes them from the column.

        Raises:
            ArchspecError: data-format, data-classes, classes-mismatch.
        """
        raise NotImplementedError(f"{type(self).__name__}.encode")  # a plugin that forgot it

    def strata(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """int32 (N,): a held-out share is drawn from each stratum; a single one by default."""
        import numpy as np

        return np.zeros(len(values), np.int32)

    def described(self, class_names: Sequence[str], units: int) -> str:
        """What the labels are: `10 classes`."""
        return counted(len(class_names), "class")

    def compared(
        self, outputs: npt.NDArray[np.float32], values: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
        """The outputs (N, units) and the labels as an evaluation compares them."""
        return outputs, values

    # ---- training ----------------------------------------------------------------------------------------------

    def soft(self, tf: Any, labels: Any, units: int) -> Any:
        """Labels (B, columns) -> float32 (B, units), which mixup may mix and losses compare with the outputs."""
        return tf.cast(labels, tf.float32)

    def smoothed(self, target: Any, smoothing: float) -> Any:
        """float32 (B, units) with label smoothing."""
        return target

    def activate(self, tf: Any, scores: Any) -> Any:
        """Scores before the activation (B, units) -> outputs (B, units), float32."""
        return scores

    def counts(self, tf: Any, scores: Any, labels: Any, center: Any, *, running: bool) -> Any:
        """Sums over a batch, from which `figures` computes the metrics: float32 (n,).

        Args:
            labels: (B, columns), or mixed labels (B, units).
            center: float32 (units,), see `OutputTarget`.
            running: leave out what only a validation needs.
        """
        raise NotImplementedError(f"{type(self).__name__}.counts")  # a plugin that forgot it

    def figures(self, counts: npt.NDArray[np.float64], examples: float, units: int) -> Mapping[str, float]:
        """The metrics by name, from the total of `counts`; as many as it has sums for."""
        raise NotImplementedError(f"{type(self).__name__}.figures")  # a plugin that forgot it

    def count(self, units: int, *, running: bool) -> int:
        """The length of `counts`."""
        raise NotImplementedError(f"{type(self).__name__}.count")  # a plugin that forgot it


def check_units(units: int, names: Sequence[str], data: str, output: str = "") -> None:
    """Raises classes-mismatch unless an output has a unit for each of the classes."""
    if units != len(names):
        what = f"the output `{output}`" if output else "the network"
        raise fail(
            "classes-mismatch",
            f"{what} has {counted(units, 'class')}, but `{printable(data)}` has {len(names)}",
            help=f"give {f'`{output}`' if output else 'the last layer'} {counted(len(names), 'unit')}"
            + ("" if output else f"; `--set classes={len(names)}` does so in specs with a parameter `classes`"),
        )


def label_error(data: str, column: str) -> Any:
    """The function from a fact and a remedy to the error about a label column."""

    def error(fact: str, help: str) -> ArchspecError:
        place = f"`{printable(data)}`" + (f", column `{printable(column)}`" if column else "")
        return fail("data-format", f"{place}: {fact}", help=help)

    return error
