"""Labels that are whole numbers, in one spelling: `0.0`, which a table of pandas holds for a number, is `0`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?")
EXACT = 2**53
"""Larger numbers may not be exact as floats."""


def whole_numbers(labels: Collection[str]) -> Mapping[str, str]:
    """Label -> its usual spelling, `2.0` -> `2`, for labels that are written otherwise; none unless all are numbers."""
    if not all(map(NUMBER.fullmatch, labels)):
        return {}
    return {label: str(int(float(label))) for label in labels if not label.isdecimal() and _is_whole(label)}


def _is_whole(label: str) -> bool:
    return abs(float(label)) < EXACT and float(label).is_integer()
