"""A finished drawing: it shows itself in a notebook, and saves itself as SVG, PNG, PDF or what its style adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from archspec.arguments import StrPath, public
from archspec.diagnostics import fail
from archspec.drawings.svg import document

PNG_SCALE = 2
"""Pixels of a PNG for a unit of the SVG."""
MOST_PIXELS = 32_000
"""Of a side of a PNG that cairo writes."""
MOST_POINTS = 14_400
"""Of a side of a page that PDF readers show: 200 inches."""
RASTERIZED = (".png", ".pdf")
"""Suffixes that need cairosvg."""


@dataclass(frozen=True)
class Drawing:
    """A drawing of one or more networks."""

    title: str
    """For readers of the screen and the title of a page: `resnet-152`."""
    content: str = field(repr=False)
    """SVG elements in the classes of the palette."""
    width: float
    """In CSS pixels, like the coordinates of `content`."""
    height: float
    """In CSS pixels."""
    style: str = field(default="", repr=False)
    """More CSS for `content`."""
    texts: Mapping[str, Callable[[], str]] = field(default_factory=dict, repr=False)
    """Suffix -> function that returns the text of such a file: `.html`, `.md`."""

    def svg(self) -> str:
        """The text of an SVG file."""
        return document(self.content, self.width, self.height, self.title, style=self.style)

    def _repr_svg_(self) -> str:
        return self.svg()

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The endings of the files that `save` can write."""
        return (".svg", *RASTERIZED, *self.texts)

    @public()
    def save(self, path: StrPath, *, overwrite: bool = False) -> Path:
        """Write the drawing to a file, atomically, in the format of its suffix.

        Args:
            path: its suffix is one of `suffixes`; PNG and PDF need the extra `draw`.
            overwrite: replace an existing file.

        Raises:
            ArchspecError: `bad-output`, `output-exists`, `missing-package`, `drawing-too-large`, `cannot-write`.
        """
        from archspec.runtime.system.atomic_write import atomic, check_output_file

        path = Path(path)
        check_output_file(path, *self.suffixes, overwrite=overwrite)
        data = self._data(path.suffix)
        with atomic(path) as temporary:
            temporary.write_bytes(data)
        return path

    def _data(self, suffix: str) -> bytes:
        if suffix in self.texts:
            return self.texts[suffix]().encode()
        if suffix == ".svg":
            return self.svg().encode()
        try:
            import cairosvg
        except (ImportError, OSError) as error:  # OSError: the library cairo itself is missing
            kind = suffix[1:].upper()
            if isinstance(error, ImportError):
                fact = f"to write {kind} needs the package cairosvg, which is not installed"
                remedy = "`pip install 'archspec-keras[draw]'`"
            else:
                fact = f"to write {kind} needs the library cairo, which is not installed"
                remedy = "install it (Debian and Ubuntu: `apt-get install libcairo2`)"
            raise fail("missing-package", fact, help=f"{remedy}, or write `.svg`") from None
        convert = cairosvg.svg2png if suffix == ".png" else cairosvg.svg2pdf
        data: bytes = convert(bytestring=self.svg().encode(), scale=self._scale(suffix))
        return data

    def _scale(self, suffix: str) -> float:
        """The scale of a PNG or PDF. Raises ArchspecError: `drawing-too-large` for a PNG with too many pixels."""
        longest = max(self.width, self.height)
        if suffix == ".pdf":
            return min(1, MOST_POINTS / (longest * 0.75))
        if longest > MOST_PIXELS:
            raise fail(
                "drawing-too-large",
                f"the drawing is {self.width:,.0f} x {self.height:,.0f} pixels, but a PNG has at most {MOST_PIXELS:,}",
                help="write `.svg` or `.pdf`, or draw less of it",
            )
        return min(PNG_SCALE, MOST_PIXELS / longest)
