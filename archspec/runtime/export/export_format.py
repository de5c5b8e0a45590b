"""The contract of an export format: one class writes a trained network for other programs, and reads it back.

To add a format, write a module in this package with one class, and its test. Another package names its module in an
entry point of the group `archspec.export_formats`. The choices of `archspec export --format`, its help and the errors
derive from the classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from archspec.declare import Declared
from archspec.plugins import Registry
from archspec.runtime.models.metadata import Metadata

if TYPE_CHECKING:
    import keras

EXPORT_FORMATS: Registry[ExportFormat] = Registry("archspec.export_formats")
"""Every export format under its name."""


@dataclass(frozen=True)
class ExportedNetwork:
    """A trained network without its auxiliary outputs, as a format writes it."""

    model: keras.Model
    """The trained network: (B, ...) -> probabilities or logits (B, classes)."""
    probabilities: keras.Model
    """The same with a softmax at its end if it has none: (B, ...) -> (B, classes)."""
    metadata: Metadata
    class_names: tuple[str, ...]
    """Their numbers where the model file names none."""


class ExportFormat(Declared):
    """Base of all export formats: a frozen dataclass (`declared`) with a `name`; its docstring is its help text.

    Class attributes:
        name: as in `--format NAME`.
        extra: the extra of archspec that installs the packages; "" for none.
        packages: modules that the format imports from it.
        mark: a file in every folder that the format writes, by which an earlier export is known; "" for a file.
    """

    registry = EXPORT_FORMATS
    extra: ClassVar[str] = ""
    packages: ClassVar[tuple[str, ...]] = ()
    mark: ClassVar[str] = ""

    def write(self, network: ExportedNetwork, path: Path) -> tuple[str, ...]:
        """Write a folder or a file. Returns the names of its functions, such as the signatures of a SavedModel.

        Raises:
            ArchspecError: where the network has no form in this format.
            OSError: reported as `cannot-write`.
        """
        raise NotImplementedError(f"{type(self).__name__}.write")  # a plugin that forgot it

    def differences(self, network: ExportedNetwork, path: Path) -> Iterator[float]:
        """Load the export, and return the largest differences between its outputs and those of the network."""
        raise NotImplementedError(f"{type(self).__name__}.differences")  # a plugin that forgot it

    def usage(self, path: Path, signatures: tuple[str, ...]) -> str:
        """How to load the export, in one line: `in Python: ...`."""
        return ""
