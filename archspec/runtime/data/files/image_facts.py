"""The facts of each image file. A file is decoded once, and again when its contents change.

Many files are read in parallel, without the messages that libraries print about damaged ones.
The facts of a data source are kept in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, counted
from archspec.runtime.data.files.decode import decode_bytes
from archspec.runtime.data.files.encoded_image import (
    BadImageError,
    EncodedImage,
    Header,
    Stamp,
    decodable,
    digest_of,
    header_of,
    stamp_of,
    transparent,
)
from archspec.runtime.data.files.pillow_formats import END_OF_JPEG, lacks_end
from archspec.runtime.data.images import DIGEST, Report
from archspec.runtime.system.atomic_write import atomic
from archspec.runtime.system.npz_file import open_npz
from archspec.runtime.system.tensorflow_import import import_tensorflow, native_messages_dropped

VERSION = 10
"""Of the format of the cache; a cache of another version is ignored."""
SAVE_INTERVAL = 120.0  # seconds between two writes of the cache: a million images take many minutes
NAMED = 10  # bad files that a message names
CHUNK = 64  # files of a task
INTERVAL = 2.0  # seconds between two lines of progress
SHIFT = 128  # grey levels, subtracted first to avoid cancellation of large squares
SUMS = 10
"""Sums of an image: its number of pixels, the sum of each channel, six sums of products."""
PRODUCTS = np.triu_indices(3)
"""Rows and columns of the six sums of products in the matrix of all channels, which is symmetric."""

MOST_NOISY = 5000
"""JPEG files that are decoded once more, one by one, to find those that libjpeg prints messages about."""
DARK = 14
"""Images of 16 bits a channel whose values need at most this many bits are reported."""

T = TypeVar("T")
R = TypeVar("R")


class ImageFacts(NamedTuple):
    """The facts of an image. `reason` says why it cannot be used, and is empty for a good image.

    The other fields, but `stamp` and `digest`, are those of a good image.
    """

    stamp: Stamp
    """Of the file: the facts are valid as long as it stays the same."""
    digest: bytes
    """Of the encoded bytes (`digest_of`); zeros if they could not be read."""
    reason: str
    header: Header = Header(0, 0, "", 1, "")
    transparent: bool = False
    """Whether a pixel is not opaque."""
    greatest: int = 0
    """The greatest value of an image of 16 bits a channel; 0 for other images."""
    noisy: bool = False
    """Whether libjpeg prints a message when it decodes the image: of extra bytes between the data and the end."""
    endless: bool = False
    """Whether a JPEG lacks its last marker, but no pixel."""
    sums: npt.NDArray[np.float64] = np.zeros(SUMS)
    """Of `color_sums`."""


def image_facts(
    images: Sequence[EncodedImage], cache: Path | None, report: Report, *, forget: bool = False
) -> tuple[list[ImageFacts], int]:
    """The facts of each image, and the number of images that had to be decoded: new ones and changed ones.

    A file with another stamp is read again, and decoded only if its contents have changed.

    Args:
        images: the images, in any order.
        cache: of `cache_file`; None to use no cache.
        report: receives progress.
        forget: remove other images from the cache.
    """
    known = _read(cache) if cache else {}
    stamps = {file: stamp_of(file) for file in {image.file for image in images}}
    facts = {image: known[image] for image in images if image in known and known[image].stamp == stamps[image.file]}
    new = [image for image in images if image not in facts]

    def save(others: Mapping[EncodedImage, ImageFacts]) -> None:
        if cache and facts:
            _write(cache, {**others, **facts})

    try:
        saved = time.monotonic()
        noisy: list[EncodedImage] = []
        for image, found in _decoded(new, stamps, known, report, noisy) if new else ():
            facts[image] = found
            if time.monotonic() - saved > SAVE_INTERVAL:
                save(known)
                saved = time.monotonic()
        facts.update({image: facts[image]._replace(noisy=True) for image in noisy})
    except BaseException:  # above all Ctrl-C: the next run continues from here
        save(known)
        raise
    if new:
        save({} if forget else known)
    decoded = sum(image not in known or facts[image].digest != known[image].digest for image in new)
    return [facts[image] for image in images], decoded


def _decoded(
    images: Sequence[EncodedImage],
    stamps: Mapping[str, Stamp],
    known: Mapping[EncodedImage, ImageFacts],
    report: Report,
    noisy: list[EncodedImage],
) -> Iterator[tuple[EncodedImage, ImageFacts]]:
    """Each image with its facts, in order. At the end, adds the images of which libjpeg prints a message to `noisy`."""
    tf = import_tensorflow()
    jpegs: list[EncodedImage] = []

    def examine(image: EncodedImage) -> ImageFacts:
        stamp, before, digest = stamps[image.file], known.get(image), bytes(DIGEST)
        try:
            contents = image.read()
            digest = digest_of(contents)
            if before is not None and before.digest == digest:
                return before._replace(stamp=stamp)
            header = header_of(contents)
            contents = decodable(contents)
            pixels = decode_bytes(tf, contents, 3)
            if pixels.shape[:2] != header[:2]:
                raise BadImageError("an image whose size differs from its header")
        except BadImageError as bad:
            return ImageFacts(stamp, digest, str(bad))
        clear, greatest = header.alpha and transparent(contents), greatest_value(tf, header, contents)
        endless = lacks_end(contents)
        return ImageFacts(stamp, digest, "", header, clear, greatest, endless=endless, sums=color_sums(pixels))

    def find_noisy() -> None:
        noisy.extend(image for image in jpegs[:MOST_NOISY] if _prints(tf, image))

    with in_parallel(examine, images, report, find_noisy) as found:
        for image, its_facts in zip(images, found, strict=True):
            if its_facts.header.format == "JPEG":
                jpegs.append(image)
            yield image, its_facts


def _prints(tf: Any, image: EncodedImage) -> bool:
    """Whether libjpeg prints a message about a JPEG that it decodes."""
    with contextlib.suppress(BadImageError, tf.errors.InvalidArgumentError), quietly() as dropped:
        tf.io.decode_jpeg(image.read() + END_OF_JPEG)
        return os.fstat(dropped.fileno()).st_size > 0
    return False


def greatest_value(tf: Any, header: Header, png: bytes) -> int:
    """The greatest value of a decodable image of 16 bits a channel; 0 for other images."""
    if not header.mode.startswith("16-bit"):
        return 0
    pixels = tf.io.decode_png(png, dtype=tf.uint16).numpy()
    colors = pixels[..., :-1] if pixels.shape[-1] in (2, 4) else pixels
    return int(colors.max())


def unused_bits(values: Iterable[int]) -> str | None:
    """The line for images that hold 10, 12 or 14 bits in 16, and are therefore nearly black; None for others.

    values: the greatest value of each image (`greatest_value`).
    """
    greatest = [value for value in values if value]
    bits = max(greatest, default=0).bit_length()
    if not 0 < bits <= DARK:
        return None
    times = f"multiply the values by {2 ** (16 - max(bits, 8)):,}"
    has, they, them = ("has", "it is", "it") if len(greatest) == 1 else ("have", "they are", "them")
    what = f"{counted(len(greatest), 'image')} of 16 bits a channel {has} no value above {max(greatest):,} of 65,535"
    return f"{what}, so {they} nearly black: {times} before you save {them}"


def color_sums(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The sums of an image (H, W, 3): float64 (SUMS,)."""
    # sums of integers over a row of up to 1,024 pixels are exact in float32, over a wider row to 1e-7
    rows = pixels.astype(np.float32) - SHIFT
    products = np.einsum("hwc,hwd->hcd", rows, rows).astype(np.float64).sum(0)
    sums = rows.sum(1).astype(np.float64).sum(0)
    return np.array([rows.shape[0] * rows.shape[1], *sums, *products[PRODUCTS]])


def _write(cache: Path, facts: Mapping[EncodedImage, ImageFacts]) -> None:
    rows = [[*image, *known._replace(digest=known.digest.hex())[:-1]] for image, known in facts.items()]  # type: ignore[arg-type]
    sums = np.stack([known.sums for known in facts.values()])
    write_cache(cache, VERSION, rows=np.frombuffer(json.dumps(rows).encode(), np.uint8), sums=sums)


def _read(cache: Path) -> dict[EncodedImage, ImageFacts]:
    arrays = read_cache(cache, VERSION) or {}
    try:
        rows = zip(json.loads(arrays["rows"].tobytes()), arrays["sums"], strict=True)
        return {
            EncodedImage(file, offset, length): ImageFacts(
                tuple(stamp), bytes.fromhex(digest), reason, Header(*header), clear, greatest, noisy, endless, sums
            )
            for (file, offset, length, stamp, digest, reason, header, clear, greatest, noisy, endless), sums in rows
        }
    except (KeyError, ValueError, TypeError):
        return {}


@contextlib.contextmanager
def in_parallel(
    check: Callable[[T], R],
    items: Sequence[T],
    report: Report | None = None,
    on_messages: Callable[[], None] = lambda: None,
) -> Iterator[Iterator[R]]:
    """An iterator over check(item), in order, with lines of progress; leaving the context cancels the rest.

    Calls `on_messages` at the end if native libraries printed something.
    """

    def chunk(start: int) -> list[R]:
        return [check(item) for item in items[start : start + CHUNK]]

    with quietly() as dropped, ThreadPoolExecutor(os.cpu_count()) as pool:
        chunks: Any = pool.map(chunk, range(0, len(items), CHUNK))
        with contextlib.closing(chunks):
            yield _with_progress(chunks, len(items), report)
        printed = os.fstat(dropped.fileno()).st_size
    if printed:
        on_messages()


def _with_progress(chunks: Iterator[list[R]], count: int, report: Report | None) -> Iterator[R]:
    done, told = 0, time.monotonic()
    for each in chunks:
        yield from each
        done += len(each)
        if report and time.monotonic() - told > INTERVAL:
            told = time.monotonic()
            report(f"{done:,} of {counted(count, 'image')} read")


@contextlib.contextmanager
def quietly() -> Iterator[IO[bytes]]:
    """Suppress messages of native libraries, and Pillow's warnings about large images and damaged metadata.

    Yields the file that receives the messages.
    """
    with native_messages_dropped() as dropped, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield dropped


def cache_file(data: str | Path) -> Path:
    """The cache file of a data source, in ARCHSPEC_CACHE or the user's cache folder."""
    root = os.environ.get("ARCHSPEC_CACHE")
    if not root:
        root = os.path.join(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "archspec")
    digest = hashlib.sha256(os.fsencode(Path(data).resolve())).hexdigest()[:16]
    return Path(root) / f"manifest-{digest}.npz"


def write_cache(path: Path, version: int, **arrays: Any) -> None:
    """Write arrays with the version of their format. A cache that cannot be written is skipped without an error."""
    with contextlib.suppress(ArchspecError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary:
            np.savez_compressed(temporary, version=np.array(version), **arrays)


def read_cache(path: Path, version: int) -> dict[str, npt.NDArray[Any]] | None:
    """The arrays; None if the file is missing, damaged or has another version."""
    try:
        arrays = read_arrays(path)
        return arrays if int(arrays["version"]) == version else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All arrays of an .npz file that archspec wrote. Raises OSError and ValueError, also for a damaged file."""
    with open_npz(path) as file:
        return {name: file.read(name) for name in file.names}
