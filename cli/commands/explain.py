"""`archspec explain METHOD MODEL IMAGE...`: one command for each method, whose options are derived from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import click

from archspec import api
from archspec.cli.options import count_option, custom, format_option
from archspec.cli.terminal import DataCommand, SentenceGroup, echo, progress_line
from archspec.diagnostics import counted, printable

SINGULAR = {"classes": "class", "channels": "channel"}
"""Options that are given once for each value."""
METHODS = {each.name: each for each in api.explain_methods()}


class Methods(SentenceGroup):
    """The methods of explanation, whose first sentences are listed."""

    def summaries(self, ctx: click.Context) -> Mapping[str, str]:
        return {name: each.description.splitlines()[0] for name, each in METHODS.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(METHODS)


@click.group("explain", cls=Methods, subcommand_metavar="METHOD MODEL [IMAGE]...")
def command() -> None:
    """Explain what a trained network does with images: heat maps, gradients, features, and the numbers behind them."""


def method_option(argument: Any) -> click.Option:
    """The option of an argument of a method."""
    schema, default = argument.schema, argument.default
    kinds = schema.get("type", [])
    item = schema.get("items", {}).get("type")
    words = [item] if item else [kinds] if isinstance(kinds, str) else kinds
    name = f"--{SINGULAR.get(argument.name, argument.name).replace('_', '-')}"
    options: dict[str, Any] = {"help": f"{argument.doc[:1].upper()}{argument.doc[1:]}.", "default": None}
    if "boolean" in words:
        return click.Option([name, argument.name], is_flag=True, **(options | {"default": default}))
    if "enum" in schema:
        options["type"] = click.Choice(schema["enum"])
    else:
        options["type"] = int if "integer" in words else float if "number" in words else str
    if item:
        options |= {"multiple": True, "default": ()}
        default = ", ".join(map(str, default))
    if default not in (None, ""):
        options["help"] += f"  [default: {default}]"
    if argument.name == "classes":
        options["metavar"] = "NAME|N|top-K"
    elif argument.name == "layer":
        options["metavar"] = "PATH"
    return click.Option([name, argument.name], **options)


def method_command(method: api.ExplainMethodSummary) -> click.Command:
    """The command of a method."""

    @click.argument("model", type=click.Path(path_type=Path))
    @click.option("--data", metavar="DATA", help="Images of a data source.")
    @click.option("--split", default="validation", show_default=True, metavar="PART", help="The part of DATA.")
    @click.option("--per-class", type=click.IntRange(min=1), metavar="N", help="Images of each class of DATA.")
    @click.option(
        "--classes",
        "class_names",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Names of the classes, as for `archspec predict`.  [default: those of the model]",
    )
    @count_option("--batch-size", 32, "Images in a step")
    @custom
    @format_option("text", "json")
    @click.option(
        "-o", "--out", required=True, type=click.Path(path_type=Path), help="The folder to write, new or empty."
    )
    @click.option("--raw", is_flag=True, help="Write the maps as maps.npz too.")
    @click.option("--overwrite", is_flag=True, help="Replace an earlier explanation.")
    @click.pass_context
    def call(
        ctx: click.Context,
        /,
        model: Path,
        class_names: Path | None,
        batch_size: int,
        format_: Literal["text", "json"],
        out: Path,
        raw: bool,
        overwrite: bool,
        images: tuple[str, ...] = (),
        data: str | None = None,
        split: str = "validation",
        per_class: int | None = None,
        **settings: Any,
    ) -> None:
        if method.takes == "images" and not images and data is None:
            raise click.UsageError("Missing argument 'IMAGE...' or option '--data'.", ctx)
        if method.takes == "data" and data is None:
            raise click.UsageError("Missing option '--data'.", ctx)
        for name in ("per_class", "split"):
            if (
                name in ctx.params
                and data is None
                and ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
            ):
                raise click.UsageError(f"'--{name.replace('_', '-')}' needs option '--data'.", ctx)
        api.check_explanation_folder(out, overwrite=overwrite)
        explanation = api.explain(
            model,
            images,
            method=method.name,
            settings={name: value for name, value in settings.items() if value not in (None, ())},
            data=data,
            split=split,
            per_class=per_class,
            class_names=class_names,
            batch_size=batch_size,
            report=progress_line,
        )
        explanation.write(out, overwrite=overwrite, raw=raw)
        echo(explanation.render(format_), format_)
        if format_ == "text":
            layer = f" at {explanation.layer}" if explanation.layer else ""
            count = len(explanation.images)
            images_text = f", {counted(count, 'image')}" if count else ""
            echo(f"wrote {out}: {method.name}{layer}{images_text}")
            for file, error in explanation.bad_images.items():
                click.echo(f"error[bad-images]: `{printable(file)}`: {error}", err=True)
        if explanation.bad_images:
            ctx.exit(1)

    if method.takes != "nothing":
        call = click.argument("images", nargs=-1, metavar="[IMAGE]...", type=click.Path())(call)
    kind = click.Command if method.takes == "nothing" else DataCommand
    made = click.command(method.name, cls=kind, help=method.description)(call)
    made.epilog = f"Caveat: {method.caveat}." if method.caveat else None
    if method.takes == "nothing":
        made.params = [each for each in made.params if each.name not in ("data", "split", "per_class")]
    arguments = [each for each in made.params if isinstance(each, click.Argument)]
    made.params = [
        *sorted(arguments, key=lambda each: each.name != "model"),
        *map(method_option, method.options),
        *(each for each in made.params if not isinstance(each, click.Argument)),
    ]
    return made


for each in METHODS.values():
    command.add_command(method_command(each))
