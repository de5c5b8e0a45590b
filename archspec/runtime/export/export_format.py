"""The contract of an export format: one class writes a trained network for other programs, another program runs it.

To add a format, write a module in this package with one class, a runner (see `runners`), and its test. Another package
names its module in an entry point of the group `archspec.export_formats`. The choices of `archspec export --format`,
its help and the errors derive from the classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.declare import Declared
from archspec.ops.base import Shape
from archspec.plugins import Registry

if TYPE_CHECKING:
    from archspec.runtime.export.network import ExportedNetwork

EXPORT_FORMATS: Registry[ExportFormat] = Registry("archspec.export_formats")
"""Every export format under its name."""

INPUT = "images"
"""The name of the input of a network of images."""

PREPROCESSED, PIXELS, ENCODED, VALUES = "preprocessed", "pixels", "encoded", "values"
"""What a function takes.

preprocessed: float32 (B, *input), as the `.keras` model. pixels: float32 (B, *input), grey levels 0 to 255 after resize
and crop; the preprocessing is inside. encoded: the bytes of image files of any size (B,); all preprocessing is inside.
values: float32 (B, *input) of each input, as the `.keras` model; there is no preprocessing.
"""


@dataclass(frozen=True)
class Signature:
    """A function of an export: what it takes, and what it returns."""

    content: str
    """One of `preprocessed`, `pixels`, `encoded` and `values`."""
    outputs: Mapping[str, Shape]
    """Name -> shape of one sample. All are float32, except the strings `classes` of a function of image files."""

    def to_json(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """Inputs and outputs with dtype and shape, where None stands for a free size.

        Args:
            inputs: name -> shape of one sample of each input of the network.
        """
        outputs = {
            name: {"dtype": "string" if name == "classes" and self.content == ENCODED else "float32"}
            | {"shape": [None, *shape]}
            for name, shape in self.outputs.items()
        }
        return {"inputs": self._inputs(inputs), "outputs": outputs}

    def _inputs(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        if self.content == ENCODED:
            return {INPUT: {"dtype": "string", "shape": [None], "content": ENCODED}}
        return {
            name: {"dtype": "float32", "shape": [None, *shape], "content": self.content}
            for name, shape in inputs.items()
        }


@dataclass(frozen=True)
class WriteOptions:
    """How a format writes a network."""

    precision: str = "float32"
    """One of the format's `precisions`."""
    calibration: Any = None
    """For int8: float32 (N, *input), what `serving_default` takes."""
    report: Callable[[str], None] = lambda line: None
    """Receives lines of progress."""
    warm_up: bool = False
    """Add warm-up requests for TensorFlow Serving."""


class ExportFormat(Declared):
    """Base of all export formats: a frozen dataclass (`declared`) with a `name`; its docstring is its help text.

    Class attributes:
        name: as in `--format NAME`.
        extra: the extra of archspec that installs the packages; "" for none.
        packages: modules that the format imports from it.
        file: the main file in the version folder.
        precisions: those that it can write, `float32` first.
        unloadable: characters that the path of an export cannot have, because its loader takes them for a pattern.
        takes_pixels: whether `serving_default` of a network of images takes pixels, and else preprocessed images.
        runner: the program that loads the export (see `runners`); it imports nothing of archspec.
    """

    registry = EXPORT_FORMATS
    extra: ClassVar[str] = ""
    packages: ClassVar[tuple[str, ...]] = ()
    file: ClassVar[str] = ""
    precisions: ClassVar[tuple[str, ...]] = ("float32",)
    unloadable: ClassVar[str] = ""
    takes_pixels: ClassVar[bool] = False
    runner: ClassVar[Path]

    def write(self, network: ExportedNetwork, folder: Path, options: WriteOptions) -> Mapping[str, Signature]:
        """Write the files into a folder, which exists. Returns the functions of the export, `serving_default` first.

        Raises:
            ArchspecError: where the network has no form in this format.
            OSError: reported as `cannot-write`.
        """
        raise NotImplementedError(f"{type(self).__name__}.write")  # a plugin that forgot it

    def usage(self, folder: Path, signatures: Mapping[str, Signature]) -> str:
        """How to load the export, in one line: `in Python: ...`."""
        return ""

    def notes(self, network: ExportedNetwork, signatures: Mapping[str, Signature]) -> tuple[str, ...]:
        """What the export does not have, and why; a sentence each."""
        if len(network.input_shapes) > 1 and network.metadata.preprocess:
            return ("the `preprocess` of the spec is not in the export: the network has several inputs",)
        return ()

    def main_signature(self, network: ExportedNetwork) -> Signature:
        """The signature of `serving_default`: the main output, then other outputs and the features."""
        return Signature(network.content(takes_pixels=self.takes_pixels), network.output_shapes)
