"""`archspec plan REF`."""

from __future__ import annotations

import click

from archspec.cli.options import format_option, load, recipe, reference, settings
from archspec.diagnostics import fail
from archspec.format import parse_bytes
from archspec.graph.analysis.plan_formats import FORMATS
from archspec.graph.analysis.roofline import DEVICES
from archspec.graph.analysis.training_memory import Precision
from archspec.graph.analysis.training_plan import plan


class Size(click.ParamType[float]):
    """80GB, 24GiB."""

    name = "size"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        size = value if isinstance(value, float) else parse_bytes(value)
        if isinstance(value, str) and value.strip()[-1:].isdecimal():
            self.fail(f"{value!r} has no unit: {value.strip()}GB, {value.strip()}GiB", param, ctx)
        if not size:
            self.fail(f"{value!r} is no size of memory: 80GB, 24GiB", param, ctx)
        return size


@click.command("plan")
@reference
@settings
@recipe
@click.option(
    "--batch-size", type=click.IntRange(min=1), help="Images a step, over all devices.  [default: the page's]"
)
@click.option("--devices", type=click.IntRange(min=1), default=1, show_default=True, help="How many devices.")
@click.option("--memory", type=Size(), help="Memory of a device: 80GB, 24GiB.  [default: that of --device]")
@click.option("--device", type=click.Choice([*DEVICES]), help="Whose data sheet the roofline takes.")
@format_option(*FORMATS)
def command(
    reference: str,
    settings: tuple[str, ...],
    recipe: str | None,
    batch_size: int | None,
    devices: int,
    memory: float | None,
    device: str | None,
    format_: str,
) -> None:
    """Say whether training fits into memory, and how fast it can be at best. Allocates nothing; needs no TensorFlow.

    The optimizer, the precision and the batch are those of the recipe: --set train.dtype_policy=mixed_bfloat16.
    """
    network = load(reference, settings, recipe)
    given = network.recipe
    graph = network.graph()
    batch_size = batch_size or given.batch_size
    if batch_size < devices:
        raise click.UsageError(f"{batch_size} images cannot be shared out over {devices} devices.")
    found = plan(
        graph,
        batch_size,
        devices,
        memory,
        DEVICES[device] if device else None,
        slots=given.optimizer.values_per_weight,
        precision=Precision(given.dtype_policy),
    )
    if found is None:
        fact = f"a size of `{graph.name}` is free, so that the memory is not known"
        raise fail("free-input", fact, help="`--set input=[224,224,3]`")
    click.echo(FORMATS[format_](found))
