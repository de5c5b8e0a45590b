"""What identifies images: their contents, labels and order, wherever they lie; and which of them have changed."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics import ArchspecError, Diagnostic
from archspec.runtime.data.files.encoded_image import digest_of, stamp_of
from archspec.runtime.data.files.file_checks import ChangeDetector
from archspec.runtime.data.files.fingerprint import check_unchanged, fingerprint, keep_contents
from archspec.runtime.data.images import Images

CLASSES = ("cat", "dog")
CONTENTS = st.lists(st.tuples(st.binary(min_size=1, max_size=4), st.integers(0, 1)), min_size=1, max_size=6)


def written(folder: Path, contents: list[tuple[bytes, int]]) -> Images:
    """Images in files that were read once; no decoder looks at them here."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number}.png" for number in range(len(contents))]
    for file, (data, _) in zip(files, contents, strict=True):
        file.write_bytes(data)
    time.sleep(0.02)  # the clock of a file system ticks every 4 or 10 ms
    return Images(
        CLASSES,
        np.array([label for _, label in contents], np.int32),
        files=tuple(map(str, files)),
        digests=np.stack([np.frombuffer(digest_of(data), np.uint8) for data, _ in contents]),
        stamps=np.array([stamp_of(str(file)) for file in files], np.int64),
    )


def named(contents: list[tuple[bytes, int]], place: str) -> Images:
    """The same without a disk."""
    return Images(
        CLASSES,
        np.array([label for _, label in contents], np.int32),
        files=tuple(f"{place}/{number}" for number in range(len(contents))),
        digests=np.stack([np.frombuffer(digest_of(data), np.uint8) for data, _ in contents]),
    )


@given(CONTENTS, CONTENTS)
def test_a_fingerprint_is_of_contents_and_labels_in_their_order(
    one: list[tuple[bytes, int]], other: list[tuple[bytes, int]]
) -> None:
    same = fingerprint(named(one, "here")) == fingerprint(named(other, "there"))
    assert same == (one == other)


def test_other_names_of_classes_are_another_set() -> None:
    images = named([(b"a", 0)], "here")
    assert fingerprint(images) != fingerprint(dataclasses.replace(images, class_names=("dog", "cat")))


def test_files_that_nobody_has_read_yet_are_read(tmp_path: Path) -> None:
    images = written(tmp_path, [(b"one", 0), (b"two", 1)])
    unread = dataclasses.replace(images, digests=None, stamps=None)
    assert fingerprint(unread) == fingerprint(images)
    (tmp_path / "1.png").unlink()
    with pytest.raises(ArchspecError, match="data-changed"):
        fingerprint(unread)


def refused(before: Images, now: Images, kept: Path, *, keep: bool = True) -> Diagnostic:
    if keep:
        keep_contents(kept, {"training": before})
    with pytest.raises(ArchspecError) as caught:
        check_unchanged(
            {"training": fingerprint(before)}, {"training": fingerprint(now)}, "photos", {"training": now}, kept, print
        )
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "data-changed"
    assert diagnostic.message == "the training images of `photos` have changed since the run started"
    return diagnostic


MISSING = "images that were removed since the run started: "
FOUR = [(b"one", 0), (b"two", 0), (b"three", 1), (b"four", 1)]


@pytest.mark.parametrize(
    ("now", "notes"),
    [
        (
            [*FOUR[:3], (b"FOUR", 1)],
            ["new, changed or relabelled images: `x/3`", MISSING + "1"],
        ),
        (
            [*FOUR[:3], (b"four", 0)],
            ["new, changed or relabelled images: `x/3`", MISSING + "1"],
        ),
        (
            [*FOUR, (b"five", 0)],
            ["there were 4 images, and now there are 5", "new, changed or relabelled images: `x/4`"],
        ),
        (FOUR[1:], ["there were 4 images, and now there are 3", MISSING + "1"]),
        (FOUR[::-1], ["the images are the same, but their order"]),
        (
            [(b"%d" % i, 0) for i in range(9)],
            [
                "there were 4 images, and now there are 9",
                "new, changed or relabelled images",
                MISSING + "4",
            ],
        ),
    ],
)
def test_what_has_changed_is_named(tmp_path: Path, now: list[tuple[bytes, int]], notes: list[str]) -> None:
    found = refused(named(FOUR, "here"), named(now, "x"), tmp_path / "images.npz").notes
    assert len(found) == len(notes)
    assert all(note.startswith(start) for note, start in zip(found, notes, strict=True))
    if len(now) == 9:
        assert found[1].endswith("`x/0`, `x/1`, `x/2`, `x/3`, `x/4`, 4 more")


@pytest.mark.parametrize("damage", [None, b"", b"PK", "others"])
def test_without_what_was_kept_a_change_is_found_and_not_named(tmp_path: Path, damage: bytes | str | None) -> None:
    kept = tmp_path / "images.npz"
    if damage == "others":
        np.savez(kept, training_digests=np.zeros(3), training_labels=np.zeros((2, 2)))
    elif isinstance(damage, bytes):
        kept.write_bytes(damage)
    assert refused(named(FOUR, "here"), named(FOUR[::-1], "there"), kept, keep=False).notes == ()


def test_a_run_of_an_earlier_version_goes_on_with_as_many_images(tmp_path: Path) -> None:
    """It kept SHA-256 of the names and sizes of files, which says nothing of contents."""
    images, notes = named(FOUR, "here"), []
    before, kept = {"training": {"images": 4, "sha256": "0" * 64}}, tmp_path / "images.npz"
    now = {"training": fingerprint(images)}
    check_unchanged(before, now, "photos", {"training": images}, kept, notes.append)
    assert notes == ["an earlier version of archspec started this run: only the number of training images is compared"]
    with pytest.raises(ArchspecError, match="there were 5 images, and now there are 4"):
        check_unchanged(
            {"training": {"images": 5, "sha256": "0" * 64}}, now, "photos", {"training": images}, kept, notes.append
        )


def test_images_in_memory_are_their_pixels(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1)
    before = Images(CLASSES, np.array([0, 1], np.int32), pixels)
    other = pixels.copy()
    other[1, 2, 3] += 1
    now = dataclasses.replace(before, pixels=other)
    assert fingerprint(before) == fingerprint(dataclasses.replace(before, pixels=pixels.copy()))
    notes = refused(before, now, tmp_path / "images.npz").notes
    assert notes[0] == "new, changed or relabelled images: image 2"
    read = dataclasses.replace(now, names=("a.png", "b.png"))
    assert refused(before, read, tmp_path / "images.npz").notes[0].endswith(": `b.png`")


def test_a_file_is_looked_at_again_by_its_contents(tmp_path: Path) -> None:
    images = written(tmp_path, FOUR)
    looked = ChangeDetector(images)
    assert looked.changed() == []
    os.utime(tmp_path / "0.png", ns=(1, 1))  # touched, and the same
    assert looked.changed() == []
    status = (tmp_path / "1.png").stat()
    (tmp_path / "1.png").write_bytes(b"TWO")
    os.utime(tmp_path / "1.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "3.png").unlink()
    other = f"{tmp_path / '1.png'}: its contents have changed"
    gone = f"{tmp_path / '3.png'}: no such file"
    assert looked.changed() == [other, gone]
    assert looked.changed(np.array([3, 0])) == [gone]
    (tmp_path / "1.png").write_bytes(b"two")
    assert looked.changed() == [gone]


def test_records_of_one_file_are_told_apart(tmp_path: Path) -> None:
    shard = tmp_path / "train.tfrecord"
    shard.write_bytes(b"onetwo")
    images = Images(
        CLASSES,
        np.array([0, 1], np.int32),
        files=(str(shard), str(shard)),
        spans=np.array([[0, 3], [3, 3]], np.int64),
        digests=np.stack([np.frombuffer(digest_of(data), np.uint8) for data in (b"one", b"two")]),
        stamps=np.array([stamp_of(str(shard))] * 2, np.int64),
    )
    looked = ChangeDetector(images)
    time.sleep(0.02)
    shard.write_bytes(b"oneTWO")
    assert looked.changed() == [f"{shard} at byte 3: its contents have changed"]
    assert fingerprint(images) == fingerprint(named([(b"one", 0), (b"two", 1)], "files"))
