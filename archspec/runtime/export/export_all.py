"""Export one network in all installed formats and precisions, for one table of size, accuracy and speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from archspec.diagnostics import ArchspecError, counted, fail
from archspec.runtime.data.sources.source import find_source
from archspec.runtime.export.export_format import EXPORT_FORMATS
from archspec.runtime.export.export_result import Export, ExportTable, Refusal
from archspec.runtime.export.exporter import ExportOptions, check_loadable, export, find_format

REFUSALS = ("export-slower", "export-loses", "export-differs", "export-fails", "not-exportable")
"""Errors of one format or precision, after which the others are written all the same."""


def export_all(model: str | Path, out: str | Path, options: ExportOptions) -> ExportTable:
    """Write `out/FORMAT/1`, and `out/FORMAT-PRECISION/1` for precisions below float32.

    Formats whose packages are missing are left out, and int8 without data; lines of progress say so. After a signal or
    an error, a line names the exports that are kept.

    Args:
        options: its format and precision are ignored; without `calibration`, int8 is calibrated with `data`.

    Raises:
        ArchspecError: those of `export` which concern all formats; those of the first one if nothing was written.
    """
    calibration = options.calibration or options.data
    if options.calibration is not None:
        find_source(options.calibration)
    exports: list[Export] = []
    refused: list[Refusal] = []
    errors: list[ArchspecError] = []
    combinations = _combinations(options, calibrated=calibration is not None)
    for name, _ in combinations:
        check_loadable(Path(out), find_format(name))
    try:
        for number, (name, precision) in enumerate(combinations, 1):
            folder = Path(out) / (name if precision == "float32" else f"{name}-{precision}")
            chosen = replace(
                options,
                format=name,
                precision=precision,
                calibration=calibration if precision == "int8" else None,
                place=f"{number} of {len(combinations)}",
            )
            try:
                exports.append(export(model, folder, chosen))
            except ArchspecError as error:
                (first, *_) = error.diagnostics
                if first.code not in REFUSALS:
                    raise
                errors.append(error)
                refused.append(Refusal(name, precision, first.message))
    except BaseException as error:
        if exports or not isinstance(error, ArchspecError):
            options.report(_kept(exports, len(combinations)))
        raise
    if not exports:
        raise errors[0] if errors else fail("unknown-format", "no export format is installed")
    return ExportTable(tuple(exports), tuple(refused))


def _kept(exports: Sequence[Export], wanted: int) -> str:
    """What is there when the rest is not written, in one line."""
    if not exports:
        return "stopped; no export is written"
    paths = ", ".join(str(each.path) for each in exports)
    return f"stopped after {counted(len(exports), 'export')} of {wanted}, which are kept: {paths}"


def _combinations(options: ExportOptions, *, calibrated: bool) -> list[tuple[str, str]]:
    """Formats and precisions: the default format first, and of each format float32 first."""
    found = []
    formats = EXPORT_FORMATS.with_plugins()
    for name in sorted(formats, key=lambda each: each != ExportOptions.format):
        each = formats[name]
        missing = [package for package in each.packages if find_spec(package) is None]
        if missing:
            extra = f"archspec-keras[{each.extra}]"
            options.report(f"{name} is left out: `pip install '{extra}'` installs what it needs")
            continue
        for precision in each.precisions:
            if precision == "int8" and not calibrated:
                options.report(f"{name} in int8 is left out: it needs `--data` or `--calibration`")
                continue
            found.append((name, precision))
    return found
