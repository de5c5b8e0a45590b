"""A folder of images with one sub-folder for each class, directly or inside `train/` and `val/`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from archspec.diagnostics import fail, listed, printable
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.source import VALIDATION, DataSource, Parts, single_class

SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
"""Files that Windows and macOS add to folders, in lower case."""


class ClassFolders(DataSource):
    """One sub-folder for each class, directly or inside `train/` and `val/` (or `validation/`, `test/`).

    Classes and files are in the order of their names. Hidden files and folders are ignored.
    """

    name = "folder"
    forms = ("FOLDER",)
    fallback = True

    def takes(self, data: str) -> bool:
        return bool(data) and os.path.isdir(data)

    def open(self, data: str, *, channels: int, report: Report) -> Parts:
        """Raises data-empty and data-one-class for the training part, or the only one."""
        folder = Path(data)
        parts = [part for part in ("train", *VALIDATION) if _folders(folder / part)] or [""]
        names = {part: _folders(folder / part) for part in parts}
        first, root = names[parts[0]], folder / parts[0]
        help = f"put the images of each class into their own folder: {root / 'CLASS' / 'image.jpg'}"
        if not first:
            raise fail("data-empty", f"`{root}` has no class folders", help=help)
        if len(first) == 1:
            raise single_class(str(root), printable(first[0]), help)
        return Parts(names, lambda part: _images(folder / part, names[part], report))


def _folders(parent: Path) -> tuple[str, ...]:
    """Names of the folders inside, sorted, without hidden ones; empty if `parent` is not a folder."""
    if not parent.is_dir():
        return ()
    return tuple(sorted(each.name for each in parent.iterdir() if not each.name.startswith(".") and each.is_dir()))


def _images(root: Path, class_names: tuple[str, ...], report: Report) -> Images:
    """The files of the class folders in `root`, by class, then by name."""
    files: list[str] = []
    labels: list[int] = []
    nested = []
    for label, name in enumerate(class_names):
        entries = sorted(each for each in (root / name).iterdir() if not each.name.startswith("."))
        found = [str(each) for each in entries if not each.is_dir() and each.name.lower() not in SYSTEM_FILES]
        if any(each.is_dir() for each in entries):
            nested.append(printable(name))
        files += found
        labels += [label] * len(found)
    if nested:
        report(f"folders inside the class folders of `{root}` are ignored: {listed(nested, 5)}")
    return Images(class_names, np.array(labels, np.int32), files=tuple(files))
