"""What identifies a set of images, so that a run does not go on with others than it began with."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.data.images import Images

Fingerprint = Mapping[str, Any]


def fingerprint(images: Images) -> dict[str, Any]:
    """How many images, and SHA-256 of their classes and labels with the pixels, or with the files' names and sizes.

    Names are those below the folder that all files have in common, so that the folder may move.
    Raises `data-changed` when a file has gone.
    """
    digest = hashlib.sha256(repr(images.class_names).encode())
    digest.update(images.labels.tobytes())
    if images.pixels is not None:
        digest.update(repr(images.pixels.shape).encode())
        digest.update(images.pixels.reshape(-1).view("uint8").data)
    if images.spans is not None:
        digest.update(images.spans.tobytes())
    for line in _lines(images.files or ()):
        digest.update(line)
    return {"images": len(images), "sha256": digest.hexdigest()}


def _lines(files: tuple[str, ...]) -> list[bytes]:
    start = len(os.path.commonpath(files)) if files else 0
    try:
        sizes = {file: os.stat(file).st_size for file in set(files)}
        return [b"%s\0%d\n" % (os.fsencode(file[start:]), sizes[file]) for file in files]
    except OSError as error:
        fact = f"`{error.filename}` was there a moment ago, and no longer is"
        raise fail("data-changed", fact, help="leave the images as they are during the run") from error


def check_unchanged(before: Mapping[str, Fingerprint], now: Mapping[str, Fingerprint], data: str) -> None:
    """Raises `data-changed` when the images are not those that the run began with."""
    for part in now:
        if before[part] != now[part]:
            fact = f"the {part} images of `{data}` are not those that the run began with"
            counts = f"then {before[part]['images']:,} images, now {now[part]['images']:,}"
            notes = [
                counts if before[part]["images"] != now[part]["images"] else "as many, with other contents or names"
            ]
            help = "put them back as they were, or start a new run; `--data` names a folder that has moved"
            raise fail("data-changed", fact, notes=notes, help=help)
