"""Export a trained network, and check the export before it is renamed to its final name."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.runtime.export.export_format import EXPORT_FORMATS, ExportedNetwork, ExportFormat
from archspec.runtime.models.classifier import main_output, probabilities_of
from archspec.runtime.models.model_file import load_model, read_metadata
from archspec.runtime.system.atomic_write import atomic, check_output_folder, check_writable, make_folder
from archspec.runtime.system.tensorflow_import import import_tensorflow, need_tensorflow_backend

TOLERANCE = 1e-5
"""Largest difference between the exported probabilities and those of the network."""
LOW_PRECISION = {"float16": 2e-3, "bfloat16": 2e-2}
"""The same for networks with layers of this precision, where fused operations round differently."""


@dataclass(frozen=True)
class Export:
    """A folder or file that was written, loaded again, and compared with the network."""

    path: Path
    """The folder or file."""
    signatures: tuple[str, ...]
    """Names of its functions: of a SavedModel `serving_default`, and `serve_images` for networks of images."""
    largest_difference: float
    """The largest difference between its probabilities and those of the network, over all compared inputs."""
    bytes: int
    """Size of all files."""
    usage: str
    """How to load it, in one line."""


def export(model: str | Path, out: str | Path, *, format: str = "savedmodel", overwrite: bool = False) -> Export:
    """Write a trained network in a format of EXPORT_FORMATS, load it again and compare the outputs.

    It has a temporary name until it was compared; only then, with `overwrite`, it replaces an earlier export.

    Raises:
        ArchspecError: those of `load_model`; `unknown-format`, `missing-package`, `output-exists`, `cannot-write`,
            `no-classifier`, `export-differs`.
    """
    out, writer = Path(out), find_format(format)
    if (out.exists() or out.is_symlink()) and not overwrite:
        raise fail("output-exists", f"`{out}` exists", help="give another `-o`, or `--overwrite`")
    if out.is_dir():
        check_output_folder(out, overwrite=overwrite, mark=writer.mark or None)
    check_writable(out)
    read_metadata(model)  # a missing file is reported before TensorFlow is imported
    need_tensorflow_backend()
    import_tensorflow()
    loaded, metadata = load_model(model)
    loaded = main_output(loaded)  # auxiliary classifiers serve training only (Szegedy et al. 2014, section 5)
    probabilities = probabilities_of(loaded)
    names = metadata.class_names or tuple(map(str, range(probabilities.output_shape[-1])))
    network = ExportedNetwork(loaded, probabilities, metadata, names)
    make_folder(out.parent)
    with atomic(out) as temporary:
        signatures = writer.write(network, temporary)
        difference = _largest_difference(writer, network, temporary)
        files = temporary.rglob("*") if temporary.is_dir() else [temporary]
        size = sum(file.stat().st_size for file in files if file.is_file())
    return Export(out, signatures, difference, size, writer.usage(out, signatures))


def find_format(name: str) -> ExportFormat:
    """The format of that name. Raises ArchspecError: `unknown-format`; `missing-package` where its extra is missing."""
    found = EXPORT_FORMATS.get(name)
    if not found:
        near = did_you_mean(name, EXPORT_FORMATS)
        raise fail(
            "unknown-format",
            f"there is no export format `{name}`",
            notes=[] if near else [f"the export formats are: {listed(EXPORT_FORMATS)}"],
            help=near,
        )
    for package in found.packages:
        if find_spec(package) is None:
            raise fail(
                "missing-package",
                f"the export format `{name}` needs {package}, which is not installed",
                help=f"`pip install 'archspec-keras[{found.extra}]'`",
            )
    return found()


def _largest_difference(writer: ExportFormat, network: ExportedNetwork, path: Path) -> float:
    """Raises ArchspecError: `export-differs`."""
    largest = max(writer.differences(network, path), key=lambda each: each if each == each else float("inf"))
    bound = max(LOW_PRECISION.get(layer.compute_dtype, TOLERANCE) for layer in network.model.layers)
    if not largest <= bound:
        raise fail(
            "export-differs",
            f"the outputs of the exported network differ from those of the trained one by up to {largest:.1e}",
            help="nothing was written; please report this with the spec of the network",
        )
    return largest
