"""Check images before training, and preview what a network will see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from archspec.api.network import Network, Setting
from archspec.api.outputs import check_output
from archspec.api.references import as_network
from archspec.arguments import PositiveFloat, Range, Seed, StrPath, as_path, public
from archspec.wording import reporter

if TYPE_CHECKING:
    from archspec.runtime.data.report.manifest import Manifest


def data_sources() -> list[tuple[str, str]]:
    """The forms of a data source, `FILE.npz`, `keras:NAME`, ..., each with its description. Includes plugins."""
    from archspec.runtime.data.sources.source import data_forms

    return data_forms()


@public()
def check_data(
    data: StrPath,
    *,
    split: str | None = None,
    validation_split: PositiveFloat | None = None,
    classes: StrPath | None = None,
    use_cache: bool = True,
    report: Callable[[str], None] | None = None,
) -> Manifest:
    """Decode every image of a data source once: bad files, class counts, sizes, color statistics, duplicates.

    Args:
        data: a data source of labelled images, one of `data_sources()`.
        split: a part of the data, such as "test", to check it only.
        validation_split: the share that training would hold out, to see the numbers of images.
        classes: a file with the names of the network's classes, which those of the data are compared with.
        use_cache: skip images that have not changed since the last check.
        report: called with lines of progress.

    Raises:
        ArchspecError: `data-not-found` and other errors of a source that cannot be opened; `validation-split`,
            `class-list`. Bad images are listed in the result.
    """
    from archspec.runtime.data.report.manifest import make_manifest

    return make_manifest(
        as_path(data),
        split=split,
        keep=use_cache,
        validation_split=validation_split,
        classes=as_path(classes),
        report=reporter(report),
    )


@dataclass(frozen=True)
class Preview:
    """A PNG that `preview_data` wrote."""

    path: Path
    """The file."""
    images: int
    """The number of images; one row each."""
    views: int
    """The number of views of each image."""


@public()
def preview_data(
    network: Network | StrPath,
    data: StrPath,
    out: StrPath,
    *,
    recipe: StrPath | None = None,
    rows: Annotated[int, Range(1, 100)] = 6,
    columns: Annotated[int, Range(2, 50)] = 7,
    seed: Seed = 0,
    skip_bad_images: bool = False,
    overwrite: bool = False,
    report: Callable[[str], None] | None = None,
    **settings: Setting,
) -> Preview:
    """Draw what a network will see: each image as in evaluation, then augmented as in the first epochs.

    Args:
        network: a network or a reference.
        data: a data source of labelled images, one of `data_sources()`.
        out: the PNG to write.
        recipe: a recipe that replaces that of the spec, as for `load`.
        rows: the number of images.
        columns: the number of views of each image.
        seed: seed of the augmentation.
        skip_bad_images: leave out files that cannot be decoded.
        overwrite: replace an existing file.
        report: called with lines of progress.
        settings: as for `load`; keys of the recipe need no prefix: `augment=["random_flip"]`.

    Raises:
        ArchspecError: `bad-output`, `output-exists`, `cannot-write`, `data-shape`; the errors of the network and of
            the data.
    """
    options = ["recipe", "rows", "columns", "seed", "skip_bad_images", "overwrite", "report"]
    network = as_network(network, settings, recipe=recipe, options=options)
    input_shape = network.graph().input_shape
    out = check_output(out, ".png", overwrite=overwrite)
    from archspec.runtime.data.report.preview import preview

    images, views = preview(
        input_shape,
        network.recipe,
        network.protocol,
        as_path(data),
        out,
        rows=rows,
        columns=columns,
        seed=seed,
        skip_bad_images=skip_bad_images,
        report=reporter(report),
    )
    return Preview(out, images, views)
