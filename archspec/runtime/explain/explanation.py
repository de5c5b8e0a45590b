"""What a method finds: maps for each image, pictures of the whole set, numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archspec.arguments import StrPath, as_path, public
from archspec.diagnostics import counted

Kind = Literal["overlay", "heat", "signed", "image"]
"""How a map is drawn: laid over the image, alone, with a diverging color map around 0, or as a picture around grey."""


@dataclass(frozen=True, eq=False)
class Panel:
    """A map of one image, and what it is of."""

    title: str
    """Above the picture: `cat 93.1 %`."""
    values: npt.NDArray[np.float32]
    """(H, W), the size of the image; (H, W, C) for the kind `image`."""
    kind: Kind
    unit: str = ""
    """Beside the color bar: `probability`."""
    raw: npt.NDArray[np.float32] | None = None
    """The map before it was enlarged or reduced to one value a pixel; None where it is `values`."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """For explain.json: the class, its probability and whatever else the method measures."""
    text: str = ""
    """What the command prints of it; by default the title."""
    from_zero: bool = True
    """Whether the color scale begins at 0, and not at the smallest value."""

    @property
    def is_zero(self) -> bool:
        """Whether the map is zero everywhere: there is nothing to draw."""
        return not np.any(self.values)

    def to_json(self) -> dict[str, Any]:
        """Plain values: the numbers of the method, and minimum, maximum and where the maximum lies."""
        flat = self.values if self.values.ndim == 2 else np.abs(self.values).max(axis=-1)
        row, column = np.unravel_index(int(np.argmax(flat)), flat.shape)
        return {
            "title": self.title,
            **self.numbers,
            "unit": self.unit,
            "minimum": float(self.values.min()),
            "maximum": float(self.values.max()),
            "maximum_at": None if self.is_zero else {"row": int(row), "column": int(column)},
        }


@dataclass(frozen=True, eq=False)
class ExplainedImage:
    """The maps of one image."""

    file: str
    label: str | None
    """The name of its true class, where it is known."""
    pixels: npt.NDArray[np.uint8]
    """The image as the network sees it, before `preprocess`: (H, W, C)."""
    panels: tuple[Panel, ...]
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """For explain.json: numbers of the whole image."""
    notes: tuple[str, ...] = ()
    """What the user must know about this image: a map that is zero everywhere, a residual that is too large."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        panels = [panel.to_json() for panel in self.panels]
        return {"file": self.file, "label": self.label, **self.numbers, "panels": panels, "notes": list(self.notes)}


Picture = Callable[[], npt.NDArray[np.uint8]]
"""Draws a picture, RGB (H, W, 3)."""


@dataclass(frozen=True, eq=False)
class Findings:
    """What a method returns."""

    images: tuple[ExplainedImage, ...] = ()
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    """Pictures of the whole set, by their file names without suffix: `stage2-conv1`."""
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    """For the .npz: arrays of the whole set."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """For explain.json: numbers of the whole set."""
    notes: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    """What the command prints of the whole set."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """The result of `archspec.explain`: the maps as arrays, and the pictures of them."""

    method: str
    """Its name."""
    model: str
    """The path of the model, or its name."""
    layer: str | None
    """The path of the explained layer; None for a method without one."""
    settings: Mapping[str, Any]
    """The arguments of the method."""
    images: tuple[ExplainedImage, ...]
    """The images with their maps; empty for a method of a whole data set."""
    notes: tuple[str, ...]
    """Caveats of the method, and what it does with layers for which it is not defined."""
    bad_images: Mapping[str, str]
    """Image -> why it cannot be read."""
    findings: Findings
    """Pictures, arrays and numbers of the whole set."""

    def __repr__(self) -> str:
        where = f" at {self.layer}" if self.layer else ""
        return f"<Explanation: {self.method}{where}, {counted(len(self.images), 'image')}>"

    @property
    def maps(self) -> npt.NDArray[np.float32]:
        """The maps of all images, which have one size: (images, panels, H, W), or (images, panels, H, W, C)."""
        return np.stack([np.stack([panel.values for panel in image.panels]) for image in self.images])

    def to_json(self) -> dict[str, Any]:
        """Plain values, as in explain.json and as `--format json` prints them."""
        return {
            "format": 1,
            "method": self.method,
            "model": self.model,
            "layer": self.layer,
            "settings": dict(self.settings),
            "notes": list(self.notes),
            **self.findings.numbers,
            "images": [image.to_json() for image in self.images],
            "bad_images": dict(self.bad_images),
        }

    @public()
    def render(self, format: Literal["text", "json"] = "text") -> str:
        """As `archspec explain` prints it: a line for each image, then the notes; or JSON."""
        from archspec.runtime.explain.outputs import explanation_text

        return explanation_text(self, format)

    @public()
    def write(self, directory: StrPath, *, overwrite: bool = False, raw: bool = False) -> Path:
        """Write explain.json, a contact sheet, a PNG for each image, and with `raw` the maps as maps.npz.

        Args:
            directory: a new or empty folder.
            overwrite: replace the files of an earlier explanation.
            raw: write maps.npz too: the maps as they were computed, float32.

        Raises:
            ArchspecError: `output-exists`, `cannot-write`.
        """
        from archspec.runtime.explain.outputs import write_explanation

        return write_explanation(self, as_path(directory), overwrite=overwrite, raw=raw)
