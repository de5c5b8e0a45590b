"""A small network of images that are not square, and its exports."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import archspec
from tests.runtime.serve.running import Running, running

SPEC = """
name: small
input: [12, 10, 3]
layers:
  - {conv: {filters: 6, kernel_size: 3, use_bias: false}, name: first}
  - bn
  - relu
  - {maxpool: 2}
  - flatten
  - dense: 5
  - softmax
preprocess: [scale: $(1 / 255), subtract_mean: 0.5]
evaluate: {resize: 16}
"""


@dataclass(frozen=True)
class Exports:
    """The files of one network."""

    folder: Path
    """`model.keras`, `images/*`, and the exports."""

    @property
    def model(self) -> Path:
        return self.folder / "model.keras"

    def saved(self, name: str = "saved") -> Path:
        """The export of that name, made when it is first needed: `saved`, `keras`, `onnx` or `litert`."""
        folder = self.folder / name
        if not folder.exists():
            with pytest.MonkeyPatch.context() as patch:
                if name == "litert":  # here: another process would import TensorFlow for seconds
                    patch.setattr(
                        "archspec.runtime.export.pixel_function.run_program",
                        lambda program, request: runpy.run_path(str(program))["main"](request),
                    )
                format = "savedmodel" if name == "saved" else name
                archspec.export(self.model, folder, format=format, verify=False)
        return folder

    @property
    def images(self) -> dict[str, bytes]:
        """Name -> encoded image of some size and format."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / "images").iterdir())}

    def predicted(self) -> dict[str, list[tuple[str, float]]]:
        """What `archspec predict` says of each image."""
        found = archspec.predict(self.model, [str(self.folder / "images")], top=5)
        return {Path(each.file).name: list(each.classes) for each in found}


def write_images(folder: Path) -> None:
    """Photos of several sizes, formats and orientations."""
    from PIL import Image

    folder.mkdir()
    generator = np.random.default_rng(0)
    for number, (name, mode, size) in enumerate(
        [
            ("a.png", "RGB", (10, 12)),
            ("b.jpg", "RGB", (40, 31)),
            ("c.webp", "RGB", (17, 50)),
            ("d.bmp", "RGB", (20, 20)),
            ("grey.png", "L", (33, 21)),
            ("alpha.png", "RGBA", (24, 24)),
        ]
    ):
        coarse = generator.integers(0, 255, (4, 4, len(mode)), np.uint8)
        image = Image.fromarray(coarse[..., 0] if mode == "L" else coarse, mode).resize(size)
        exif = Image.Exif()
        exif[0x0112] = 6 if number == 1 else 1
        image.save(folder / name, **({"exif": exif} if name.endswith("jpg") else {}))


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    folder = tmp_path_factory.mktemp("served")
    (folder / "small.yaml").write_text(SPEC)
    archspec.load(str(folder / "small.yaml")).save(folder / "model.keras")
    write_images(folder / "images")
    return Exports(folder)


@pytest.fixture(scope="session")
def served(exports: Exports) -> Iterator[Running]:
    """The SavedModel."""
    with running(exports.saved()) as found:
        yield found
