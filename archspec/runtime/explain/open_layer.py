"""A layer of a network whose outputs are read: its path, its shape, and its grid of patches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail

Array = npt.NDArray[np.float32]


class OpenLayer(NamedTuple):
    """A layer of an open network."""

    call: int
    """The index of its call."""
    path: str
    shape: tuple[int | None, ...]
    """Of its output, without the batch axis."""
    grid: tuple[int, int] | None = None
    """Rows and columns of patches in a sequence of tokens (T, C); None for another output."""

    @property
    def is_spatial(self) -> bool:
        """Whether its output is a map (height, width, channels) of more than one position, or tokens of such a grid."""
        return self.grid is not None or (len(self.shape) == 3 and self.shape[:2] != (1, 1))

    @property
    def has_class_token(self) -> bool:
        """Whether a token that is no patch comes before the patches."""
        return self.grid is not None and self.shape[0] == self.grid[0] * self.grid[1] + 1

    def maps(self, values: Array) -> Array:
        """Outputs of the layer (..., h, w, C): tokens in their grid, without a class token."""
        if self.grid is None:
            return values
        patches = values[..., self.has_class_token :, :]
        return patches.reshape(*values.shape[:-2], *self.grid, values.shape[-1])


def block_paths(paths: Iterable[str]) -> list[str]:
    """The paths of the blocks that contain layers of these paths, each once."""
    parts = [path.split("/") for path in paths]
    return list(dict.fromkeys("/".join(each[:depth]) for each in parts for depth in range(1, len(each))))


def token_counts(grid: tuple[int, int]) -> tuple[int, ...]:
    """Lengths of a sequence of the patches of a grid, without and with a class token; none for one patch."""
    patches = grid[0] * grid[1]
    return (patches, patches + 1) if patches > 1 else ()


def check_channels(place: OpenLayer, channels: Sequence[int]) -> None:
    """Raises ArchspecError (`bad-option`) for a channel that the layer does not have."""
    count = place.shape[-1] or 0
    wrong = [channel for channel in channels if channel >= count]
    if wrong:
        fact = f"`{place.path}` has {count} channels, but no channel {wrong[0]}"
        raise fail("bad-option", fact, help=f"channels are counted from 0 to {count - 1}")
