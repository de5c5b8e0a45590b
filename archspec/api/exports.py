"""Export trained models for programs without archspec."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from archspec.api.choices import ExportPrecision
from archspec.arguments import PositiveInt, Range, Seed, StrPath, as_path, public
from archspec.wording import reporter

if TYPE_CHECKING:
    from archspec.runtime.export.export_result import Export, ExportTable


@public()
def export(
    model: StrPath,
    out: StrPath,
    *,
    format: str = "savedmodel",
    overwrite: bool = False,
    outputs: Sequence[str] = (),
    input_size: PositiveInt | Literal["free"] | None = None,
    dense: bool = False,
    optimize: bool = False,
    warm_up: bool = False,
    precision: ExportPrecision = "float32",
    calibration: StrPath | None = None,
    max_loss: Annotated[float, Range(0)] = 1.0,
    verify: bool = True,
    data: StrPath | None = None,
    split: str = "validation",
    images: PositiveInt = 256,
    seed: Seed = 0,
    report: Callable[[str], None] | None = None,
) -> Export:
    """Export a trained model for programs without archspec, as a new numbered version in a folder: `out/1`.

    A fresh process without archspec loads the export and runs it on images. The export gets its name only when its
    outputs are those of the model. `export.json` beside it says what it takes and returns, and what was measured.

    Args:
        model: a `.keras` file or a run directory.
        out: the folder of the versions.
        format: one of `export_formats()`.
        overwrite: replace the newest version instead of adding one.
        outputs: paths of layers whose outputs are exported too: `stage2/conv1`.
        input_size: side of the images in pixels, or "free" for images of any size; by default that of the network.
        dense: export the fully convolutional network (`convolutionalize`), which averages its scores over the image.
        optimize: rewrite the network for inference: fewer layers, the same outputs to 1e-5 of the largest logit.
        warm_up: add warm-up requests for TensorFlow Serving to a SavedModel, which calls them before it serves.
        precision: of weights and arithmetic; `export_formats()` says which formats have which.
        calibration: for int8 only, images like those that the network will see: a data source.
        max_loss: percentage points of top-1 accuracy that a precision below float32 may lose.
        verify: load the export in a fresh process and compare it with the model.
        data: labelled images to verify with, and to measure top-1 accuracy on; by default generated images.
        split: the part of the data: "train", "validation", "test".
        images: the largest number of images to verify with; they are balanced over the classes.
        seed: seed of the choice of images.
        report: called with lines of progress.

    Raises:
        ArchspecError: `unknown-format`, `missing-package`, `output-exists`, `cannot-write`, `no-classifier`,
            `unknown-layer`, `not-exportable`, `not-finite`, `export-differs`, `export-fails`, `precision`,
            `calibration`, `warm-up`, `export-slower`, `export-loses`, `shape`, `not-convolutional`; the errors of
            reading a model file and data.
    """
    from archspec.runtime.export.exporter import ExportOptions, export

    options = ExportOptions(
        format=format,
        overwrite=overwrite,
        outputs=tuple(outputs),
        input_size=input_size,
        dense=dense,
        optimize=optimize,
        warm_up=warm_up,
        precision=precision,
        calibration=as_path(calibration),
        max_loss=max_loss,
        verify=verify,
        data=as_path(data),
        split=split,
        images=images,
        seed=seed,
        report=reporter(report),
    )
    return export(as_path(model), as_path(out), options)


@public()
def export_all(
    model: StrPath,
    out: StrPath,
    *,
    overwrite: bool = False,
    outputs: Sequence[str] = (),
    input_size: PositiveInt | Literal["free"] | None = None,
    dense: bool = False,
    optimize: bool = False,
    calibration: StrPath | None = None,
    max_loss: Annotated[float, Range(0)] = 1.0,
    verify: bool = True,
    data: StrPath | None = None,
    split: str = "validation",
    images: PositiveInt = 256,
    seed: Seed = 0,
    report: Callable[[str], None] | None = None,
) -> ExportTable:
    """Export a trained model in all installed formats and precisions: `out/onnx/1`, `out/onnx-int8/1`, ...

    Args:
        model: a `.keras` file or a run directory.
        out: the folder of the exports.
        overwrite: replace the newest version of each instead of adding one.
        outputs: as for `export`, and so are the other arguments.
        calibration: images for int8; by default the training part of `data`.
        data: labelled images to verify with. Without data and `calibration` there is no int8.

    Returns:
        A table; its text has a line for each export, and the reasons why others were not written.

    Raises:
        ArchspecError: those of `export`. A format that is slower, less accurate or impossible is in the table instead.
    """
    from archspec.runtime.export.export_all import export_all
    from archspec.runtime.export.exporter import ExportOptions

    options = ExportOptions(
        overwrite=overwrite,
        outputs=tuple(outputs),
        input_size=input_size,
        dense=dense,
        optimize=optimize,
        calibration=as_path(calibration),
        max_loss=max_loss,
        verify=verify,
        data=as_path(data),
        split=split,
        images=images,
        seed=seed,
        report=reporter(report),
    )
    return export_all(as_path(model), as_path(out), options)


def export_formats() -> list[tuple[str, str]]:
    """The export formats, those of plugins included: the name, and a description whose first line is a summary."""
    from archspec.runtime.export import EXPORT_FORMATS

    return [(name, inspect.cleandoc(each.__doc__ or "")) for name, each in EXPORT_FORMATS.with_plugins().items()]
