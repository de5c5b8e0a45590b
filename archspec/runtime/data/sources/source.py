"""The data source contract: a class declares which DATA it opens, how help texts write it, and how to open it.

To add a source to archspec, add a module to this package with a subclass of `DataSource`, and its test. To add one from
another package, name the module of the subclass in an entry point of the group `archspec.data_sources`:

    [project.entry-points."archspec.data_sources"]
    webdataset = "my_package.webdataset"

The subclass:

    class WebDataset(DataSource):
        \"\"\"A WebDataset: image files and their labels in .tar files.\"\"\"

        name = "webdataset"
        forms = ("wds:FOLDER",)
        prefix = "wds:"

        def open(self, data: str, *, channels: int, report: Report) -> Parts:
            folder = data.removeprefix(self.prefix)
            ...
            return Parts.of({"train": Images(...), "val": Images(...)})

The help of `--data`, the table in docs/data.md and the error messages derive from these classes. `open_data` does what
all sources share: it selects or splits the parts, decodes every image file once, converts between grey and RGB, and
checks the classes. Import tensorflow and optional packages inside `open`: the module is imported for `--help` too.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import ClassVar

from archspec.declare import Declared
from archspec.diagnostics import ArchspecError, did_you_mean, fail, listed, nearest
from archspec.plugins import Registry
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.parts import Parts
from archspec.targets import LabelColumn

DATA_SOURCES: Registry[DataSource] = Registry("archspec.data_sources")
"""Every data source under its name."""


class DataSource(Declared):
    """Base of all data sources. A subclass has a `name`; the first line of its docstring is its help text.

    Class attributes:
        forms: how DATA is written, for help texts: `digits`, `FILE.npz`, `keras:NAME`; placeholders in capitals.
        prefix: DATA that starts with it is for this source: `keras:`.
        suffixes: files that end in one of them, in any case, are for this source: `.npz`.
        fallback: True for a source that is asked after all others.
        only_lists: True for a source without TensorFlow, so that its classes are checked before TensorFlow is imported.
        extra: of archspec, which installs a package that the source or one of its forms needs.
    """

    registry = DATA_SOURCES
    forms: ClassVar[tuple[str, ...]] = ()
    prefix: ClassVar[str] = ""
    suffixes: ClassVar[tuple[str, ...]] = ()
    fallback: ClassVar[bool] = False
    only_lists: ClassVar[bool] = False
    extra: ClassVar[str] = ""

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").partition("\n")[0]

    def takes(self, data: str) -> bool:
        """Whether this source opens DATA: by default by its prefix, or if it is a file with one of its suffixes."""
        if self.prefix:
            return data.startswith(self.prefix)
        return data.lower().endswith(self.suffixes) and os.path.isfile(data)

    def open(self, data: str, *, channels: int, report: Report) -> Parts:
        """The parts of a data set.

        Args:
            data: as the user wrote it; `takes(data)` is True.
            channels: of the network's input, 3 for `data check`. `open_data` converts grey and RGB images; arrays
                without an axis of channels may need it to tell series from images.
            report: receives lines for the user.

        Raises:
            ArchspecError: data-not-found, data-format, data-empty, data-one-class, missing-package or download.
            OSError: reported as data-not-found.
        """
        raise NotImplementedError(f"{type(self).__name__}.open")  # a plugin that forgot it

    def has_classes(self, data: str) -> bool:
        """Whether DATA has one class for each image, which `open` reads; otherwise `open_columns` reads its labels."""
        return True

    def open_columns(self, data: str, *, channels: int, report: Report) -> Parts:
        """The parts with label columns (`Images.columns`), whose meaning depends on the outputs of a network.

        The arguments and errors are those of `open`. By default the classes are the only column.
        """
        parts = self.open(data, channels=channels, report=report)

        def read(part: str) -> Images:
            images = parts[part]
            return replace(images, columns=(LabelColumn("", images.class_names, images.labels),))

        return Parts(parts.class_names, read, unused=parts.unused, mark=parts.mark)

    def missing_package(self, data: str, package: str, alternative: str) -> ArchspecError:
        """The error for DATA that needs a package of `extra`, which is not installed."""
        help = f"`pip install 'archspec-keras[{self.extra}]'`, or {alternative}"
        return fail("missing-package", f"`{data}` needs {package}, which is not installed", help=help)


def download_failed(fact: str, library: str, error: Exception, help: str) -> ArchspecError:
    """The error for a download by a library, with the first line of its message."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return fail("download", fact, notes=[f"{library} says: {reason[:300]}"], help=help)


@cache
def data_sources() -> tuple[DataSource, ...]:
    """One instance of each data source, plugins included, in the order in which they are asked."""
    found = (each() for each in DATA_SOURCES.with_plugins().values())
    return tuple(sorted(found, key=lambda each: (each.fallback, each.name)))


def data_forms() -> list[tuple[str, str]]:
    """Each form of DATA, such as `keras:NAME`, and its description, for help texts and documentation."""
    return [(", ".join(each.forms), each.summary()) for each in data_sources()]


def open_source(data: str, *, channels: int, report: Report, columns: bool = False) -> Parts:
    """The parts of DATA, with their label columns if requested.

    Raises ArchspecError as `find_source` and `DataSource.open`, and `plugin`.
    """
    source = find_source(data)
    try:
        return (source.open_columns if columns else source.open)(data, channels=channels, report=report)
    except (ArchspecError, OSError):
        raise
    except Exception as error:
        package = type(source).__module__.partition(".")[0]
        if package == "archspec" or os.environ.get("ARCHSPEC_DEBUG"):
            raise
        reason = (str(error).strip().splitlines() or [""])[0]
        raise fail(
            "plugin",
            f"the data source `{source.name}` of the package `{package}` cannot open `{data}`",
            notes=[f"it raised {type(error).__name__}: {reason}"],
            help=f"report it to the authors of `{package}`; with ARCHSPEC_DEBUG=1 the traceback is shown",
        ) from error


OTHER_FILES: dict[tuple[str, ...], str] = {
    (".yaml", ".yml"): "this is a spec: write `archspec train SPEC --data DATA`",
    (".zip", ".tar", ".tar.gz", ".tgz", ".gz", ".rar", ".7z"): "unpack it, and give the folder",
    (".xlsx", ".xls", ".ods", ".tsv", ".txt"): "save the table as CSV, with the columns `path,label`",
    (".json", ".xml"): "write the labels as CSV, with the columns `path,label`",
    (".keras", ".weights.h5"): "this is a network: give its images",
    (".npy", ".mat", ".h5", ".hdf5", ".pkl", ".pickle", ".pt", ".pth"): "save the arrays `x` and `y` with numpy.savez",
    (
        ".png",
        ".jpg",
        ".jpeg",
        ".bmp",
        ".gif",
        ".webp",
        ".tif",
        ".tiff",
    ): "give the folder that holds the folders of the classes; `archspec predict MODEL IMAGE` takes single images",
}
"""Endings of files that are no data source -> the remedy."""
KERAS = ("cifar10", "cifar100", "mnist", "fashion_mnist")
"""Data sets of Keras, which are written `keras:cifar10`."""


def find_source(data: str) -> DataSource:
    """The source that opens DATA. Raises data-not-found and data-format."""
    for source in data_sources():
        if source.takes(data):
            return source
    forms = [form for source in data_sources() for form in source.forms]
    help = f"DATA is one of {listed(f'`{form}`' for form in dict.fromkeys(forms))}"
    if data and Path(data).exists():
        own = next((remedy for ends, remedy in OTHER_FILES.items() if data.lower().endswith(ends)), help)
        raise fail("data-format", f"archspec cannot read images from `{data}`: unknown format", help=own)
    near = did_you_mean(data, (form for form in forms if form.islower())) or _nearest_file(Path(data))
    if data.lower().replace("-", "_") in KERAS:
        near = f"did you mean `keras:{data.lower().replace('-', '_')}`?"
    raise fail("data-not-found", f"`{data}` does not exist", help=near or help)


def _nearest_file(path: Path) -> str | None:
    """The help that names a file beside `path` with a similar name."""
    try:
        near = nearest(path.name, (each.name for each in path.parent.iterdir() if not each.name.startswith(".")))
    except OSError:
        return None
    return near and f"did you mean `{path.with_name(near)}`?"
