"""One of the validation images, to try `archspec predict` on."""

from __future__ import annotations

from pathlib import Path

from archspec.runtime.data.images import Images
from archspec.runtime.runs.run_directory import EXAMPLE
from archspec.runtime.system.atomic_write import atomic


def write_example(directory: Path, images: Images) -> None:
    """Write one of the images to the run directory, if they come from memory and none is there."""
    pixels = images.pixels
    if pixels is None or pixels.ndim != 4 or pixels.shape[-1] not in (1, 3) or (directory / EXAMPLE).exists():
        return
    from PIL import Image

    with atomic(directory / EXAMPLE) as temporary:
        Image.fromarray(pixels[0].squeeze(-1) if pixels.shape[-1] == 1 else pixels[0]).save(temporary)


def example_file(directory: Path, images: Images) -> Path | None:
    """The image of the run directory, or one of the image files; None for other data."""
    written = directory / EXAMPLE
    if written.is_file():
        return written
    return Path(images.files[0]) if images.files is not None and images.spans is None else None
