"""`archspec export MODEL`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal, get_args

import click
from click.core import ParameterSource

from archspec import api
from archspec.cli.options import custom, seed
from archspec.cli.terminal import echo, progress_line

FORMATS = dict(api.export_formats())


def _described(name: str, text: str) -> str:
    """The help for a format; lists, which are indented, keep their lines."""
    summary, rest, *others = f"--format {name}: {text}\n\n".split("\n\n")
    return "\n\n".join([f"{summary} {rest}", *("\b\n" + each if each.startswith(" ") else each for each in others)])


HELP = (
    "Export a trained model for programs without archspec, as a new numbered version in a folder: DIR/1.\n\n"
    "A fresh process without archspec loads the export and runs it on images; it is kept only if its outputs are those "
    "of the model. export.json in the version folder says what it takes and returns, and what was measured.\n\n"
    + "\n\n".join(_described(*each) for each in FORMATS.items())
)


@click.command("export", help=HELP)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder of the numbered versions.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    default="savedmodel",
    show_default=True,
    help="Export format.",
)
@click.option(
    "--all",
    "all_",
    is_flag=True,
    help="Export in all installed formats and precisions, to DIR/FORMAT[-PRECISION], and print one table.",
)
@click.option("--overwrite", is_flag=True, help="Replace the newest version instead of adding one.")
@click.option(
    "--outputs", metavar="PATH,...", help="Layers whose outputs are exported too, by their paths: stage2/conv1."
)
@click.option(
    "--input-size",
    metavar="PIXELS|free",
    help="Side of the images, or `free` for any size.  [default: that of the network]",
)
@click.option("--dense", is_flag=True, help="Export the fully convolutional network, which takes images of any size.")
@click.option("--optimize", is_flag=True, help="Rewrite the network for inference: fewer layers, the same outputs.")
@click.option(
    "--warm-up",
    is_flag=True,
    help="Add requests to a SavedModel that TensorFlow Serving runs before it serves the version.",
)
@click.option(
    "--precision",
    type=click.Choice(get_args(api.ExportPrecision)),
    default="float32",
    show_default=True,
    help="Precision of weights and arithmetic. float16 exists in all formats, bfloat16 in savedmodel and keras, and "
    "int8 in onnx and litert.",
)
@click.option(
    "--calibration",
    metavar="DATA",
    help="For int8 only: images like those that the network will see; 100 to 500 are used.",
)
@click.option(
    "--max-loss",
    type=click.FloatRange(min=0),
    metavar="POINTS",
    default=1.0,
    show_default=True,
    help="Percentage points of top-1 accuracy that a lower precision may lose; else nothing is written.",
)
@click.option(
    "--data",
    metavar="DATA",
    help="Labelled images to verify with and to measure top-1 accuracy on: a data source, as for `archspec train`.  "
    "[default: generated images]",
)
@click.option(
    "--split", metavar="PART", default="validation", show_default=True, help="The part of DATA to verify with."
)
@click.option(
    "--images",
    type=click.IntRange(min=1),
    metavar="N",
    default=256,
    show_default=True,
    help="Verify with at most N images of DATA, balanced over the classes.",
)
@custom
@seed("Seed of the choice of images")
@click.option("--no-verify", is_flag=True, help="Do not load and compare the export; export.json notes it.")
@click.pass_context
def command(
    ctx: click.Context,
    model: Path,
    out: Path,
    format_: str,
    all_: bool,
    overwrite: bool,
    outputs: str | None,
    input_size: str | None,
    dense: bool,
    optimize: bool,
    warm_up: bool,
    precision: api.ExportPrecision,
    calibration: str | None,
    max_loss: float,
    data: str | None,
    split: str,
    images: int,
    seed: int,
    no_verify: bool,
) -> None:
    export = partial(api.export, format=format_, precision=precision, warm_up=warm_up)
    if all_:
        for name, option in (("format_", "--format"), ("precision", "--precision"), ("warm_up", "--warm-up")):
            if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE:
                raise click.UsageError(f"--all exports every format and precision, so leave out {option}.", ctx)
    done = (api.export_all if all_ else export)(
        model,
        out,
        overwrite=overwrite,
        outputs=[path.strip() for path in outputs.split(",")] if outputs else [],
        input_size=_size(input_size),
        dense=dense,
        optimize=optimize,
        calibration=calibration,
        max_loss=max_loss,
        verify=not no_verify,
        data=data,
        split=split,
        images=images,
        seed=seed,
        report=progress_line,
    )
    echo(str(done))


def _size(text: str | None) -> int | Literal["free"] | None:
    if text is None or text == "free":
        return text  # type: ignore[return-value]
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise click.BadParameter(f"`{text}` is neither a number of pixels nor `free`", param_hint="--input-size")
