"""`archspec list`."""

from __future__ import annotations

import json

import click

from archspec import api
from archspec.cli.options import format_option
from archspec.cli.terminal import echo, width
from archspec.format import count, wrapped

WIDE = 72
"""Columns of the terminal that the list needs with the shapes of the inputs."""


@click.command("list")
@click.argument("families", nargs=-1, metavar="[FAMILY]...")
@format_option("text", "json")
def command(families: tuple[str, ...], format_: str) -> None:
    """List the networks that come with archspec, with their parameters and MACs."""
    networks = {family: list(api.networks(family)) for family in families or api.families()}
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
        narrow = (width() or WIDE) < WIDE
        for network in members:
            graph = network.graph()
            shape = "" if narrow else f"{graph.input_shape!s:<16} "
            figures = f"{count(graph.params):>7} params {count(graph.macs):>7} MACs"
            echo(f"  {network.reference:<24} {shape}{figures}")
