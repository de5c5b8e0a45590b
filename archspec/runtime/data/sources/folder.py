"""A folder of images: one sub-folder a class, in `train/` and `val/` or in one piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archspec.diagnostics import ArchspecError, fail, listed, printable
from archspec.runtime.data.files.entries_file import place_of
from archspec.runtime.data.files.examine import examined
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.pipeline.select import VALIDATION, Parts
from archspec.runtime.data.pipeline.split import already_split, split_rows
from archspec.runtime.models.classifier import check_classes

# as hidden as a name with a dot, where they come from
SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})


def open_folder(
    folder: Path,
    split: str,
    *,
    validation_split: float | None,
    seed: int,
    skip_bad_images: bool,
    channels: int,
    classes: int | None,
    report: Report,
) -> Images:
    """The images of `folder/train/CLASS/FILE` and `folder/val/CLASS/FILE`, or of `folder/CLASS/FILE`.

    Classes and files are in the order of their names; hidden files are passed over. Raises what `open_data` lists.
    """
    if channels not in (1, 3):
        raise fail("data-shape", f"image files have 1 or 3 channels, and the network takes {channels}")
    parts = {name: folder / name for name in ("train", *VALIDATION) if _folders(folder / name)}
    validation = next((parts[name] for name in VALIDATION if name in parts), None)
    if "train" in parts and validation:
        if validation_split is not None:
            raise already_split(str(folder), f"`{validation.name}/`")
        names = _common_classes(parts["train"], validation)
        root = parts["train"] if split == "train" else validation
        files, labels = _listing(root, names, report, strict=split == "train")
    elif "train" not in parts and validation:
        if split == "train" or validation_split is not None:
            raise fail("data-not-found", f"`{folder}` has `{validation.name}/` and no `train/`")
        names = _classes(validation)
        files, labels = _listing(validation, names, report, strict=False)
    else:
        root = parts.get("train", folder)
        names = _classes(root)
        files, labels = _listing(root, names, report, strict=True)
        rows = split_rows(labels, split, validation_split, seed, str(root))
        files, labels = [files[row] for row in rows], labels[rows]
    if classes is not None:
        check_classes(classes, len(names), str(folder))
    listed = Images(tuple(names), labels, files=tuple(files))
    images = examined(listed, place_of(folder), channels, skip_bad_images=skip_bad_images, report=report)
    missing = [names[label] for label in range(len(names)) if label not in set(images.labels.tolist())]
    if missing and (split == "train" or not len(images)):
        raise fail("data-empty", f"no image can be read in {_phrase(missing)} of `{folder}`")
    return images


def folder_parts(folder: Path, report: Report) -> Parts:
    """Each part of a folder, whatever its classes. No file is opened. Raises data-empty and data-one-class."""
    found = {}
    for part in [name for name in ("train", *VALIDATION) if _folders(folder / name)] or [""]:
        names = _classes(folder / part)
        files, labels = _listing(folder / part, names, report, strict=False)
        found[part] = Images(tuple(names), labels, files=tuple(files))
    return found


def _folders(parent: Path) -> list[str]:
    """Names of the folders inside, sorted, hidden ones left out; empty when `parent` is no folder."""
    if not parent.is_dir():
        return []
    return sorted(entry.name for entry in parent.iterdir() if not entry.name.startswith(".") and entry.is_dir())


def _classes(root: Path) -> list[str]:
    """The classes: names of the folders. Raises data-empty and data-one-class."""
    names = _folders(root)
    help = f"put the images of each class into a folder of its own: {root / 'CLASS' / 'image.jpg'}"
    if not names:
        raise fail("data-empty", f"`{root}` has no folders of classes", help=help)
    if len(names) == 1:
        raise one_class(str(root), names[0], help)
    return names


def one_class(source: str, name: str, help: str | None = None) -> ArchspecError:
    """The error for data of a single class."""
    fact = f"`{source}` has one class, `{printable(name)}`, and a classifier needs two"
    return fail("data-one-class", fact, help=help)


def _common_classes(train: Path, validation: Path) -> list[str]:
    names, others = _classes(train), _folders(validation)
    if names == others:
        return names
    pairs = ((train, set(names) - set(others)), (validation, set(others) - set(names)))
    notes = [f"only in `{root.name}/`: {_some(sorted(extra))}" for root, extra in pairs if extra]
    raise fail("data-classes", f"`{train}` and `{validation}` have different classes", notes=notes)


def _listing(root: Path, names: list[str], report: Report, *, strict: bool) -> tuple[list[str], np.ndarray]:
    """Files and their labels, by class, then by name. A class without files is refused, or reported if not strict."""
    files: list[str] = []
    labels: list[int] = []
    empty, nested = [], []
    for label, name in enumerate(names):
        entries = sorted(
            (entry for entry in (root / name).iterdir() if not entry.name.startswith(".")), key=lambda entry: entry.name
        )
        found = [str(entry) for entry in entries if not entry.is_dir() and entry.name.lower() not in SYSTEM_FILES]
        if any(entry.is_dir() for entry in entries):
            nested.append(name)
        if not found:
            empty.append(name)
        files += found
        labels += [label] * len(found)
    if nested:
        report(f"folders inside {_phrase(nested)} of `{root}` are not read")
    if empty and (strict or not files):
        fact = f"`{root}` has no files in {_phrase(empty)}"
        raise fail("data-empty", fact, help="remove the empty folders, or put images into them")
    if empty:
        report(f"`{root}` has no files in {_phrase(empty)}")
    return files, np.array(labels, np.int32)


def _phrase(names: list[str]) -> str:
    """class `cat`; 12 classes: a, b, c, ..."""
    if len(names) == 1:
        return f"class `{printable(names[0])}`"
    return f"{len(names)} classes: {_some(names)}"


def _some(names: list[str], most: int = 5) -> str:
    return listed(map(printable, names[:most])) + (", ..." if len(names) > most else "")
