"""Options and arguments that several commands share, with their completion."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def complete_reference(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """Families and variants for the shell, then files."""
    from click.shell_completion import CompletionItem

    from archspec import api

    family, colon, _ = incomplete.partition(":")
    if colon and family in api.families():
        names = [network.reference for network in api.networks(family)]
    else:
        names = api.families()
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def reference(function: F) -> F:
    """The argument REF."""
    return click.argument("reference", metavar="REF", shell_complete=complete_reference)(function)


def settings(function: F) -> F:
    """`--set NAME=VALUE`, any number of times."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        help="Change a param of the page (classes=10, input=[64,64,3]) or its recipe (train.epochs=5).",
    )(function)


def recipe(function: F) -> F:
    """`--recipe FILE`."""
    return click.option(
        "--recipe",
        metavar="FILE",
        shell_complete=complete_recipe,
        help="A file with a recipe in place of the page's `train:`, or the name of a shipped one.",
    )(function)


def complete_recipe(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """Shipped recipes for the shell, then files."""
    from click.shell_completion import CompletionItem

    from archspec import api

    found = [CompletionItem(name) for name in api.recipes() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def seed(meaning: str) -> Callable[[F], F]:
    """`--seed N`: what NumPy and Keras take for one."""
    return click.option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        metavar="N",
        default=0,
        show_default=True,
        help=f"{meaning} From 0 to 2^32 - 1.",
    )


def format_option(*formats: str) -> Callable[[F], F]:
    return click.option(
        "--format",
        "format_",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Form of the output.",
    )


def load(reference: str, texts: tuple[str, ...], recipe: str | None = None) -> Any:
    """The network of a REF under `--set` and `--recipe`."""
    from archspec import api
    from archspec.diagnostics import fail
    from archspec.lang.spec.overrides import parse_settings

    given = parse_settings(texts)
    if "recipe" in given:
        raise fail("setting", "`recipe` is no param that can be set", help="another recipe is given by `--recipe FILE`")
    return api.load(reference, recipe=recipe, **given)


def data(function: F) -> F:
    """`--data SOURCE`."""
    return click.option(
        "--data",
        required=True,
        metavar="DATA",
        help="`digits`; a folder of class folders or TFRecords; an .npz, .csv, .parquet or TFRecord file; "
        "`keras:NAME`; `tfds:NAME`.",
    )(function)


def devices(function: F) -> F:
    """`--devices N|all|cpu:N`."""
    return click.option(
        "--devices",
        metavar="N|all|cpu:N",
        help="How many devices: GPUs, or without any, N parts of the CPU, as always by `cpu:N`.  [default: all]",
    )(function)


def several_hosts(function: F) -> F:
    """`--worker I --workers HOST:PORT,...`."""
    number = click.option(
        "--worker", type=click.IntRange(min=0), metavar="I", help="Which of the workers this process is."
    )
    every = click.option(
        "--workers", metavar="HOST:PORT,...", help="All processes that work together, the same list on every host."
    )
    return number(every(function))


def skip_bad_images(function: F) -> F:
    return click.option("--skip-bad-images", is_flag=True, help="Leave out files that cannot be decoded.")(function)


def program() -> str:
    """How to call this program again: by its name if the shell finds it so, else by the path it was called with."""
    called = sys.argv[0]
    if os.path.basename(called) != "archspec":
        return f"{shlex.quote(os.path.relpath(sys.executable))} -m archspec"
    found = shutil.which("archspec")
    if os.sep not in called or (found and os.path.realpath(found) == os.path.realpath(called)):
        return "archspec"
    return shlex.quote(called)
