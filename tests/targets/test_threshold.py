"""A threshold is for sigmoid outputs."""

from __future__ import annotations

import pytest

from archspec import ArchspecError
from archspec.targets import TARGETS, OutputTarget, OutputTargets, check_threshold


def test_a_threshold_that_nothing_uses_is_refused() -> None:
    classes, labels = (OutputTarget(TARGETS[kind](), 3, kind) for kind in ("classes", "multi-label"))
    check_threshold(0.3, OutputTargets((classes, labels)))
    check_threshold(None, OutputTargets((classes,)))
    with pytest.raises(ArchspecError, match="for sigmoid outputs"):
        check_threshold(0.3, OutputTargets((classes,)))
