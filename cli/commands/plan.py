"""`archspec plan REF`."""

from __future__ import annotations

from typing import get_args

import click

from archspec import api
from archspec.cli.options import count_option, format_option, load, recipe, reference, settings
from archspec.cli.terminal import echo
from archspec.diagnostics import counted
from archspec.format import parse_bytes


class Size(click.ParamType[float]):
    """80GB, 24GiB."""

    name = "size"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        size = value if isinstance(value, float) else parse_bytes(value)
        if isinstance(value, str) and value.strip()[-1:].isdecimal():
            self.fail(f"{value!r} has no unit: {value.strip()}GB, {value.strip()}GiB", param, ctx)
        if not size:
            self.fail(f"{value!r} is not a size of memory such as 80GB or 24GiB", param, ctx)
        return size


@click.command("plan")
@reference
@settings
@recipe
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="Images in a step, over all devices.  [default: the batch size of the recipe]",
)
@count_option("--devices", 1, "Number of devices")
@click.option("--memory", type=Size(), help="Memory of a device: 80GB, 24GiB.  [default: the memory of --device]")
@click.option("--device", type=click.Choice(api.accelerators()), help="Accelerator, for an upper bound on the speed.")
@format_option(*get_args(api.PlanFormat))
def command(
    reference: str,
    settings: tuple[str, ...],
    recipe: str | None,
    batch_size: int | None,
    devices: int,
    memory: float | None,
    device: str | None,
    format_: api.PlanFormat,
) -> None:
    """Estimate whether training fits into memory, with an upper bound on its speed. Needs no TensorFlow.

    The optimizer, the precision and the batch size are those of the recipe, which --set can change: --set
    train.dtype_policy=mixed_bfloat16.
    """
    network = load(reference, settings, recipe)
    batch_size = batch_size or network.recipe.batch_size
    if batch_size < devices:
        raise click.UsageError(
            f"A batch of {counted(batch_size, 'image')} cannot be split over {counted(devices, 'device')}."
        )
    plan = api.plan(network, batch_size=batch_size, devices=devices, memory=memory, device=device)
    echo(plan.render(format_), format_)
