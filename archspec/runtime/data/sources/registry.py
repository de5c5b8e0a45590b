"""All data sources, and which of them opens DATA."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from archspec.diagnostics import did_you_mean, fail, listed, nearest
from archspec.runtime.data import sources
from archspec.runtime.data.sources.source import DATA_SOURCES, DataSource


@cache
def data_sources() -> tuple[DataSource, ...]:
    """One instance of each data source, plugins included, in the order in which they are asked."""
    DATA_SOURCES.import_package(sources.__name__, sources.__path__)
    found = (each() for each in DATA_SOURCES.with_plugins().values())
    return tuple(sorted(found, key=lambda each: (each.fallback, each.name)))


def data_forms() -> list[tuple[str, str]]:
    """Each form of DATA, such as `keras:NAME`, and its description, for help texts and documentation."""
    return [(", ".join(each.forms), each.summary()) for each in data_sources()]


def find_source(data: str) -> DataSource:
    """The source that opens DATA. Raises data-not-found and data-format."""
    for source in data_sources():
        if source.takes(data):
            return source
    forms = [form for source in data_sources() for form in source.forms]
    help = f"DATA is one of {listed(f'`{form}`' for form in dict.fromkeys(forms))}"
    if data and Path(data).exists():
        raise fail("data-format", f"archspec reads no images from files like `{data}`", help=help)
    near = did_you_mean(data, (form for form in forms if form.islower())) or _nearest_file(Path(data))
    raise fail("data-not-found", f"`{data}` does not exist", help=near or help)


def _nearest_file(path: Path) -> str | None:
    """The help that names a file beside `path` with a similar name."""
    try:
        near = nearest(path.name, (each.name for each in path.parent.iterdir() if not each.name.startswith(".")))
    except OSError:
        return None
    return near and f"did you mean `{path.with_name(near)}`?"
