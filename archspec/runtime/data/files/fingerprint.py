"""What identifies a set of images: their contents, classes and order, wherever they lie and whatever they are called.

run.json keeps one digest of a set, so that a run does not go on with other images than it began with. RUN/images.npz
keeps the label of each image and eight bytes of its digest, so that those that have changed can be named.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed
from archspec.runtime.data.files.entry import digest_of, items_of, read_item
from archspec.runtime.data.files.examine import named
from archspec.runtime.data.files.header import BadImageError
from archspec.runtime.data.images import DIGEST, Images
from archspec.runtime.system.atomic_write import atomic

Fingerprint = Mapping[str, Any]
NAMED = 5  # changed images that are named one by one
HELP = "put them back as they were, or start a new run; `--data` names a folder that has moved"


def fingerprint(images: Images) -> dict[str, Any]:
    """How many images, and SHA-256 of their classes, labels and pixels, or the digests of the files as they are.

    Raises:
        ArchspecError: `data-changed` when a file has gone, of images that nobody has read yet.
    """
    digest = hashlib.sha256(repr(images.class_names).encode())
    digest.update(images.labels.tobytes())
    of = "pixels" if images.digests is None and images.pixels is not None else "files"
    if of == "pixels":
        digest.update(repr(images.pixels.shape).encode())  # type: ignore[union-attr]
        digest.update(images.pixels.reshape(-1).view("uint8").data)  # type: ignore[union-attr]
    else:
        digest.update(_digests(images).tobytes())
    return {"images": len(images), "of": of, "sha256": digest.hexdigest()}


def _digests(images: Images) -> npt.NDArray[np.uint8]:
    """uint8 (N, 16): of the files, or of the pixels where these were read from no files."""
    if images.digests is not None:
        return images.digests
    if images.pixels is not None:
        each = [digest_of(image.tobytes()) for image in images.pixels]
    else:
        try:
            each = [digest_of(read_item(item)) for item in items_of(images)]
        except BadImageError as bad:
            raise fail("data-changed", f"an image file is {bad}", help="leave the images as they are") from None
    return np.frombuffer(b"".join(each), np.uint8).reshape(-1, DIGEST)


def keep_contents(path: Path, parts: Mapping[str, Images]) -> None:
    """Write RUN/images.npz, if it is not there.

    Raises:
        ArchspecError: `cannot-write`.
    """
    if path.exists():
        return
    arrays: dict[str, Any] = {
        f"{part}_{name}": array for part, images in parts.items() for name, array in _keys(images).items()
    }
    with atomic(path) as temporary:
        np.savez(temporary, **arrays)


def _keys(images: Images) -> dict[str, npt.NDArray[Any]]:
    """uint64 (N,) and int32 (N,): what is the same where an image and its label are."""
    return {"digests": _digests(images)[:, :8].copy().view(np.uint64)[:, 0], "labels": images.labels}


def check_unchanged(
    before: Mapping[str, Fingerprint],
    now: Mapping[str, Fingerprint],
    data: str,
    parts: Mapping[str, Images],
    kept: Path,
    note: Callable[[str], None],
) -> None:
    """Check that the images are those that a run began with.

    Args:
        before, now: the fingerprints of each part.
        data: as the user calls the source.
        parts: the images as they are now, to name those that are others.
        kept: of `keep_contents`; without it the same is found out, and no image named.
        note: is told when the run is of a version that kept no contents.

    Raises:
        ArchspecError: `data-changed`.
    """
    for part, fingerprint in now.items():
        then = before[part]
        if then["sha256"] == fingerprint["sha256"]:
            continue
        if "of" not in then and fingerprint["of"] == "files" and then["images"] == fingerprint["images"]:
            note(f"the run is of an earlier version, which kept only the number of the {part} images to compare")
            continue
        fact = f"the {part} images of `{data}` are not those that the run began with"
        notes = []
        if then["images"] != fingerprint["images"]:
            notes.append(f"then {then['images']:,} images, now {fingerprint['images']:,}")
        raise fail("data-changed", fact, notes=notes + _differences(part, parts[part], kept), help=HELP)


def _differences(part: str, images: Images, kept: Path) -> list[str]:
    """Which images are new, and how many have gone, as far as that is known."""
    try:
        with np.load(kept, allow_pickle=False) as file:
            then = _together(file[f"{part}_digests"], file[f"{part}_labels"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return []
    now = _together(*_keys(images).values())
    new, gone = np.flatnonzero(~np.isin(now, then)), np.count_nonzero(~np.isin(then, now))
    if not len(new) and not gone:
        return ["they are the same images in another order, or as often as before, or their classes have other names"]
    names = [_name(images, row) for row in new[:NAMED].tolist()]
    names += [f"{len(new) - NAMED:,} more"] if len(new) > NAMED else []
    notes = [f"new, or with other contents or another label: {listed(names)}"] if names else []
    return notes + ([f"{gone:,} of those that it began with {'is' if gone == 1 else 'are'} not there"] if gone else [])


def _together(digests: npt.NDArray[Any], labels: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """One number an image, of its contents and its label. Raises ValueError for other arrays."""
    if digests.dtype != np.uint64 or labels.dtype != np.int32 or digests.shape != labels.shape or digests.ndim != 1:
        raise ValueError("not the digests and labels of images")
    together: npt.NDArray[np.uint64] = digests ^ (labels.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return together


def _name(images: Images, row: int) -> str:
    if images.files is not None:
        return f"`{named(items_of(images.only(np.array([row])))[0])}`"
    return f"`{images.names[row]}`" if images.names else f"image {row + 1:,}"
