"""A network that the reference can compute, and images of all sizes. Journals stay in the folders of the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.cli.conftest import run as run

NAMES = ("bee", "ant", "cow", "dog", "élan", "fox")  # not in the order of the folders


@pytest.fixture(scope="package", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's cache folder meanwhile."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder  # type: ignore[misc]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference's network as a model file, with decided opinions."""
    import keras

    import archspec
    from archspec.runtime.models.metadata import Metadata
    from archspec.runtime.models.model_file import save_model
    from tests.runtime.evaluation.reference import SPEC

    spec = tmp_path_factory.mktemp("model") / "reference.yaml"
    spec.write_text(SPEC)
    network = archspec.load(str(spec))
    keras.utils.set_random_seed(4)
    built = network.build()
    kernel, bias, dense, dense_bias = built.get_weights()
    built.set_weights([3 * kernel, bias, 5 * dense, dense_bias + np.arange(6) / 5])
    metadata = Metadata(
        spec=network.resolved_text(),
        class_names=NAMES,
        preprocess=network.preprocess,  # type: ignore[arg-type]
        resize=network.protocol.resize,
    )
    save_model(built, spec.with_suffix(".keras"), metadata)
    return spec.with_suffix(".keras")


Sides = tuple[int, int]


@pytest.fixture(scope="session")
def write_images() -> Callable[[Path, list[Sides]], dict[str, npt.NDArray[np.uint8]]]:
    """Write PNGs of those sides into folders of classes; returns file -> pixels."""

    def write(folder: Path, sides: list[Sides]) -> dict[str, npt.NDArray[np.uint8]]:
        generator = np.random.default_rng(len(sides))
        for name in NAMES:
            (folder / name).mkdir(parents=True, exist_ok=True)
        found = {}
        for number, each in enumerate(sides):
            file = folder / NAMES[number % 6] / f"{number:03}.png"
            coarse = generator.integers(0, 256, (4, 5, 3), np.uint8)
            smooth = Image.fromarray(coarse).resize(each[::-1], Image.Resampling.BICUBIC)
            pixels = np.asarray(smooth)
            Image.fromarray(pixels).save(file)
            found[str(file)] = pixels
        return dict(sorted(found.items()))

    return write


SIDES: list[Sides] = [
    (13, 13),
    (9, 11),
    (11, 9),
    (13, 17),
    (40, 13),
    (3, 4),  # smaller than the crop
    (1, 1),
    (30, 31),
    (26, 26),
    (7, 50),
    (16, 16),
    (17, 12),
    (2, 29),
    (13, 13),
    (19, 60),
    (5, 5),
    (13, 14),
    (12, 13),
]
"""Of the images of a test: three of each class, of sizes that the crop, the scale and the strides do not divide."""
