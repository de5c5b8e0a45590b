"""What `archspec serve` is given: a folder of versions, a folder of such folders, a run directory or a model file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from archspec.diagnostics import fail, printable
from archspec.runtime.export.version_folder import DESCRIPTION, versions
from archspec.runtime.models.model_file import model_path

_NAME = re.compile(r"[^/:\s\x00-\x1f\x7f][^/:\x00-\x1f\x7f]*")
"""What can stand in /v1/models/NAME:predict."""

SERVED = "give the folder of an export, a folder of several exports, a run directory or a `.keras` file"


EXPORTED = (".onnx", ".tflite", ".pb")
"""Endings of files that exports of archspec consist of, and those of other programs."""


@dataclass(frozen=True)
class ModelSource:
    """Where the models of a server are.

    Attributes:
        folder: of the versions of one model, or of several such folders.
        name: of the model; None for several, which are named after their folders.
        model_file: the `.keras` file that the versions were exported from, where it is known.
    """

    folder: Path
    name: str | None
    model_file: Path | None = None

    def folders(self) -> dict[str, Path]:
        """Name -> folder of the versions, as they are now."""
        if self.name is not None:
            return {self.name: self.folder}
        return model_folders(self.folder)


def model_folders(folder: Path) -> dict[str, Path]:
    """The folders in a folder that contain versions, by their names."""
    found = [path for path in folder.iterdir() if path.is_dir() and _NAME.fullmatch(path.name)]
    return {path.name: path for path in sorted(found) if not path.name.isdecimal() and exports(path)}


def exports(folder: Path) -> list[int]:
    """The numbers of the versions in a folder that archspec exported."""
    return [number for number in versions(folder) if (folder / str(number) / DESCRIPTION).is_file()]


@contextmanager
def model_source(path: Path, name: str | None, report: Callable[[str], None]) -> Iterator[ModelSource]:
    """Yields what is served. A run or a `.keras` file is exported into a temporary folder, which is removed at the end.

    Raises:
        ArchspecError: `model-not-found`; `not-served` for anything else; the errors of `export`.
    """
    path = Path(path)
    if not path.exists():
        raise fail("model-not-found", f"there is no file or folder `{printable(str(path))}`", help=SERVED)
    chosen = name if name is not None else path.resolve().name
    if path.is_dir() and exports(path):
        yield ModelSource(path, _checked(chosen))
        return
    if path.is_dir() and model_folders(path):
        if name is not None:
            raise fail(
                "not-served",
                f"`{printable(str(path))}` has several models, whose names are those of their folders",
                help="leave out `--name`",
            )
        yield ModelSource(path, None)
        return
    if path.is_dir() and (path / DESCRIPTION).is_file():
        raise fail(
            "not-served",
            f"`{printable(str(path))}` is a version of an export, not the folder of the versions",
            help=_folder_help(path),
        )
    if path.is_file() and path.suffix != ".keras" and (path.parent / DESCRIPTION).is_file():
        raise fail(
            "not-served",
            f"`{printable(str(path))}` is a file of an export, not the folder of its versions",
            help=_folder_help(path.parent),
        )
    if path.is_file() and path.suffix in EXPORTED:
        raise fail(
            "not-served",
            f"`{printable(str(path))}` was not exported by archspec: the folder of an export has a file {DESCRIPTION}",
            help=SERVED,
        )
    if path.is_dir() and not any((path / each).is_file() for each in ("best.keras", "last.keras")):
        raise fail(
            "not-served",
            f"the folder `{printable(str(path))}` contains neither exports nor a trained model",
            help=SERVED,
        )
    file = model_path(path)
    chosen = _checked(name if name is not None else path.resolve().stem if path.is_file() else path.resolve().name)
    with TemporaryDirectory(prefix="archspec-serve-") as folder:
        from archspec.runtime.export.exporter import ExportOptions, export

        report("exporting the model into a temporary folder")
        export(file, Path(folder) / "model", ExportOptions(optimize=True, verify=False))
        yield ModelSource(Path(folder) / "model", chosen, file)


def _folder_help(version: Path) -> str:
    """What to serve instead of one version of an export."""
    if not version.name:  # the current folder
        version = version.absolute()
    if version.name.isdecimal():
        return f"`archspec serve {shlex.quote(printable(str(version.parent)))}`"
    return f"put the folder `{printable(version.name)}` into another one under the name `1`, and serve that one"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise fail(
            "not-served",
            f"a model cannot be named `{printable(name)}`",
            help="choose a name without `/` and `:` with `--name`",
        )
    return name
