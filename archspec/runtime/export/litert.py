"""LiteRT, formerly TensorFlow Lite, for phones and small devices."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.declare import declared
from archspec.diagnostics import fail
from archspec.runtime.export.export_format import ExportFormat, Signature, WriteOptions
from archspec.runtime.export.litert_errors import missing_operators, places

if TYPE_CHECKING:
    from archspec.runtime.export.network import ExportedNetwork


@declared
class LiteRt(ExportFormat):
    """A numbered folder with model.tflite, for LiteRT (TensorFlow Lite) on phones and small devices.

    It takes pixels: float images, 0 to 255, after resize and crop; the normalization is inside. Other inputs and all
    outputs have their names. It has builtin operators only, and any batch after `resize_tensor_input`. The class names
    are in labels.txt inside the file.
    """

    name = "litert"
    extra = "litert"
    packages = ("ai_edge_litert", "ai_edge_quantizer")
    file = "model.tflite"
    precisions = ("float32", "float16", "int8")
    takes_pixels = True
    runner = Path(__file__).parent / "runners" / "litert.py"

    def write(self, network: ExportedNetwork, folder: Path, options: WriteOptions) -> Mapping[str, Signature]:
        """Convert with TensorFlow's converter in a process of its own. Raises ArchspecError: `not-exportable`."""
        from archspec.runtime.export.pixel_function import convert, pixel_function

        path = folder / self.file
        with pixel_function(network) as saved_model:
            options.report("converting to LiteRT")
            request = {"saved_model": str(saved_model), "out": str(path.absolute()), "precision": options.precision}
            result = convert("to_litert.py", "LiteRT", request)
        if result["error"] is not None:
            raise fail(
                "not-exportable",
                f"the network needs {missing_operators(result['error'])}",
                notes=places(result["error"], network.whole),
                help="choose another `--format`; savedmodel and keras take every network",
            )
        if options.precision == "int8":
            options.report("converting to int8")
            lower_precision(path, options.calibration)
        add_files(path, network)
        return {"serving_default": self.main_signature(network)}

    def usage(self, folder: Path, signatures: Mapping[str, Signature]) -> str:
        """How to load the export, in one line."""
        return f'in Python: ai_edge_litert.interpreter.Interpreter("{folder / self.file}").get_signature_runner()'


def lower_precision(path: Path, images: Any) -> None:
    """Replace a float32 file by an int8 one, calibrated with pixels (N, *input); inputs and outputs stay float32."""
    from archspec.runtime.export.calibration import calibration_file
    from archspec.runtime.export.pixel_function import convert

    with calibration_file(images) as calibration:
        request = {"path": str(path.absolute()), "calibration": str(calibration)}
        convert("quantize_litert.py", "LiteRT in int8", request)


def add_files(path: Path, network: ExportedNetwork) -> None:
    """Append labels.txt and archspec.json as a zip archive, as TensorFlow Lite's metadata does with associated files.

    Interpreters read the model from the start of the file, and `zipfile` the archive from its end.
    """
    with zipfile.ZipFile(path, "a") as archive:
        if network.class_names:
            archive.writestr("labels.txt", "".join(f"{name}\n" for name in network.class_lines))
        archive.writestr("archspec.json", json.dumps(network.described(), indent=1))
