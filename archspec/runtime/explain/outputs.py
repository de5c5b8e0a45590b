"""What `archspec explain` prints and writes: text, explain.json, pictures, maps.npz."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from archspec.declare import arguments, thaw
from archspec.diagnostics import counted, fail, printable, visible
from archspec.runtime.explain.explain_method import EXPLAIN_METHODS
from archspec.runtime.explain.explanation import ExplainedImage, Explanation
from archspec.runtime.system.atomic_write import check_output_folder, make_folder, write_json
from archspec.runtime.system.output_set import output_set

MARK = "explain.json"
"""A file that every folder of explanations has."""
SHEET_IMAGES = 100
"""Most images on one contact sheet; more are drawn on several."""


def explanation_text(explanation: Explanation, format: Literal["text", "json"] = "text") -> str:
    """A line for each image, then what the method found in the whole set, then the notes; or JSON."""
    if format == "json":
        return json.dumps(explanation.to_json())
    lines = []
    for image in explanation.images:
        numbers = "; ".join(visible(panel.text or panel.title) for panel in image.panels)
        lines.append(f"{printable(image.file)}: {numbers}")
        lines += [f"  note: {visible(note)}" for note in image.notes]
    lines += explanation.findings.lines
    lines += [f"note: {note}" for note in explanation.notes]
    return "\n".join(lines)


def heading(explanation: Explanation) -> str:
    """The first line of a contact sheet."""
    where = f" at {explanation.layer}" if explanation.layer else ""
    defaults = {argument.name: thaw(argument.default) for argument in arguments(EXPLAIN_METHODS[explanation.method])}
    changed = [
        name if value is True else f"{name} {value}"
        for name, value in explanation.settings.items()
        if name not in ("layer", "classes", "channels") and value != defaults.get(name)
    ]
    with_settings = f", {', '.join(changed)}" if changed else ""
    return f"{explanation.method}{where} of {visible(explanation.model)}{with_settings}"


def check_explanation_folder(directory: str | Path, *, overwrite: bool) -> None:
    """Check before the work that the folder can be written. Raises ArchspecError: `output-exists`, `cannot-write`."""
    check_output_folder(Path(directory), overwrite=overwrite, mark=MARK)


def write_explanation(
    explanation: Explanation, directory: str | Path, *, overwrite: bool = False, raw: bool = False
) -> Path:
    """Write the files into a new or empty folder, all or none. See `Explanation.write`."""
    directory = Path(directory)
    check_explanation_folder(directory, overwrite=overwrite)
    with output_set([directory]) as (temporary,):
        make_folder(temporary)
        _write(explanation, temporary, raw=raw)
    return directory


def _write(explanation: Explanation, folder: Path, *, raw: bool) -> None:
    from archspec.runtime.explain.picture import block, contact_sheet, save_png

    data = explanation.to_json()
    names = list(_file_names(explanation.images))
    for entry, name in zip(data["images"], names, strict=True):
        entry["picture"] = name
    blocks = []
    for image, name in zip(explanation.images, names, strict=True):
        drawing = block(image)
        save_png(drawing, folder / name)
        blocks.append(drawing)
    for start in range(0, len(blocks), SHEET_IMAGES):
        number = f"-{start // SHEET_IMAGES + 1}" if len(blocks) > SHEET_IMAGES else ""
        sheet = contact_sheet(blocks[start : start + SHEET_IMAGES], heading(explanation))
        save_png(sheet, folder / f"contact-sheet{number}.png")
    for name, draw in explanation.findings.pictures.items():
        save_png(draw(), folder / f"{name}.png")
    data["pictures"] = [f"{name}.png" for name in explanation.findings.pictures]
    if raw:
        arrays = dict(explanation.findings.arrays)
        for row, image in enumerate(explanation.images):
            for column, panel in enumerate(image.panels):
                arrays[f"{row}/{column}"] = panel.values if panel.raw is None else panel.raw
        np.savez_compressed(folder / "maps.npz", allow_pickle=False, **arrays)
    write_json(folder / MARK, data)


def _file_names(images: tuple[ExplainedImage, ...]) -> Iterator[str]:
    """`001-cat.png`: numbered, so that images of the same name keep their pictures."""
    digits = max(3, len(str(len(images))))
    for number, image in enumerate(images, 1):
        word = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(image.file).stem).strip("-.")[:60]
        yield f"{number:0{digits}}-{word or 'image'}.png"


def no_images_left(bad: dict[str, str]) -> Exception:
    """The error for images of which none can be read."""
    notes = [f"{printable(file)}: {error}" for file, error in list(bad.items())[:5]]
    fact = "the image cannot be read" if len(bad) == 1 else f"none of the {counted(len(bad), 'image')} can be read"
    return fail("bad-images", fact, notes=notes, help="give image files such as PNG or JPEG")
