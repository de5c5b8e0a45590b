"""Targets: what an output of a network is trained on (classes, two classes, several labels, numbers), one per module.

TARGETS has every kind. May import diagnostics, declare, plugins and ops; it receives tensorflow as an argument.
"""

from __future__ import annotations

from archspec.targets.base import TARGETS, Target
from archspec.targets.label_column import LabelColumn
from archspec.targets.output_targets import OutputTarget, OutputTargets, check_threshold

__all__ = ["TARGETS", "LabelColumn", "OutputTarget", "OutputTargets", "Target", "check_threshold"]
