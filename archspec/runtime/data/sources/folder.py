"""A folder of images with one sub-folder for each class, directly or inside `train/`, `val/` and `test/`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from archspec.diagnostics import ArchspecError, counted, fail, printable
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.parts import Parts, part_kind, part_kinds
from archspec.runtime.data.sources.source import DataSource

SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
"""Files that Windows and macOS add to folders, in lower case."""
SYSTEM_FOLDERS = frozenset({"__macosx", "@eadir", "$recycle.bin", "system volume information"})
"""Folders that systems and archives add, in lower case."""
DEPTH = 3  # levels of folders that are searched for the one that was meant


class ClassFolders(DataSource):
    """One sub-folder for each class, directly or inside `train/`, `val/` and `test/` or folders of similar names.

    The images below a class folder, at any depth, belong to it. Classes and files are in the order of their names.
    Hidden files and folders are ignored.
    """

    name = "folder"
    only_lists = True
    forms = ("FOLDER",)
    fallback = True

    def takes(self, data: str) -> bool:
        return bool(data) and os.path.isdir(data)

    def open(self, data: str, *, channels: int, report: Report) -> Parts:
        """Raises data-empty; data-one-class and data-format where another folder was probably meant."""
        root = Path(data)
        roots = _part_folders(root)
        if not roots:
            _check_no_parts_below(root)
            roots = {"": root}
        first = next(iter(roots.values()))
        classes = _folders(first)
        meant = _meant(root) if len(classes) < 2 else None
        if meant or not classes:
            raise _no_classes(first, classes, meant)
        names = {part: _folders(folder) for part, folder in roots.items()}
        others = [name for name in _folders(root) if "" not in roots and name not in roots]
        free = "test/" if "validation" in part_kinds(roots).values() else "val/ or test/"
        beside = [f"{name}/{_why_unused(name, _folders(root / name), classes, free)}" for name in others]
        loose = sum(1 for folder in {root, *roots.values()} for _ in _files(folder))
        if loose:
            beside.append(f"{counted(loose, 'file')} outside of the class folders")
        return Parts(names, lambda part: _images(roots[part], names[part]), unused=beside, mark="/")


def _why_unused(name: str, inside: tuple[str, ...], classes: tuple[str, ...], free: str) -> str:
    """What follows the name of an unused folder that may have been meant as a part; `free`: names it could have."""
    if part_kind(name):
        return " (no class folders)"
    return f" (has class folders: rename it to {free} to use it)" if set(inside) & set(classes) else ""


def _part_folders(root: Path) -> dict[str, Path]:
    """The folder of the class folders of each part; empty for a folder without parts.

    A class may be called `train`: a single folder with the name of a part is one only if it has several sub-folders,
    or nothing is beside it.
    """
    folders = _folders(root)
    kinds = part_kinds(name for name in folders if _folders(root / name))
    (alone,) = kinds if len(kinds) == 1 else ("",)
    if alone and len(folders) > 1 and len(_folders(root / alone)) < 2:
        return {}
    roots: dict[str, Path] = {}
    classes: tuple[str, ...] = ()
    for part in kinds:
        roots[part] = _without_wrapper(root / part, classes)
        classes = classes or _folders(roots[part])
    return roots


def _without_wrapper(folder: Path, classes: tuple[str, ...]) -> Path:
    """`seg_train/seg_train` for `seg_train` if that is all in it; `classes` are those of the training part."""
    inside = _folders(folder)
    if len(inside) != 1 or inside[0] in classes:
        return folder
    below = _folders(folder / inside[0])
    return folder / inside[0] if len(below) > 1 and (not classes or set(below) & set(classes)) else folder


def _check_no_parts_below(root: Path) -> None:
    """Raises data-format if the sub-folders are data sets, or classes with parts, rather than classes."""
    for name in _folders(root):
        folder = root / name
        parts = part_kinds(_folders(folder))
        if len(set(parts.values())) < 2:
            continue
        inside = " and ".join(f"`{printable(part)}/`" for part in list(parts)[:2])
        fact = f"`{printable(str(root))}` is no data set of class folders: `{printable(name)}/` has {inside}"
        if _part_folders(folder):
            raise fail("data-format", fact, help=f"did you mean `{printable(str(folder))}`?")
        now, then = Path(name, next(iter(parts))), Path(next(iter(parts)), name)
        help = f"move each folder of a class into the folder of its part: {printable(f'{now} to {then}')}"
        raise fail("data-format", fact, help=help)


def _no_classes(folder: Path, classes: tuple[str, ...], meant: Path | None) -> ArchspecError:
    """The error for a folder without class folders, or with one that was probably not meant as a class."""
    help = f"put the images of each class into their own folder: {folder / 'CLASS' / 'image.jpg'}"
    help = f"did you mean `{printable(str(meant))}`?" if meant else printable(help)
    if classes:
        fact = f"`{printable(str(folder))}` has only one class folder, `{printable(classes[0])}`"
        return fail("data-one-class", fact, help=help)
    return fail("data-empty", f"`{printable(str(folder))}` has no class folders", help=help)


def _meant(root: Path) -> Path | None:
    """The folder of the data set, if `root` is some levels too high or too low."""
    below = root
    for _ in range(DEPTH):
        inside = _folders(below)
        if len(inside) != 1:
            break
        below = below / inside[0]
        if len(_folders(below)) > 1 or _part_folders(below):
            return below
    above = root.absolute().parent
    classes = _folders(above)
    if len(classes) < 2 or not all(any(map(_looks_like_image, _files(above / name))) for name in classes):
        return None
    return above.parent if part_kind(above.name) else above


def _looks_like_image(file: str) -> bool:
    return file.lower().endswith((".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"))


def _entries(parent: Path) -> list[os.DirEntry[str]]:
    """What a folder has, sorted by name, without hidden entries and what systems add; nothing for another file."""
    if not parent.is_dir():
        return []
    with os.scandir(parent) as found:
        seen = [each for each in found if not each.name.startswith(".")]
    return sorted(
        (each for each in seen if each.name.lower() not in (SYSTEM_FOLDERS if each.is_dir() else SYSTEM_FILES)),
        key=lambda each: each.name,
    )


def _folders(parent: Path) -> tuple[str, ...]:
    """Names of the folders inside, sorted."""
    return tuple(each.name for each in _entries(parent) if each.is_dir())


def _files(parent: Path) -> Iterator[str]:
    """Names of the files inside, sorted."""
    return (each.name for each in _entries(parent) if not each.is_dir())


def _files_below(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[str]:
    """Paths of the files in a folder, then of those in its folders. A link to a folder above is not followed."""
    entries = _entries(folder)
    yield from (str(folder / each.name) for each in entries if not each.is_dir())
    for each in entries:
        if each.is_dir() and (place := os.path.realpath(each.path)) not in above:
            yield from _files_below(folder / each.name, above | {place})


def _images(root: Path, class_names: tuple[str, ...]) -> Images:
    """The files of the class folders in `root`, by class, then by name."""
    files: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(class_names):
        found = list(_files_below(root / name, frozenset({os.path.realpath(root), os.path.realpath(root / name)})))
        files += found
        labels += [label] * len(found)
    return Images(class_names, np.array(labels, np.int32), files=tuple(files))
