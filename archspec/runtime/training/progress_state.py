"""The progress of a run between two steps, as a checkpoint keeps it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archspec.runtime.models.metrics import MetricSums


@dataclass(frozen=True)
class ProgressState:
    """Some epochs are finished, and `done` steps of the next one."""

    epoch: int = 0
    """Finished epochs, their validation included."""
    done: int = 0
    """Finished steps of the current epoch."""
    metrics: MetricSums = MetricSums()
    """Sums over those steps."""
    learning_rate: float = 0.0
    """Learning rate of the last step."""
    seconds: float = 0.0
    """Time spent on those steps."""
    stopped: bool = False
    """Whether early stopping has ended the run."""

    def step(self, steps_per_epoch: int) -> int:
        """Steps since the start of the run."""
        return self.epoch * steps_per_epoch + self.done

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ProgressState:
        return cls(**{**data, "metrics": MetricSums(**data["metrics"])})
