"""What training and evaluation would do with a data source beside its parts: a share held out, a list of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from archspec.diagnostics import ArchspecError, counted, listed, printable
from archspec.runtime.data.class_list import read_class_list
from archspec.runtime.data.class_match import match_classes
from archspec.runtime.data.images import Images, class_counts
from archspec.runtime.data.sources.dataset import select
from archspec.runtime.data.sources.parts import Parts

CLASSES = 20  # classes that a line names


class HeldOut(NamedTuple):
    """What `--validation-split` makes of the training images; files that cannot be read are counted too."""

    share: float
    training: Mapping[str, int]
    """Class -> number of images."""
    validation: Mapping[str, int]

    def lines(self) -> list[str]:
        """The numbers, and the classes without validation images."""
        training, validation = (sum(counts.values()) for counts in (self.training, self.validation))
        numbers = f"{counted(training, 'training image')} and {counted(validation, 'validation image')}"
        lines = [f"--validation-split {self.share:g}: {numbers}"]
        if alone := [name for name, count in self.validation.items() if not count and self.training[name]]:
            lines.append(f"no validation images of {listed(alone, CLASSES)}: one image cannot be divided")
        return lines


def held_out(source: Parts, share: float, data: str) -> HeldOut:
    """Raises validation-split where the data has validation images, or the share is not between 0 and 1."""
    parts = [select(source, split, share, 0, data) for split in ("train", "validation")]
    return HeldOut(share, *(_counts(images) for images in parts))


def _counts(images: Images) -> dict[str, int]:
    if images.columns:  # labels that are not one class for each image
        return {"": len(images)}
    names = map(printable, images.class_names)
    return dict(zip(names, class_counts(images), strict=True))


class ListedClasses(NamedTuple):
    """How the classes of a data source match those of a list."""

    lines: tuple[str, ...]
    problems: tuple[str, ...]


def listed_classes(file: str, parts: Iterable[Images], data: str) -> ListedClasses:
    """Match the classes of all parts to those of a file, as `evaluate --classes FILE`. Raises class-list."""
    names = read_class_list(file)
    lines: dict[str, None] = {}
    problems: dict[str, None] = {}
    for images in parts:
        try:
            found = match_classes(images, None, len(names), data, class_list=names, report=lines.setdefault)
        except ArchspecError as error:
            only = [note.partition(": ")[2] for note in error.diagnostics[0].notes[:1]]
            problems[f"classes that are not in `{printable(file)}`: {listed(only)}"] = None
        else:
            present = sum(count > 0 for count in class_counts(found))
            lines[f"--classes {printable(file)}: {present:,} of its {counted(len(names), 'class')} have images"] = None
    return ListedClasses(tuple(lines), tuple(problems))
