"""A label column of a data set: text cells, one for each image, or numbers in several columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class LabelColumn:
    """What a data set says about each image, before an output of a network gives it a meaning.

    Attributes:
        name: `color` of the column `label:color`; "" for the only label column.
        cells: the different cells in the order of classes; of a matrix, the names of its columns.
        codes: int32 (N,), the index of each image's cell; None of a matrix.
        matrix: float32 (N, columns), numbers of each image: one-hot columns, or values to predict.
    """

    name: str
    cells: tuple[str, ...]
    codes: npt.NDArray[np.int32] | None = None
    matrix: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        values = self.codes if self.matrix is None else self.matrix
        return 0 if values is None else len(values)

    @property
    def is_indicator(self) -> bool:
        """Whether it is a matrix of zeros and ones."""
        import numpy as np

        return self.matrix is not None and bool(np.isin(self.matrix, (0, 1)).all())

    def only(self, rows: npt.NDArray[np.integer[Any]]) -> LabelColumn:
        """The rows of these images, in that order; the cells are kept."""
        return replace(
            self,
            codes=None if self.codes is None else self.codes[rows],
            matrix=None if self.matrix is None else self.matrix[rows],
        )

    def texts(self) -> list[str]:
        """The cell of each image; of a matrix the columns with a 1, or the numbers."""
        if self.codes is not None:
            return [self.cells[code] for code in self.codes.tolist()]
        matrix = [] if self.matrix is None else self.matrix.tolist()
        if self.is_indicator:
            return [" ".join(name for name, has in zip(self.cells, row, strict=True) if has) for row in matrix]
        return [" ".join(f"{value:g}" for value in row) for row in matrix]

    def present(self) -> list[str]:
        """The cells that an image has, in the order of the classes."""
        import numpy as np

        return [self.cells[code] for code in np.unique(self.codes)] if self.codes is not None else list(self.cells)


def joined(columns: Sequence[LabelColumn], name: str = "") -> LabelColumn | None:
    """Several columns of numbers as one matrix; None where a cell is no number."""
    import numpy as np

    from archspec.targets.label_text import is_number

    values = []
    for column in columns:
        if column.codes is None or not all(map(is_number, column.cells)):
            return None
        values.append(np.array(list(map(float, column.cells)), np.float32)[column.codes])
    return LabelColumn(name, tuple(column.name for column in columns), matrix=np.stack(values, axis=1))
