"""The result of an export, as a table for people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from archspec.format import Table, byte_size, throughput
from archspec.runtime.export.verify import Verification


@dataclass(frozen=True)
class Export:
    """A version folder that was written, loaded by a fresh process, and compared with the network."""

    path: Path
    """The version folder: `DIR/1`."""
    format: str
    """Name of the export format."""
    precision: str
    """`float32`, or the lower precision of its weights or arithmetic."""
    rewrites: tuple[str, ...]
    """What `optimize` has done to the network."""
    signatures: tuple[str, ...]
    """Names of its functions: of a SavedModel `serving_default`, and `serve_images` for networks of images."""
    verification: Verification | None
    """None where the verification was switched off."""
    bytes: int
    """Size of all files."""
    usage: str
    """How to load it, in one line."""
    notes: tuple[str, ...] = ()
    """What it does not have, and why; a sentence each."""

    def __str__(self) -> str:
        return _text(self)

    @property
    def largest_difference(self) -> float | None:
        """The largest difference between its outputs and those of the network; None without verification."""
        return None if self.verification is None else self.verification.largest_difference


def _text(export: Export) -> str:
    """The files, the functions, and what the verification found, one fact a line."""
    lines = [f"wrote {export.path} ({byte_size(export.bytes)}) with {' and '.join(export.signatures)}"]
    found = export.verification
    if export.rewrites:
        lines.append(f"optimized: {', '.join(export.rewrites)}")
    if found is None:
        lines.append("not verified: `export.json` says so")
    else:
        lines.append(f"verified with {found.images} in a fresh process without archspec:")
        rows = [
            ("largest difference", f"{found.largest_difference:.1e}"),
        ]
        if len(found.differences) > 1:
            rows += [(f"  of {name}", f"{each:.1e}") for name, each in found.differences.items()]
        if found.top1_agreement is not None:
            rows.append(("same decisions", f"{100 * found.top1_agreement:.1f} %"))
        if found.top1 is not None and found.model_top1 is not None:
            rows.append(("top-1 accuracy", f"{100 * found.top1:.2f} % (the model: {100 * found.model_top1:.2f} %)"))
        rows.append(("time to load", f"{found.load_seconds:.2f} s"))
        for each in found.latencies:
            speed = f"{throughput(each.images_per_second)} images/s"
            times = f"median {1000 * each.median:.2f} ms, 95th percentile {1000 * each.p95:.2f} ms, {speed}"
            rows.append((f"latency, batch {each.batch}", times))
        if found.slowdown is not None:
            rows.append(("time of a call", f"{found.slowdown:.2f} of that of the plain export"))
        lines += [f"  {line}" for line in Table(("", ""), rows).lines()]
    return "\n".join([*lines, *export.notes, export.usage])


@dataclass(frozen=True)
class Refusal:
    """A format and precision that was not written."""

    format: str
    """Name of the export format."""
    precision: str
    """As of an export."""
    reason: str
    """Why, in one sentence."""


@dataclass(frozen=True)
class ExportTable:
    """The exports of one network in all installed formats and precisions."""

    exports: tuple[Export, ...]
    """What was written."""
    refused: tuple[Refusal, ...]
    """What was not written: slower than the plain export, less accurate, or not expressible."""

    def __str__(self) -> str:
        return _table(self)


def _table(table: ExportTable) -> str:
    """One line for each export: size, top-1, differences, time to load, latency and throughput; then the refusals."""
    rows = []
    batches = next(
        ([row.batch for row in each.verification.latencies] for each in table.exports if each.verification), []
    )
    for each in table.exports:
        found = each.verification
        cells = [each.path.parent.name, each.format, each.precision, byte_size(each.bytes)]
        if found is None:
            cells += ["", "not verified", *[""] * (3 + len(batches))]
        else:
            top1 = "" if found.top1 is None else f"{100 * found.top1:.2f} %"
            same = "" if found.top1_agreement is None else f"{100 * found.top1_agreement:.1f} %"
            cells += [top1, f"{found.largest_difference:.1e}", same]
            cells += [f"{found.load_seconds:.2f} s", *[f"{1000 * row.median:.2f}" for row in found.latencies]]
            cells.append(throughput(found.latencies[-1].images_per_second))
        rows.append(cells)
    headings = ["folder", "format", "precision", "size", "top-1", "max difference", "same decisions", "load"]
    headings += [*[f"ms, batch {batch}" for batch in batches], "images/s"]
    lines = (
        Table(headings, rows, right=headings[3:], optional=("load", "same decisions", "format")).lines() if rows else []
    )
    model = {each.verification.model_top1 for each in table.exports if each.verification}
    if len(model) == 1 and None not in model:
        lines.append(f"top-1 of the model: {100 * (model.pop() or 0):.2f} %")
    return "\n".join([*lines, *(each.reason for each in table.refused)])
