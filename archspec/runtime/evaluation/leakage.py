"""A note if an evaluation includes images that the network was trained on."""

from __future__ import annotations

from pathlib import Path

from archspec.diagnostics import ArchspecError
from archspec.runtime.evaluation.options import EvaluationOptions
from archspec.runtime.runs.settings import read_settings


def seen_in_training(model: Path, options: EvaluationOptions) -> str | None:
    """A note with the remedy; None where nothing is known to be wrong.

    A run that held out a share of its data knows which: with another share or seed, the evaluation of the same data
    includes training images.

    Args:
        model: a run directory, or a model file in it.
    """
    if options.data is None or options.split != "validation":
        return None
    try:
        _, trained = read_settings(model if model.is_dir() else model.parent)
    except ArchspecError:  # not a run
        return None
    if trained.validation_split is None or Path(options.data).resolve() != Path(trained.data).resolve():
        return None
    if (options.validation_split, options.seed) == (trained.validation_split, trained.seed):
        return None
    _, _, *held_out = trained.data_arguments
    return f"note: `{model}` was trained on part of these images; `{' '.join(held_out)}` leaves those out"
