"""A picture that a notebook shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from archspec.arguments import StrPath, public
from archspec.runtime.system.atomic_write import atomic, check_output_file


@dataclass(frozen=True)
class Png:
    """A PNG in memory. A notebook shows it."""

    title: str
    """What it shows."""
    data: bytes = field(repr=False)
    """The contents of the file."""

    def _repr_png_(self) -> bytes:
        return self.data

    @public()
    def save(self, path: StrPath, *, overwrite: bool = False) -> Path:
        """Write the picture to a `.png` file, atomically.

        Args:
            overwrite: replace an existing file.

        Raises:
            ArchspecError: `bad-output`, `output-exists`, `cannot-write`.
        """
        path = Path(path)
        check_output_file(path, ".png", overwrite=overwrite)
        with atomic(path) as temporary:
            temporary.write_bytes(self.data)
        return path
