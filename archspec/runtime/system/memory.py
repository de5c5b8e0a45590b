"""The free memory of the machine."""

from __future__ import annotations

import os


def free_memory() -> int:
    """Bytes that programs can still allocate: `MemAvailable` of Linux, elsewhere half of the machine's memory."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
