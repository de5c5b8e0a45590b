"""Where a run stands between two steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archspec.runtime.models.metrics import MetricSums


@dataclass(frozen=True)
class Position:
    """Some epochs are finished, and `done` steps of the next one; its metrics so far are part of the position."""

    epoch: int = 0
    """Finished epochs, their validation included."""
    done: int = 0
    """Steps of the epoch under way."""
    score: MetricSums = MetricSums()
    """Sums over those steps."""
    rate: float = 0.0
    """Learning rate of the last step."""
    seconds: float = 0.0
    """Spent on those steps."""

    stopped: bool = False
    """Early stopping has ended the run."""

    def step(self, steps_per_epoch: int) -> int:
        """Steps since the start of the run."""
        return self.epoch * steps_per_epoch + self.done

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Position:
        return cls(**{**data, "score": MetricSums(**data["score"])})
