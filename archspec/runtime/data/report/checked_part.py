"""A part of a data source with the facts of its images."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from archspec.diagnostics import printable
from archspec.runtime.data.files.image_facts import ImageFacts
from archspec.runtime.data.images import Images
from archspec.targets.column_summary import ColumnSummary, summarized


@dataclass(frozen=True)
class CheckedPart:
    """A part of a data source ("" for data without a split): its images, and the facts of each."""

    images: Images
    facts: list[ImageFacts]

    def columns(self) -> list[ColumnSummary]:
        """The label columns of the good images, where they are not one class for each image."""
        good = np.array([row for row, known in enumerate(self.facts) if not known.reason], np.int64)
        return [summarized(column.only(good)) for column in self.images.columns if len(good)]

    def class_counts(self) -> dict[str, int]:
        """Number of good images of each class; empty for other labels, see `columns`."""
        if self.images.columns:
            return {}
        labels = self.images.labels.tolist()
        counts = Counter(label for label, known in zip(labels, self.facts, strict=True) if not known.reason)
        return {printable(name): counts[label] for label, name in enumerate(self.images.class_names)}
