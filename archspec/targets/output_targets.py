"""The targets of a network's outputs, and their labels side by side in one array."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.diagnostics import fail, listed, printable
from archspec.targets.base import TARGETS, KnownClasses, Target
from archspec.targets.label_column import LabelColumn, joined

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class OutputTarget:
    """An output of a network, and what it is trained on.

    Attributes:
        kind: of the target.
        units: of the output.
        name: of the output, which is that of its label column; "" for the only target.
        class_names: in the order of the units; () before the data is read, and for a number without a name.
        center: the mean of the training labels of numbers, so that sums of squares keep their precision; else ().
    """

    kind: Target
    units: int
    name: str = ""
    class_names: tuple[str, ...] = ()
    center: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "kind": self.kind.name}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> OutputTarget:
        """Raises ValueError, KeyError or TypeError for other data."""
        if data["kind"] not in TARGETS:
            raise ValueError(f"there is no target `{data['kind']}`")
        names, center = tuple(map(str, data["class_names"])), tuple(map(float, data["center"]))
        return cls(TARGETS[data["kind"]](), int(data["units"]), str(data["name"]), names, center)


@dataclass(frozen=True)
class OutputTargets(Sequence[OutputTarget]):
    """The targets of all outputs: one for several outputs that share it (auxiliary classifiers), or one for each."""

    each: tuple[OutputTarget, ...]

    def __getitem__(self, index: Any) -> Any:
        return self.each[index]

    def __len__(self) -> int:
        return len(self.each)

    @property
    def is_plain(self) -> bool:
        """Whether there is one target, of one class for each image; its labels are int32 (N,)."""
        return len(self) == 1 and self.each[0].kind.name == "classes"

    def is_alike(self, kind: str) -> bool:
        """Whether all outputs have this kind of target with as many units: one target may serve all of them."""
        return len({(target.kind.name, target.units) for target in self}) == 1 and self.each[0].kind.name == kind

    @property
    def widths(self) -> list[int]:
        """Columns of the labels of each target."""
        return [target.kind.columns(target.units) for target in self]

    @property
    def units(self) -> list[int]:
        """Units of each target."""
        return [target.units for target in self]

    def _prefix(self, target: OutputTarget) -> str:
        """What the metrics of a target start with where there are several: `color_`."""
        return f"{target.name}_" if len(self) > 1 else ""

    @property
    def metrics(self) -> list[str]:
        """The names of all metrics, the main one of each target first: `top1`, or `color_top1`, `shape_top1`."""
        longest = max(len(target.kind.metrics) for target in self)
        return [
            self._prefix(target) + target.kind.metrics[place]
            for place in range(longest)
            for target in self
            if place < len(target.kind.metrics)
        ]

    @property
    def running(self) -> list[str]:
        """The metrics that training steps count too."""
        own = {self._prefix(target) + name for target in self for name in target.kind.running}
        return [name for name in self.metrics if name in own]

    @property
    def main_metrics(self) -> list[str]:
        """The main metric of each target; the best network has the largest mean of them."""
        return [self._prefix(target) + target.kind.metrics[0] for target in self]

    # ---- in the graph of TensorFlow ------------------------------------------------------------------------------

    def split(self, tf: Any, y: Any) -> list[Any]:
        """The labels of a batch (B, columns) -> those of each target; also of mixed labels (B, units)."""
        sizes = self.widths if y.shape[-1] == sum(self.widths) else self.units
        return tf.split(y, sizes, axis=-1) if len(sizes) > 1 else [y]

    def soft(self, tf: Any, y: Any) -> Any:
        """The labels of a batch (B, columns) -> float32 (B, units), which mixup may mix."""
        parts = zip(self, self.split(tf, y), strict=True)
        return tf.concat([target.kind.soft(tf, labels, target.units) for target, labels in parts], axis=-1)

    def activate(self, tf: Any, scores: Any) -> Any:
        """The scores of all targets side by side (..., units) -> their outputs, float32."""
        parts = tf.split(scores, self.units, axis=-1) if len(self) > 1 else [scores]
        outputs = [target.kind.activate(tf, part) for target, part in zip(self, parts, strict=True)]
        return tf.concat(outputs, axis=-1) if len(outputs) > 1 else outputs[0]

    def counts(self, tf: Any, scores: Sequence[Any], y: Any, *, running: bool) -> Any:
        """The sums of all targets over a batch, float32 (n,). `scores`: of each target (B, units)."""
        found = []
        for target, own, labels in zip(self, scores, self.split(tf, y), strict=True):
            center = tf.constant(target.center or [0.0] * target.units, tf.float32)
            found.append(target.kind.counts(tf, own, labels, center, running=running))
        return tf.concat(found, axis=0)

    # ---- metrics -------------------------------------------------------------------------------------------------

    def figures(self, counts: Sequence[float], examples: float, *, running: bool) -> dict[str, float]:
        """The metrics of all targets by their names, from the total of `counts`."""
        values, found, start = np.asarray(counts, np.float64), dict[str, float](), 0
        for target in self:
            size = target.kind.count(target.units, running=running)
            own = values[start : start + size] if len(values) else np.zeros(size)
            figures = target.kind.figures(own, examples, target.units)
            found |= {self._prefix(target) + name: float(value) for name, value in figures.items()}
            start += size
        return {name: found[name] for name in self.metrics if name in found}

    # ---- data ----------------------------------------------------------------------------------------------------

    def encoded(
        self, columns: Sequence[LabelColumn], data: str, *, known: bool, trained: bool = False
    ) -> tuple[OutputTargets, npt.NDArray[np.float32]]:
        """The targets with their class names, and the labels of the images, float32 (N, columns).

        Args:
            columns: of the data set.
            data: the data source, for messages.
            known: whether the class names are known, of the training images or of a trained network.
            trained: whether they are those of a trained network.

        Raises:
            ArchspecError: data-format, data-classes, classes-mismatch.
        """
        found, values = [], []
        for target, column in self._columns(columns, data):
            classes = KnownClasses(target.class_names, trained) if known and target.class_names else None
            labels = target.kind.encode(column, target.units, data, classes)
            center = target.center
            if not center and not target.kind.shares:
                center = tuple(labels.values.mean(axis=0, dtype=np.float64).tolist())
            found.append(replace(target, class_names=labels.class_names, center=center))
            values.append(labels.values)
        return OutputTargets(tuple(found)), np.concatenate(values, axis=1)

    def strata(self, y: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """int32 (N,): a held-out share is drawn from each stratum of the first target's labels."""
        return self.each[0].kind.strata(y[:, : self.widths[0]])

    def class_counts(self, y: npt.NDArray[np.float32]) -> tuple[int, ...]:
        """Number of images of each class or label of the first target; () for numbers."""
        target, own = self.each[0], y[:, : self.widths[0]]
        if not target.kind.shares:
            return ()
        if target.kind.columns(target.units) == target.units > 1:
            return tuple(own.sum(axis=0).astype(int).tolist())
        return tuple(np.bincount(own[:, 0].astype(int), minlength=len(target.class_names)).tolist())

    def texts(self, y: npt.NDArray[np.float32]) -> list[str]:
        """The labels of each image in words: `red`, `red big`, `2.5`; those of several targets with commas."""
        starts = np.cumsum(self.widths)[:-1]
        parts = list(zip(self, np.split(y, starts, axis=1), strict=True))
        return [", ".join(_text(target, own[row].tolist()) for target, own in parts) for row in range(len(y))]

    def _columns(self, columns: Sequence[LabelColumn], data: str) -> list[tuple[OutputTarget, LabelColumn]]:
        """The targets with their label columns, by name; outputs that are alike share the only column."""
        first, place = self.each[0], f"`{printable(data)}`"
        by_name = {column.name: column for column in columns}
        if len(columns) == 1:
            alike = {(target.kind.name, target.units) for target in self}
            if len(alike) == 1:
                return [(first, columns[0])]
        have = f"{place} has the label columns {listed(f'`{_shown(each.name)}`' for each in columns)}"
        if len(columns) == 1:
            have = f"{place} has one label for each image, in `{_shown(columns[0].name)}`"
        if len(self) == 1 and first.name not in by_name:
            several = None if first.kind.shares or first.units != len(columns) else joined(columns)
            if several is not None:
                return [(first, several)]
            choices = listed((f"`{{name: {printable(each.name)}, {first.kind.activation}: }}`" for each in columns), 5)
            raise fail(
                "data-format",
                f"{have}, and the network has one output; it is not clear which column it is for",
                help=f"name the last layer after a column ({choices}), or give the network an output for each column",
            )
        missing = [target.name for target in self if target.name not in by_name]
        if missing:
            outputs = listed(f"`{target.name}`" for target in self)
            raise fail(
                "data-format",
                f"{have}, and the network has the outputs {outputs}",
                help="auxiliary outputs have as many units as the main output; for other targets a table has a label "
                f"column for each output: {listed(f'`label:{each}`' for each in missing)}",
            )
        return [(target, by_name[target.name]) for target in self]


def _text(target: OutputTarget, values: Sequence[float]) -> str:
    if not target.kind.shares:
        return " ".join(f"{value:g}" for value in values)
    if target.kind.columns(target.units) == target.units > 1:
        return " ".join(name for name, has in zip(target.class_names, values, strict=True) if has) or "no label"
    return target.class_names[int(values[0])]


def _shown(name: str) -> str:
    return f"label:{printable(name)}" if name else "label"


def named_outputs(paths: Iterable[str]) -> list[str]:
    """A name for each output from the path of its layer: its first part, or the whole path where that is not unique."""
    paths = list(paths)
    first = [path.partition("/")[0] for path in paths]
    return [name if first.count(name) == 1 else path for name, path in zip(first, paths, strict=True)]


def check_threshold(threshold: float | None, targets: OutputTargets) -> None:
    """Raises bad-argument for a threshold of a network without sigmoid outputs, which would not use it."""
    if threshold is not None and not any(target.kind.name in ("binary", "multi-label") for target in targets):
        raise fail(
            "bad-argument",
            "`--threshold` is for sigmoid outputs, and the network has none",
            help="omit `--threshold`: the answer of a softmax output is its most probable class",
        )
