"""One of the validation images, to try `archspec predict` on."""

from __future__ import annotations

from pathlib import Path

from archspec.runtime.data.images import Images
from archspec.runtime.runs.run_directory import EXAMPLE
from archspec.runtime.system.atomic_write import atomic


def example_image(directory: Path, images: Images) -> Path | None:
    """A file with one of the images, written to the run directory if they come from memory; None for other data."""
    if images.files is not None:
        return Path(images.files[0]) if images.spans is None else None
    pixels = images.pixels
    if pixels is None or pixels.ndim != 4 or pixels.shape[-1] not in (1, 3):
        return None
    from PIL import Image

    with atomic(directory / EXAMPLE) as temporary:
        Image.fromarray(pixels[0].squeeze(-1) if pixels.shape[-1] == 1 else pixels[0]).save(temporary)
    return directory / EXAMPLE
