"""Export one network in all installed formats and precisions, for one table of size, accuracy and speed."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.export.export_format import EXPORT_FORMATS
from archspec.runtime.export.export_result import ExportTable, Refusal
from archspec.runtime.export.exporter import ExportOptions, check_loadable, export, find_format

REFUSALS = ("export-slower", "export-loses", "export-differs", "export-fails", "not-exportable")
"""Errors of one format or precision, after which the others are written all the same."""


def export_all(model: str | Path, out: str | Path, options: ExportOptions) -> ExportTable:
    """Write `out/FORMAT/1`, and `out/FORMAT-PRECISION/1` for precisions below float32.

    Formats whose packages are missing are left out, and int8 without data; lines of progress say so.

    Args:
        options: its format and precision are ignored; without `calibration`, int8 is calibrated with `data`.

    Raises:
        ArchspecError: those of `export` which concern all formats; those of the first one if nothing was written.
    """
    calibration = options.calibration or options.data
    exports, refused, errors = [], [], []
    combinations = _combinations(options, calibrated=calibration is not None)
    for name, _ in combinations:
        check_loadable(Path(out), find_format(name))
    for name, precision in combinations:
        folder = Path(out) / (name if precision == "float32" else f"{name}-{precision}")
        chosen = replace(options, format=name, precision=precision, calibration=calibration)
        try:
            exports.append(export(model, folder, chosen))
        except ArchspecError as error:
            (first, *_) = error.diagnostics
            if first.code not in REFUSALS:
                raise
            errors.append(error)
            refused.append(Refusal(name, precision, first.message))
    if not exports:
        raise errors[0] if errors else fail("unknown-format", "no export format is installed")
    return ExportTable(tuple(exports), tuple(refused))


def _combinations(options: ExportOptions, *, calibrated: bool) -> list[tuple[str, str]]:
    """Formats and precisions, float32 first."""
    found = []
    for name, each in EXPORT_FORMATS.with_plugins().items():
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
