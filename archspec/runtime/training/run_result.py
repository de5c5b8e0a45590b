"""How a training run ended, and what to try next."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from archspec.format import duration


@dataclass(frozen=True)
class RunResult:
    """A run that left its files in order. The command line exits with 128 + signal when one ended it."""

    directory: Path
    signal: int | None
    """The signal that ended it early: SIGINT (Ctrl-C), SIGTERM, SIGHUP, or None."""
    epochs: int
    """Finished epochs."""
    seconds: float
    """From the first step to the last file."""
    best_epoch: int | None
    """None when no epoch was finished."""
    best_top1: float | None
    """Validation accuracy of the best epoch, a share from 0 to 1."""
    data_arguments: tuple[str, ...]
    """The arguments of `evaluate` that name the run's validation images."""
    example: Path | None
    """One of the validation images, to try `predict` on; None for data that are not images."""

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended it before its last epoch."""
        return self.signal is not None

    def summary(self) -> str:
        """One sentence with the figures."""
        how = "interrupted" if self.interrupted else "trained"
        if self.best_epoch is None or self.best_top1 is None:
            return f"{how} before the first epoch was over; the network is in {self.directory / 'last.keras'}"
        return (
            f"{how} after {self.epochs} epoch{'s' if self.epochs > 1 else ''} in {duration(self.seconds)}; "
            f"best validation top-1 {100 * self.best_top1:.2f} % in epoch {self.best_epoch}, kept in {self.directory}"
        )

    def next_commands(self, program: str = "archspec") -> tuple[str, ...]:
        """Ready to paste; `program` is how this program is called."""
        commands = [["train", "--resume", str(self.directory)]] if self.interrupted else []
        commands += [["evaluate", str(self.directory), *self.data_arguments]]
        if self.example:
            commands.append(["predict", str(self.directory), str(self.example)])
        commands.append(["export", str(self.directory), "-o", str(self.directory / "savedmodel")])
        return tuple(f"{program} {shlex.join(command)}" for command in commands)
