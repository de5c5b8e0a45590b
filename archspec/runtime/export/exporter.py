"""Export a trained network, and prove that the export is equal before it gets its version number."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.runtime.data.sources.source import find_source
from archspec.runtime.export.calibration import calibration_images
from archspec.runtime.export.check_images import check_images
from archspec.runtime.export.description import describe, with_verification
from archspec.runtime.export.export_format import EXPORT_FORMATS, ExportFormat, WriteOptions
from archspec.runtime.export.export_result import Export
from archspec.runtime.export.network import ExportedNetwork
from archspec.runtime.export.read_network import read_network
from archspec.runtime.export.variants import at_input_size, dense_form, optimized
from archspec.runtime.export.verify import Reference, Verification, tolerance_of, verify
from archspec.runtime.export.version_folder import DESCRIPTION, check_version_folder, new_version
from archspec.runtime.export.warm_up import check_warm_up
from archspec.runtime.models.model_file import read_metadata
from archspec.runtime.system.tensorflow_import import (
    import_tensorflow,
    native_messages_dropped,
    need_tensorflow_backend,
)

SLOWER = 1.10
"""An optimized export that takes longer than this, in units of the plain one, is not written."""


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and how it is verified.

    Attributes:
        format: one of EXPORT_FORMATS.
        overwrite: replace the newest version instead of adding one.
        outputs: paths of layers whose outputs are exported too.
        input_size: side of the images in pixels, or "free"; None for that of the network.
        dense: export the fully convolutional network.
        optimize: rewrite the network for inference.
        warm_up: add warm-up requests for TensorFlow Serving.
        precision: one of the format's precisions.
        calibration: a data source for int8.
        max_loss: percentage points of top-1 that a lower precision may lose.
        verify: load the export in a fresh process and compare it.
        data: a data source of labelled images for the verification; None for that of the calibration, else for
            generated images.
        split: the part of the data.
        images: at most as many images.
        seed: of the choice of images.
        report: receives lines of progress.
        place: which of how many exports this is, for the progress: `3 of 10`; empty for a single one.
    """

    format: str = "savedmodel"
    overwrite: bool = False
    outputs: tuple[str, ...] = ()
    input_size: int | str | None = None
    dense: bool = False
    optimize: bool = False
    warm_up: bool = False
    precision: str = "float32"
    calibration: str | None = None
    max_loss: float = 1.0
    verify: bool = True
    data: str | None = None
    split: str = "validation"
    images: int = 256
    seed: int = 0
    report: Callable[[str], None] = lambda line: None
    place: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether the network is exported as it is, in float32."""
        return not self.optimize and self.precision == "float32"


def export(model: str | Path, out: str | Path, options: ExportOptions) -> Export:
    """Write a trained network as a new version in the folder `out`.

    It has a temporary name until a fresh process has loaded it and its outputs were compared; then it is renamed.

    Raises:
        ArchspecError: those of `load_model`; `unknown-format`, `missing-package`, `output-exists`, `cannot-write`,
            `no-classifier`, `unknown-layer`, `not-exportable`, `not-finite`, `export-differs`, `export-fails`;
            `precision`, `calibration`, `export-slower`, `export-loses` for lower precisions; `warm-up`; with data those
            of `open_data`.
    """
    out, writer = Path(out), find_format(options.format)
    check_precision(writer, options.precision)
    _check_calibration(options)
    if options.warm_up:
        check_warm_up(writer)
    check_version_folder(out, writer.name)
    check_loadable(out, writer)
    read_metadata(model)  # a missing file is reported before TensorFlow is imported
    for source in filter(None, (options.data, options.calibration)):
        find_source(source)
    need_tensorflow_backend()
    import_tensorflow()
    network = _network(model, options)
    options.report(f"writing {writer.name} {options.precision}" + (f" ({options.place})" if options.place else ""))
    calibration = None
    if options.precision == "int8":
        calibration = calibration_images(network, options.calibration, options.seed, options.report)
    reference = _reference(network, options) if options.verify else None
    changed, rewrites = network, tuple[str, ...]()
    if options.optimize:
        changed, rewrites = optimized(network, takes_pixels=writer.takes_pixels)
    with new_version(out, overwrite=options.overwrite) as (folder, final):
        write = WriteOptions(options.precision, calibration, options.report, options.warm_up)
        with contextlib.nullcontext() if options.is_plain else native_messages_dropped():  # on kernels of 16 bits
            signatures = writer.write(changed, folder, write)
        description = describe(writer, changed, signatures, precision=options.precision, rewrites=rewrites)
        _write_description(folder, description)
        verification = None
        if reference is not None:
            with _plain_export(writer, network, options) as plain:
                options.report(f"verifying with {reference.images.source} in a fresh process")
                tolerance = tolerance_of(network, options.precision)
                verification = verify(writer, changed, signatures, reference, folder, plain=plain, tolerance=tolerance)
            judge(verification, options)
        _write_description(folder, with_verification(description, verification))
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    (path,) = final
    return Export(
        path=path,
        format=writer.name,
        precision=options.precision,
        rewrites=rewrites,
        signatures=tuple(signatures),
        verification=verification,
        bytes=size,
        usage=writer.usage(path, signatures),
        notes=writer.notes(network, signatures),
    )


def _network(model: str | Path, options: ExportOptions) -> ExportedNetwork:
    plain = options.input_size is None and not options.dense
    network = read_network(model, options.outputs if plain else ())
    _check_applies(network, options)
    if plain:
        return network
    if options.dense:
        network = dense_form(network, options.outputs if options.input_size is None else ())
    if options.input_size is not None:
        network = at_input_size(network, options.input_size, options.outputs)
    return network


def _check_applies(network: ExportedNetwork, options: ExportOptions) -> None:
    """Raises ArchspecError (`not-exportable`) for options that do not apply to the network."""
    kind, inputs = network.target_kind, listed(f"`{name}`" for name in network.input_shapes)
    outputs = listed(f"`{name}`" for name in network.output_shapes)
    what = f"has the outputs {outputs}" if network.several_outputs else "is no classifier"
    if kind:
        what = f"ends in `{network.targets[0].kind.activation}`"
    one_input = len(network.input_shapes) == 1
    rules = [
        ("dense", options.dense, kind == "classes", what),
        ("outputs", bool(options.outputs), not network.several_outputs, what),
        ("input-size", options.input_size is not None, one_input, f"has the inputs {inputs}"),
        ("precision int8", options.precision == "int8", kind not in ("", "numbers"), what),
        ("data", options.data is not None and options.verify, one_input, f"has the inputs {inputs}"),
    ]
    wrong = next(((name, why) for name, given, applies, why in rules if given and not applies), None)
    if wrong is not None:
        name, why = wrong
        raise fail("not-exportable", f"`--{name}` does not apply to a network that {why}", help=f"omit `--{name}`")


def _reference(network: ExportedNetwork, options: ExportOptions) -> Reference:
    data = options.data or (options.calibration if options.precision == "int8" else None)
    images = check_images(
        network, data, split=options.split, most=options.images, seed=options.seed, report=options.report
    )
    return Reference.of(network, images)


@contextlib.contextmanager
def _plain_export(writer: ExportFormat, network: ExportedNetwork, options: ExportOptions) -> Iterator[Path | None]:
    """Yields the folder of the plain export that an optimized one is compared with; None for a plain one."""
    if options.is_plain:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        options.report(f"writing {writer.name} float32 without changes, to compare the speed")
        signatures = writer.write(network, Path(folder), WriteOptions())
        _write_description(Path(folder), describe(writer, network, signatures, precision="float32", rewrites=()))
        yield Path(folder)


def judge(verification: Verification, options: ExportOptions) -> None:
    """Refuse an optimized export that is slower than the plain one, or loses accuracy.

    Raises:
        ArchspecError: `export-slower`, `export-loses`.
    """
    what = f"{options.format} in {options.precision}" + ", optimized" * options.optimize
    found = verification
    loss = 100 * (1 - (1.0 if found.top1_agreement is None else found.top1_agreement))
    fact = f"{loss:.1f} % of the images get another class"
    if found.top1 is not None and found.model_top1 is not None:
        loss = 100 * (found.model_top1 - found.top1)
        fact = f"top-1 accuracy falls from {100 * found.model_top1:.2f} % to {100 * found.top1:.2f} %"
    remedy = "give more images to `--calibration`" if options.precision == "int8" else "choose another `--precision`"
    if options.precision != "float32" and loss > options.max_loss + 1e-9:
        raise fail(
            "export-loses",
            f"{what} is not written: {fact}, more than `--max-loss` {options.max_loss:g} allows",
            help=f"{remedy}, or accept the loss with `--max-loss`",
        )
    if found.slowdown is not None and found.slowdown > SLOWER:
        raise fail(
            "export-slower",
            f"{what} is not written: at batch 1 it takes {found.slowdown:.2f} times as long as the plain export here",
            help="export it on the machine that will run it, or leave out `--precision` and `--optimize`",
        )


def check_loadable(out: Path, writer: ExportFormat) -> None:
    """Raises ArchspecError (`bad-output`) for a path that the loader of the format cannot read."""
    path = str(out.absolute())
    found = next((each for each in path if each in writer.unloadable), None)
    if found is not None:
        fact = f"an export in the format {writer.name} cannot be loaded from `{path}`: `{found}` stands for a pattern"
        raise fail(
            "bad-output", fact, help=f"choose a folder without any of `{' '.join(writer.unloadable)}` in its path"
        )


def check_precision(writer: ExportFormat, precision: str) -> None:
    """Raises ArchspecError (`precision`) where the format cannot be written at that precision."""
    if precision not in writer.precisions:
        others = [name for name, each in EXPORT_FORMATS.items() if precision in each.precisions]
        raise fail(
            "precision",
            f"the format {writer.name} has no {precision}; its precisions are: {listed(writer.precisions)}",
            help=f"`--format {others[0]}` has it" if others else None,
        )


def _check_calibration(options: ExportOptions) -> None:
    """Raises ArchspecError (`calibration`) for calibration images of another precision than int8."""
    if options.calibration is not None and options.precision != "int8":
        raise fail(
            "calibration",
            f"`--calibration` is for int8, but this export is in {options.precision}",
            help="add `--precision int8`, or omit `--calibration`",
        )


def _write_description(folder: Path, description: Mapping[str, Any]) -> None:
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
