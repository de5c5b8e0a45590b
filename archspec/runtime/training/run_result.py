"""The result of a training run, an example image, and the commands to try next."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archspec.diagnostics import counted, fail, listed
from archspec.format import duration
from archspec.runtime.data.images import Images
from archspec.runtime.runs.run_directory import EXAMPLE, MODELS
from archspec.runtime.runs.train_config import TrainConfig
from archspec.runtime.system.atomic_write import atomic
from archspec.runtime.system.png import Png
from archspec.runtime.training.records.progress import metric_name, metric_text


@dataclass(frozen=True)
class RunResult:
    """A finished or interrupted run, whose files are complete."""

    directory: Path
    """The run directory."""
    signal: int | None
    """The signal that interrupted the run: SIGINT (Ctrl-C), SIGTERM, SIGHUP, or None."""
    epochs: int
    """Finished epochs."""
    seconds: float
    """From the first step to the last file."""
    best_epoch: int | None
    """None when no epoch was finished."""
    best_top1: float | None
    """Validation accuracy of the best epoch, a share; None for other targets than one class for each image."""
    data_arguments: tuple[str, ...]
    """The arguments of `evaluate` that name the run's validation images."""
    example: Path | None
    """One of the validation images, to try `predict` on; None for other data."""
    best_metrics: Mapping[str, float] = field(default_factory=dict)
    """The main validation metric of each output in the best epoch: `top1`, `auc`, `map`, `r2`; or `color_top1`, ..."""
    late_signal: int | None = None
    """A signal that came when the last epoch had ended, so that it interrupted nothing."""

    def __repr__(self) -> str:
        return f"<RunResult: {self.summary()}>"

    def __str__(self) -> str:
        return self.summary()

    @property
    def history(self) -> list[dict[str, float]]:
        """The rows of history.csv: epoch, learning_rate, loss, top1, val_loss, val_top1, val_top5, or other metrics."""
        try:
            with (self.directory / "history.csv").open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except FileNotFoundError:  # no epoch is finished
            return []
        return [{name: int(text) if name == "epoch" else float(text) for name, text in row.items()} for row in rows]

    def curves(self) -> Png:
        """The learning curves, as in curves.png of the run directory.

        Raises:
            ArchspecError: `no-curves` where no epoch is finished.
        """
        file = self.directory / "curves.png"
        if not file.is_file():
            fact = f"`{self.directory}` has no curves: no epoch is finished"
            raise fail("no-curves", fact, help="continue the run: `archspec train --resume`")
        return Png(f"learning curves of {self.directory}", file.read_bytes())

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended the run before its last epoch."""
        return self.signal is not None

    def summary(self) -> str:
        """One sentence with the results."""
        how = "interrupted" if self.interrupted else "trained"
        if self.best_epoch is None:
            return f"{how} before the end of the first epoch; the network is in {self.directory / 'last.keras'}"
        return (
            f"{how} after {counted(self.epochs, 'epoch')} in {duration(self.seconds)}; "
            f"best validation {self._best()} in epoch {self.best_epoch}, saved in {self.directory}"
        )

    def _best(self) -> str:
        metrics = {"top1": self.best_top1} if self.best_top1 is not None else self.best_metrics
        return listed(f"{metric_name(name)} {metric_text(name, value)}" for name, value in metrics.items())

    def next_commands(self, program: str = "archspec") -> tuple[str, ...]:
        """Shell commands to run next; `program` is the name of the command."""
        commands = [["train", "--resume", str(self.directory)]] if self.interrupted else []
        if not any((self.directory / name).is_file() for name in MODELS):
            return tuple(f"{program} {shlex.join(command)}" for command in commands)
        commands += [["evaluate", str(self.directory), *self.data_arguments]]
        commands += [["report", str(self.directory), "-o", str(self.directory / "report.html")]]
        if self.example:
            commands.append(["predict", str(self.directory), str(self.example)])
        commands.append(["export", str(self.directory), "-o", str(self.directory / "savedmodel")])
        return tuple(f"{program} {shlex.join(command)}" for command in commands)


def finished_result(directory: Path, settings: Mapping[str, Any], config: TrainConfig) -> RunResult:
    """The result of a run that has finished before, from its run.json."""
    best, example = settings["best"] or {}, directory / EXAMPLE
    return RunResult(
        directory=directory,
        signal=None,
        epochs=settings["epochs_finished"],
        seconds=settings["seconds"],
        best_epoch=best.get("epoch"),
        best_top1=best.get("val_top1"),
        best_metrics={name[4:]: value for name, value in best.items() if name[:4] == "val_" and name != "val_loss"},
        data_arguments=config.data_arguments,
        example=example if example.is_file() else None,
    )


def write_example(directory: Path, images: Images) -> None:
    """Write one of the images to the run directory, if they come from memory and none is there."""
    pixels = images.pixels
    if pixels is None or pixels.ndim != 4 or pixels.shape[-1] not in (1, 3) or (directory / EXAMPLE).exists():
        return
    from PIL import Image

    with atomic(directory / EXAMPLE) as temporary:
        Image.fromarray(pixels[0].squeeze(-1) if pixels.shape[-1] == 1 else pixels[0]).save(temporary)


def example_file(directory: Path, images: Images) -> Path | None:
    """The image of the run directory, or one of the image files; None for other data."""
    written = directory / EXAMPLE
    if written.is_file():
        return written
    return Path(images.files[0]) if images.files is not None and images.spans is None else None
