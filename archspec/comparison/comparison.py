"""The result of `archspec.compare`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from archspec.arguments import StrPath, public
from archspec.comparison.facts import NetworkFacts
from archspec.comparison.pictures import pictures
from archspec.comparison.run_pictures import learning_curves
from archspec.comparison.runs import RunRecord
from archspec.comparison.tables import FORMATS, runs_csv
from archspec.diagnostics import counted
from archspec.drawings.drawing import Drawing

MARK = "comparison.json"
"""The file by which a folder of a comparison is recognized."""


@dataclass(frozen=True)
class Comparison:
    """Networks and runs side by side."""

    networks: tuple[NetworkFacts, ...]
    """The networks, those of the runs included, each once."""
    runs: tuple[RunRecord, ...]
    """The runs."""

    def __repr__(self) -> str:
        return f"<Comparison of {counted(len(self.networks), 'network')} and {counted(len(self.runs), 'run')}>"

    def __str__(self) -> str:
        return self.render()

    def _repr_markdown_(self) -> str:
        return self.render("markdown")

    @public()
    def render(self, format: Literal["text", "markdown", "csv", "json"] = "text") -> str:
        """The tables as text, Markdown, CSV or JSON."""
        return FORMATS[format](self.networks, self.runs)

    @cached_property
    def pictures(self) -> Mapping[str, Drawing]:
        """The pictures by the names of their files; those for which there are no figures are left out."""
        found = pictures(self.networks)
        curves = learning_curves(self.runs)
        if curves is not None:
            found["learning-curves"] = curves
        return found

    @public()
    def save(
        self, directory: StrPath, *, pictures: Literal["svg", "png", "pdf"] = "svg", overwrite: bool = False
    ) -> list[Path]:
        """Write the tables and pictures to a folder, atomically, and return the files.

        Args:
            directory: a new or empty folder.
            pictures: the format of the pictures; `png` and `pdf` need the extra `draw`.
            overwrite: replace the folder of an earlier comparison.

        Raises:
            ArchspecError: `output-exists`, `cannot-write`, `missing-package`.
        """
        from archspec.runtime.system.atomic_write import check_output_folder, make_folder
        from archspec.runtime.system.output_set import output_set

        directory = Path(directory)
        check_output_folder(directory, overwrite=overwrite, mark=MARK)
        texts = {
            "comparison.md": self.render("markdown"),
            "comparison.csv": self.render("csv"),
            MARK: self.render("json"),
        }
        if self.runs and self.networks:
            texts["runs.csv"] = runs_csv(self.runs)
        with output_set([directory]) as (folder,):
            make_folder(folder)
            for name, text in texts.items():
                (folder / name).write_text(f"{text}\n", encoding="utf-8")
            for name, drawing in self.pictures.items():
                drawing.save(folder / f"{name}.{pictures}")
        return sorted(directory.iterdir())
