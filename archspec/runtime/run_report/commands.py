"""The shell commands that repeat a run, its evaluation and its report."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.runtime.run_report.content import ShellCommands
from archspec.runtime.runs.run_directory import SPEC
from archspec.runtime.runs.train_config import TrainConfig


def commands_of(
    directory: Path, record: Mapping[str, Any], config: TrainConfig, evaluation: Sequence[str], report: Sequence[str]
) -> ShellCommands:
    """The commands.

    Args:
        evaluation: the arguments of `evaluate` behind the model.
        report: the options of `report`.
    """
    train = ["train", str(directory / SPEC), "--data", config.data, "-o", f"{directory}-again"]
    train += ["--seed", str(config.seed)]
    if config.validation_split is not None:
        train += ["--validation-split", f"{config.validation_split:g}"]
    train += ["--skip-bad-images"] if config.skip_bad_images else []
    train += ["--init-from", config.init_from] if config.init_from else []
    train += [word for each in config.init_map for word in ("--init-map", str(each))]
    train += ["--adapt-input"] if config.adapt_input else []
    train += ["--checkpoint-every", config.checkpoint_every] if config.checkpoint_every else []
    train += ["--deterministic"] if config.deterministic else []
    train += _devices(str(record["devices"]))
    return ShellCommands(
        _command(train),
        _command(["evaluate", str(directory), *evaluation]),
        _command(["report", str(directory), "-o", "report.html", *report]),
        tuple(_caveats(directory, record, config)),
    )


def _command(words: Sequence[str]) -> str:
    return f"archspec {shlex.join(words)}"


def _devices(devices: str) -> list[str]:
    """The option for the devices of run.json: `2 GPUs`, `2 logical CPU devices`; none for `1 CPU`, the default."""
    found = re.fullmatch(r"(\d+) (GPU|logical CPU device)s?", devices)
    return ["--devices", found[1] if found[2] == "GPU" else f"cpu:{found[1]}"] if found else []


def _caveats(directory: Path, record: Mapping[str, Any], config: TrainConfig) -> list[str]:
    found = [
        "The same versions, kind of processor, devices and number of threads give bit-identical weights; "
        "others agree only to rounding."
    ]
    if "GPU" in str(record["devices"]) and not config.deterministic:
        found[0] = "The run was on a GPU without --deterministic, so another run gives slightly different weights."
    if record["resumed"]:
        times = len(record["resumed"])
        found.append(f"The run was resumed {times} time{'s' if times > 1 else ''}, which does not change its result.")
    if "worker" in str(record["devices"]):
        found.append(f"The run was on {record['devices']}: start the command on each worker.")
    if not Path(config.data).is_absolute():
        found.append(f"`{config.data}` is as it was given; a relative path starts in the folder of the run's command.")
    return found
