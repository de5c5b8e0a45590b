"""The parts of a data set, `train`, `val`, `test`, ..., in the spellings that people use; the same for all sources."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from archspec.diagnostics import ArchspecError, did_you_mean, fail, listed, printable
from archspec.runtime.data.images import Images
from archspec.wording import option

Kind = Literal["train", "validation", "test"]
"""What a part is for."""
KINDS: Mapping[Kind, tuple[str, ...]] = {
    "train": ("train", "training", "trn", "trainval"),
    "validation": ("val", "validation", "valid", "dev", "devel", "development", "eval", "evaluation"),
    "test": ("test", "testing", "tst"),
}
"""The words for each kind in the names of parts. Where several parts are of one kind, the first word is preferred."""
SPLITS = ("train", "validation")
"""The splits of training; `evaluate` accepts the name of any part too."""
_KIND_OF: Mapping[str, Kind] = {word: kind for kind, words in KINDS.items() for word in words}
_RANK = {word: rank for rank, word in enumerate(_KIND_OF)}
_NEUTRAL = frozenset(
    (
        *("set", "split", "part", "folder", "data", "dataset", "subset", "file", "files"),
        *("image", "images", "img", "imgs", "photo", "photos", "picture", "pictures"),
    )
)
"""Words that may stand beside the word for a kind: `Test images`, `training_set`."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")


def _words(name: str) -> tuple[str, list[str]]:
    """The word for a kind in a name, or "", and the other words that are not neutral, in lower case."""
    found, others = "", []
    for word in (each.lower() for each in _WORD.findall(name)):
        stem = next((stem for end in ("", "set", "data", "images") if (stem := word.removesuffix(end)) in _KIND_OF), "")
        if stem and not found:
            found = stem
        elif word not in _NEUTRAL:
            others.append(word)
    return found, others


def part_kind(name: str) -> Kind | None:
    """The kind of a part of this name in any case: `Valid`, `training_set`, `test-images`, `train2017`."""
    word, others = _words(name)
    return _KIND_OF[word] if word and not others else None


def part_kinds(names: Iterable[str]) -> dict[str, Kind]:
    """The names that are names of parts, each with its kind, those preferred for their kind first.

    Names with other words are parts if they differ in the kind only: `seg_train` and `seg_test`.
    """
    words = {name: _words(name) for name in names}
    found = {name: (word, tuple(others)) for name, (word, others) in words.items() if word}
    kinds: dict[tuple[str, ...], set[Kind]] = {}
    for word, others in found.values():
        kinds.setdefault(others, set()).add(_KIND_OF[word])
    parts = [name for name, (_, others) in found.items() if not others or len(kinds[others]) > 1]
    return {name: _KIND_OF[found[name][0]] for name in sorted(parts, key=lambda name: (_RANK[found[name][0]], name))}


class Parts(Mapping[str, Images]):
    """The parts of a data set, by their own names. Their classes are known; a part is read when it is looked up.

    A data set without parts has the single part "". Images in files are listed, not decoded.

    Attributes:
        class_names: of each part.
        kinds: the kind of each part that training may use, in the order of preference.
        unused: what the data source has beside the parts, for messages: folders, files, arrays.
        mark: what follows the name of a part in messages: "/" for folders.
        encoded: whether the labels are encoded for the outputs of a network (`Images.targets`).
    """

    def __init__(
        self,
        class_names: Mapping[str, tuple[str, ...]],
        read: Callable[[str], Images],
        *,
        unused: Sequence[str] = (),
        mark: str = "",
        encoded: bool = False,
    ) -> None:
        """class_names: of each part. read: part -> its images. encoded: see the attribute."""
        self.kinds = part_kinds(class_names)
        self.class_names = {part: class_names[part] for part in (*self.kinds, *class_names)}
        self.unused = tuple(unused)
        self.mark = mark
        self.encoded = encoded
        self._read = read

    @classmethod
    def of(cls, images: Mapping[str, Images], *, unused: Sequence[str] = ()) -> Parts:
        """Parts that have been read."""
        names = {part: each.class_names for part, each in images.items()}
        return cls(names, images.__getitem__, unused=unused)

    def __getitem__(self, part: str) -> Images:
        if part not in self.class_names:
            raise KeyError(part)
        return self._read(part)

    def __contains__(self, part: object) -> bool:
        return part in self.class_names

    def __iter__(self) -> Iterator[str]:
        return iter(self.class_names)

    def __len__(self) -> int:
        return len(self.class_names)

    @property
    def train(self) -> str | None:
        """The part to train on: "" where the data has no parts, None where no part is for training."""
        return self._first("train") if self.kinds or "" not in self else ""

    @property
    def validation(self) -> str | None:
        """The part to validate on: one for validation, otherwise one for testing, otherwise None."""
        found = self._first("validation")
        return self._first("test") if found is None else found

    def _first(self, kind: Kind) -> str | None:
        return next((part for part, its_kind in self.kinds.items() if its_kind == kind), None)

    def named(self, name: str) -> str | None:
        """The part that a name means: the part of that name, in any case, or else the preferred one of its kind."""
        same = next((part for part in self if part and part.lower() == name.lower()), None)
        kind = part_kind(name)
        return same if same is not None or kind is None else self._first(kind)

    def label(self, part: str) -> str:
        """A part as messages name it: `train/`, or `all images` of data without parts."""
        return printable(part) + self.mark if part else "all images"

    def not_found(self, name: str, data: str) -> ArchspecError:
        """The error for a part that the data does not have."""
        names = [part for part in self if part]
        if not names:
            fact = f"`{data}` is not divided into parts, so it has no part `{printable(name)}`"
            help = "`train` stands for all of its images, `validation` for the share of `--validation-split`"
            return fail("data-not-found", fact, help=help)
        parts = listed(f"`{printable(part)}`" for part in names)
        fact = f"`{data}` has no part `{printable(name)}`: its parts are {parts}"
        return fail("data-not-found", fact, help=did_you_mean(name, names) or "choose one of them")

    def described(self) -> str:
        """What training does with the parts: `training images: train/; validation images: valid/`, ..."""
        uses = []
        if self.train is not None:
            uses.append(f"training images: {self.label(self.train)}")
        if self.validation is not None:
            uses.append(f"validation images: {self.label(self.validation)}")
        elif self.train is not None:
            uses.append(f"validation images: the share of {option('validation_split')}")
        if others := self.not_used():
            uses.append(f"not used: {listed(others, 10)}")
        return "; ".join(uses)

    def not_used(self) -> list[str]:
        """What training does not use: other parts, and what belongs to no part."""
        used = {self.train, self.validation}
        return [*(self.label(part) for part in self if part not in used), *map(printable, self.unused)]
