"""The test protocol of a page: what `evaluate:` may say."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.declare import POSITIVE, arg


@dataclass(frozen=True)
class Protocol:
    """`evaluate:` how test images reach the input size: the shortest side to `resize`, then the centre crop."""

    resize: int | None = arg(POSITIVE, "shortest side after resizing, pixels; by default the input's own", None)
