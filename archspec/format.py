"""Numbers, bytes and durations as text."""

from __future__ import annotations


def pace(images_per_second: float) -> str:
    """`1,234`, `56.7`, `0.042`: three digits at least."""
    if images_per_second >= 100:
        return f"{images_per_second:,.0f}"
    return f"{images_per_second:.3g}"


def duration(seconds: float) -> str:
    """`7.3 s`, `4:05 min`, `2:03 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"
