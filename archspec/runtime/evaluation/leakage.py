"""Whether an evaluation counts images that the network was trained on."""

from __future__ import annotations

from pathlib import Path

from archspec.diagnostics import ArchspecError
from archspec.runtime.runs.settings import read_settings


def seen_in_training(model: Path, data: str, validation_split: float | None, seed: int) -> str | None:
    """A line that says so, with the remedy; None where there is nothing to say.

    That is known of a run that held out a share of the same data: other arguments than its own draw another share.

    Args:
        model: a run directory, or a model file in it.
        data, validation_split, seed: of `evaluate`.
    """
    run = model if model.is_dir() else model.parent
    try:
        _, job = read_settings(run)
    except ArchspecError:
        return None
    if job.validation_split is None or (validation_split, seed) == (job.validation_split, job.seed):
        return None
    if Path(data).resolve() != Path(job.data).resolve():
        return None
    _, _, *held_out = job.data_arguments
    return f"note: `{model}` was trained on part of these images; `{' '.join(held_out)}` leaves those out"
