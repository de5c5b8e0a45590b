"""What other packages declare, by entry points of the groups `archspec.ops` and `archspec.transforms`.

To import importlib.metadata takes as long as to check a page, so that it is left alone until a package that is
installed names one of the groups.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from functools import cache

GROUPS = re.compile(rb"^\s*\[\s*(archspec\.[\w.]+)\s*\]", re.MULTILINE)


def load_plugins(group: str, what: str) -> None:
    """Import what other packages declare. One that cannot be imported is left out, with a warning that names it."""
    groups = named_groups()
    if groups is not None and group not in groups:
        return
    from importlib import metadata

    for entry_point in metadata.entry_points(group=group):
        try:
            entry_point.load()
        except Exception as error:  # whatever a foreign package raises, the pages that do not use it work
            package = entry_point.dist.name if entry_point.dist else entry_point.value
            reason = f"{type(error).__name__}: {error}"
            message = f"the {what} `{entry_point.name}` of the package `{package}` is left out: {reason}"
            warnings.warn(message, stacklevel=2)


@cache
def named_groups() -> frozenset[str] | None:
    """The groups of ours that installed packages name; None where packages may be that are not in plain folders."""
    found: set[str] = set()
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except NotADirectoryError:  # a zip file
            return None
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                found.update(_groups_of(os.path.join(folder, name, "entry_points.txt")))
    return frozenset(found)


def _groups_of(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            return [group.decode() for group in GROUPS.findall(file.read())]
    except OSError:
        return []
