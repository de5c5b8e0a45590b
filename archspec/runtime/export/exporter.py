"""Export a trained network, and prove that the export is equal before it gets its version number."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.runtime.export.check_images import check_images
from archspec.runtime.export.description import describe, with_verification
from archspec.runtime.export.export_format import EXPORT_FORMATS, ExportFormat, WriteOptions
from archspec.runtime.export.export_result import Export
from archspec.runtime.export.network import read_network
from archspec.runtime.export.verify import Reference, tolerance_of, verify
from archspec.runtime.export.version_folder import DESCRIPTION, check_version_folder, new_version
from archspec.runtime.models.model_file import read_metadata
from archspec.runtime.system.tensorflow_import import import_tensorflow, need_tensorflow_backend


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and how it is verified.

    Attributes:
        format: one of EXPORT_FORMATS.
        overwrite: replace the newest version instead of adding one.
        outputs: paths of layers whose outputs are exported too.
        verify: load the export in a fresh process and compare it.
        data: a data source of labelled images for the verification; None for generated images.
        split: the part of the data.
        images: at most as many images.
        seed: of the choice of images.
        report: receives lines of progress.
    """

    format: str = "savedmodel"
    overwrite: bool = False
    outputs: tuple[str, ...] = ()
    verify: bool = True
    data: str | None = None
    split: str = "validation"
    images: int = 256
    seed: int = 0
    report: Callable[[str], None] = lambda line: None


def export(model: str | Path, out: str | Path, options: ExportOptions) -> Export:
    """Write a trained network as a new version in the folder `out`.

    It has a temporary name until a fresh process has loaded it and its outputs were compared; then it is renamed.

    Raises:
        ArchspecError: those of `load_model`; `unknown-format`, `missing-package`, `output-exists`, `cannot-write`,
            `no-classifier`, `unknown-layer`, `export-differs`, `export-fails`; with data those of `open_data`.
    """
    out, writer = Path(out), find_format(options.format)
    check_version_folder(out, writer.name)
    read_metadata(model)  # a missing file is reported before TensorFlow is imported
    need_tensorflow_backend()
    import_tensorflow()
    network = read_network(model, options.outputs)
    reference = None
    if options.verify:
        images = check_images(
            network,
            options.data,
            split=options.split,
            most=options.images,
            seed=options.seed,
            report=options.report,
        )
        reference = Reference.of(network, images)
    with new_version(out, overwrite=options.overwrite) as (folder, final):
        options.report(f"writing {writer.name}")
        signatures = writer.write(network, folder, WriteOptions(report=options.report))
        description = describe(writer, network, signatures, precision="float32", rewrites=())
        _write_description(folder, description)
        verification = None
        if reference is not None:
            options.report(f"verifying with {reference.images.source} in a fresh process")
            verification = verify(
                writer, network, signatures, reference, folder, tolerance=tolerance_of(network, "float32")
            )
            _write_description(folder, with_verification(description, verification))
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    (path,) = final
    return Export(path, writer.name, "float32", tuple(signatures), verification, size, writer.usage(path, signatures))


def _write_description(folder: Path, description: object) -> None:
    text = json.dumps(description, indent=1, ensure_ascii=False) + "\n"
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")


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
