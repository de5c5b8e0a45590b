"""Fingerprints of sets of images: of contents, classes and order, independent of paths and file names.

run.json holds the fingerprint of each part, so that a resumed run notices other images. RUN/images.npz holds the label
and eight bytes of the digest of each image, so that the changed images can be named.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed
from archspec.runtime.data.files.encoded_image import BadImageError, digest_of, encoded_images
from archspec.runtime.data.files.image_facts import read_arrays
from archspec.runtime.data.images import DIGEST, Images
from archspec.runtime.system.atomic_write import atomic

Fingerprint = Mapping[str, Any]
NAMED = 5  # changed images that a message names
HELP = "restore the images, or start a new run; if the data has moved, pass its new path with `--data`"


def fingerprint(images: Images) -> dict[str, Any]:
    """The number of images, and SHA-256 of their classes, labels, and digests of files (or pixels in memory).

    Raises:
        ArchspecError: data-changed, if a file that was not read before cannot be read.
    """
    digest = hashlib.sha256(repr(images.class_names).encode())
    digest.update(images.labels.tobytes())
    if images.targets is not None and images.y is not None:
        digest.update(repr([(each.name, each.kind.name, each.class_names) for each in images.targets]).encode())
        digest.update(images.y.tobytes())
    of = "pixels" if images.digests is None and images.pixels is not None else "files"
    if of == "pixels":
        digest.update(repr(images.pixels.shape).encode())  # type: ignore[union-attr]
        digest.update(images.pixels.reshape(-1).view("uint8").data)  # type: ignore[union-attr]
    else:
        digest.update(_digests(images).tobytes())
    return {"images": len(images), "of": of, "sha256": digest.hexdigest()}


def _digests(images: Images) -> npt.NDArray[np.uint8]:
    """uint8 (N, 16): of the files, or of pixels that do not come from files."""
    if images.digests is not None:
        return images.digests
    if images.pixels is not None:
        each = [digest_of(image.tobytes()) for image in images.pixels]
    else:
        try:
            each = [digest_of(image.read()) for image in encoded_images(images)]
        except BadImageError as bad:
            raise fail(
                "data-changed", f"an image file cannot be read: {bad}", help="do not change the images during a run"
            ) from None
    return np.frombuffer(b"".join(each), np.uint8).reshape(-1, DIGEST)


def keep_contents(path: Path, parts: Mapping[str, Images]) -> None:
    """Write RUN/images.npz if it does not exist. Raises cannot-write."""
    if path.exists():
        return
    arrays: dict[str, Any] = {
        f"{part}_{name}": array for part, images in parts.items() for name, array in _keys(images).items()
    }
    with atomic(path) as temporary:
        np.savez(temporary, **arrays)


def _keys(images: Images) -> dict[str, npt.NDArray[Any]]:
    """Part of the digest, uint64 (N,), and the label, int32 (N,), of each image; of several labels a checksum."""
    labels = images.labels
    if images.y is not None:
        labels = np.array([zlib.crc32(row.tobytes()) for row in images.y], np.uint32).view(np.int32)
    return {"digests": _digests(images)[:, :8].copy().view(np.uint64)[:, 0], "labels": labels}


def check_unchanged(
    before: Mapping[str, Fingerprint],
    now: Mapping[str, Fingerprint],
    data: str,
    parts: Mapping[str, Images],
    kept: Path,
    note: Callable[[str], None],
) -> None:
    """Check that the images are those of the start of a run.

    Args:
        before, now: the fingerprints of each part.
        data: DATA as the user wrote it.
        parts: the images now.
        kept: RUN/images.npz; without it, the message names no images.
        note: receives a line if the run was written by a version without fingerprints of contents.

    Raises:
        ArchspecError: data-changed.
    """
    for part, fingerprint in now.items():
        then = before[part]
        if then["sha256"] == fingerprint["sha256"]:
            continue
        if "of" not in then and fingerprint["of"] == "files" and then["images"] == fingerprint["images"]:
            note(f"an earlier version of archspec started this run: only the number of {part} images is compared")
            continue
        fact = f"the {part} images of `{data}` have changed since the run started"
        notes = []
        if then["images"] != fingerprint["images"]:
            notes.append(f"there were {then['images']:,} images, and now there are {fingerprint['images']:,}")
        raise fail("data-changed", fact, notes=notes + _differences(part, parts[part], kept), help=HELP)


def _differences(part: str, images: Images, kept: Path) -> list[str]:
    """Notes: which images are new, and how many are missing; none without a file of the start."""
    try:
        arrays = read_arrays(kept)
        then = _together(arrays[f"{part}_digests"], arrays[f"{part}_labels"])
    except (OSError, ValueError, KeyError):
        return []
    now = _together(*_keys(images).values())
    new, gone = np.flatnonzero(~np.isin(now, then)), np.count_nonzero(~np.isin(then, now))
    if not len(new) and not gone:
        return ["the images are the same, but their order, repetitions or class names have changed"]
    names = [_name(images, row) for row in new[:NAMED].tolist()]
    names += [f"{len(new) - NAMED:,} more"] if len(new) > NAMED else []
    notes = [f"new, changed or relabelled images: {listed(names)}"] if names else []
    return notes + ([f"images that were removed since the run started: {gone:,}"] if gone else [])


def _together(digests: npt.NDArray[Any], labels: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """One number for the contents and the label of each image, uint64 (N,). Raises ValueError for other arrays."""
    if digests.dtype != np.uint64 or labels.dtype != np.int32 or digests.shape != labels.shape or digests.ndim != 1:
        raise ValueError("not the digests and labels of images")
    together: npt.NDArray[np.uint64] = digests ^ (labels.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return together


def _name(images: Images, row: int) -> str:
    if images.files is not None:
        return f"`{encoded_images(images.only(np.array([row])))[0]}`"
    return f"`{images.names[row]}`" if images.names else f"image {row + 1:,}"
