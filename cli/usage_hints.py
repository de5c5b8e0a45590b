"""Hints for wrong usage: options under their names in other programs, and arguments in the wrong place."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import click

from archspec import api

OTHER_NAMES = {
    **dict.fromkeys(("--gpu", "--gpus", "--device", "--cuda"), "--devices"),
    **dict.fromkeys(("-e", "--epoch", "--num-epochs", "--n-epochs"), "--epochs"),
    **dict.fromkeys(("-b", "--batch", "--bs", "--batchsize"), "--batch-size"),
    **dict.fromkeys(("-d", "--dataset", "--data-dir", "--data-path"), "--data"),
    **dict.fromkeys(("--output", "--output-dir", "--out-dir", "--save", "--save-dir"), "--out"),
    **dict.fromkeys(("--pretrained", "--checkpoint", "--init", "--weights"), "--init-from"),
    **dict.fromkeys(("--val-split", "--val", "--test-size"), "--validation-split"),
    **dict.fromkeys(("--force", "-f", "--replace"), "--overwrite"),
    **dict.fromkeys(("--param", "--override", "--config", "-s"), "--set"),
}
"""Options of other programs -> ours, for the commands that have them."""


def usage_hint(error: click.UsageError, words: Sequence[str]) -> str | None:
    """What to write instead of the words of a command line, where that is clear."""
    options = [option for each in (error.ctx.command.params if error.ctx else ()) for option in each.opts]
    if isinstance(error, click.NoSuchOption):
        name = OTHER_NAMES.get(error.option_name, "")
        if name in options:
            return f"Write `{name}`."
        setting = api.recipe_setting(error.option_name.lstrip("-").replace("-", "_")) if "--set" in options else None
        return f"Write `--set {setting}=...`." if setting else None
    if isinstance(error, click.BadParameter) and getattr(error.param, "metavar", "") == "SHARE":
        return "Write a share between 0 and 1, such as 0.2."
    found = re.match(r"Got unexpected extra arguments? \((\S+?)[ )]", error.message)
    if not found or found[1] not in words:
        return None
    extra = found[1]
    before = words[: words.index(extra)]
    if before[-2:-1] == ["--set"] and "=" not in before[-1]:
        return f"Write `--set {before[-1]}={extra}`."
    if before[-1].endswith((".yaml", ".yml")) and re.fullmatch(r"[\w-]+", extra) and not os.path.exists(extra):
        return f"Write `{before[-1]}:{extra}`."
    return f"Write `--data {extra}`." if "--data" in options and "--data" not in words else None


def command_meant(word: str) -> str | None:
    """The hint for a spec in the place of a command."""
    spec = word.endswith((".yaml", ".yml")) or word.partition(":")[0] in api.families()
    return f"To see a network, write `archspec summarize {word}`." if spec else None
