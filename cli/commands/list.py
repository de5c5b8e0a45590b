"""`archspec list`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from archspec import api
from archspec.cli.options import format_option
from archspec.cli.terminal import echo, terminal_width
from archspec.format import count, wrapped

WIDE = 72
"""Columns of the terminal that the list needs with the shapes of the inputs."""


@click.command("list")
@click.argument("families", nargs=-1, metavar="[FAMILY]...")
@click.option(
    "--published",
    is_flag=True,
    help="List the error rates from papers and authors instead, with their sources. archspec did not measure them.",
)
@format_option("text", "json")
def command(families: tuple[str, ...], published: bool, format_: str) -> None:
    """List the networks that come with archspec, with their parameters and MACs."""
    networks = {family: list(api.networks(family)) for family in families or api.families()}
    if published:
        _published([network for family in networks.values() for network in family], format_)
        return
    if format_ == "json":
        facts = [
            {
                "reference": network.reference,
                "input_shape": network.graph().input_shape,
                "params": network.graph().params,
                "macs": network.graph().macs,
                "source": network.spec.title,
            }
            for family in networks.values()
            for network in family
        ]
        click.echo(json.dumps(facts, indent=1))
        return
    for family, members in networks.items():
        title = wrapped(f"{family}  {members[0].spec.title}").removeprefix(family)
        click.secho(family, bold=True, nl=False)
        click.echo(title)
        narrow = (terminal_width() or WIDE) < WIDE
        for network in members:
            graph = network.graph()
            shape = "" if narrow else f"{graph.input_shape!s:<16} "
            figures = f"{count(graph.params):>7} params {count(graph.macs):>7} MACs"
            echo(f"  {network.reference:<24} {shape}{figures}")


def _published(networks: Sequence[api.Network], format_: str) -> None:
    """Print the published error rates, below each source."""
    if format_ == "json":
        facts = [
            {"reference": network.reference, **each.to_json()} for network in networks for each in network.published
        ]
        click.echo(json.dumps(facts, indent=1))
        return
    by_source: dict[tuple[str, str, str], list[str]] = {}
    for network in networks:
        for each in network.published:
            rates = f"{_percent(each.top1_error)} {_percent(each.top5_error)}"
            line = f"  {network.reference:<30} {rates}{'  ensemble' if each.ensemble else ''}"
            by_source.setdefault((each.source, each.data, each.protocol), []).append(line)
    if not by_source:
        echo("none of these networks has published error rates in its spec")
        return
    echo("error rates in percent, as published, not measured here")
    click.secho(f"{'':32}{'top-1':>7} {'top-5':>7}", bold=True)
    for (source, data, protocol), lines in by_source.items():
        echo(f"{source} ({data}, {protocol})")
        for line in lines:
            echo(line)


def _percent(rate: float | None) -> str:
    return f"{'-':>7}" if rate is None else f"{rate:>7.2f}"
