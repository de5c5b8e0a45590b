"""ONNX, for onnxruntime, OpenVINO, TensorRT and many others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.declare import declared
from archspec.diagnostics import fail, listed
from archspec.runtime.export.export_format import ExportFormat, Signature, WriteOptions

if TYPE_CHECKING:
    from archspec.runtime.export.network import ExportedNetwork

OPSET = 18
"""The newest that tf2onnx 1.17 writes."""


@declared
class Onnx(ExportFormat):
    """A numbered folder with model.onnx, for onnxruntime and other runtimes.

    It takes pixels: float images, 0 to 255, after resize and crop; the normalization is inside. Other inputs and all
    outputs have their names. The batch is free. The class names and the preprocessing are in its metadata.
    """

    name = "onnx"
    extra = "onnx"
    packages = ("tf2onnx", "onnx", "onnxruntime")
    file = "model.onnx"
    precisions = ("float32", "float16", "int8")
    takes_pixels = True
    runner = Path(__file__).parent / "runners" / "onnx.py"

    def write(self, network: ExportedNetwork, folder: Path, options: WriteOptions) -> Mapping[str, Signature]:
        """Convert with tf2onnx in a process of its own. Raises ArchspecError: `not-exportable`."""
        from archspec.runtime.export.pixel_function import convert, pixel_function

        signature = self.main_signature(network)
        with pixel_function(network) as saved_model:
            options.report("converting to ONNX")
            result = convert(
                "to_onnx.py",
                "ONNX",
                {
                    "saved_model": str(saved_model),
                    "out": str((folder / self.file).absolute()),
                    "opset": OPSET,
                    "name": network.model.name,
                    "metadata": {"archspec": json.dumps(network.described())}
                    | ({"classes": "\n".join(network.class_lines)} if network.class_names else {}),
                },
            )
        missing = {*network.input_shapes, *signature.outputs} - {*result["inputs"], *result["outputs"]}
        if result["foreign"] or missing:
            what = listed(result["foreign"]) or f"`{missing.pop()}` is missing in the file"
            raise fail(
                "not-exportable",
                f"the network needs operators that ONNX does not have: {what}",
                help="choose another `--format`; savedmodel and keras take every network",
            )
        if options.precision != "float32":
            self._lower_precision(folder / self.file, options)
        return {"serving_default": signature}

    def _lower_precision(self, path: Path, options: WriteOptions) -> None:
        """float16 with float32 inputs and outputs; or static int8, QDQ, unsigned activations, per-channel weights.

        Without VNNI, sums of products of 8 bits saturate at 16 bits, so weights get 7 bits (onnxruntime #12072).
        """
        from archspec.runtime.export.calibration import calibration_file
        from archspec.runtime.export.pixel_function import convert
        from archspec.runtime.system.processor import features

        request: dict[str, Any] = {"path": str(path.absolute()), "precision": options.precision}
        options.report(f"converting to {options.precision}")
        if options.precision == "float16":
            convert("quantize_onnx.py", "ONNX in float16", request)
            return
        without_vnni = {"avx512_vnni", "avx_vnni"}.isdisjoint(features())
        with calibration_file(options.calibration) as calibration:
            request |= {"calibration": str(calibration), "reduce_range": without_vnni}
            convert("quantize_onnx.py", "ONNX in int8", request)

    def usage(self, folder: Path, signatures: Mapping[str, Signature]) -> str:
        """How to load the export, in one line."""
        return f'in Python: onnxruntime.InferenceSession("{folder / self.file}")'
