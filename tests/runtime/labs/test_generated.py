"""Generated images have the factors that they claim, and the images of a lab are the ones it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec import ArchspecError
from archspec.runtime.labs.generated import FACTORS, RGB, WAVES, shapes, waves
from archspec.runtime.labs.lab import LabImages
from archspec.runtime.labs.lab_data import class_names, lab_data, stratified


def ignore(line: str) -> None: ...


def test_a_plain_shape_has_its_color_inside_its_box() -> None:
    drawn = shapes(60, np.random.default_rng(0), of={"texture": ["plain"]}, noise=0)
    for pixels, color, (left, top, right, bottom) in zip(
        drawn.pixels, drawn.factors["color"], drawn.boxes, strict=True
    ):
        painted = (pixels == list(RGB.values())[color]).all(axis=-1)
        rows, columns = np.nonzero(painted)
        assert painted.sum() > 20
        assert left - 1 <= columns.min() <= columns.max() <= right
        assert top - 1 <= rows.min() <= rows.max() <= bottom


def test_shapes_have_the_areas_of_geometry() -> None:
    """In units of the square of the radius: pi for a circle, (2 * 0.85)^2 for a square, pi (1 - 0.55^2) for a ring."""
    expected = {"circle": np.pi, "square": 1.7**2, "ring": np.pi * (1 - 0.55**2), "cross": 2 * 2 * 0.6 - 0.6**2}
    for shape, area in expected.items():
        of = {"shape": [shape], "texture": ["plain"], "color": ["red"]}
        drawn = shapes(30, np.random.default_rng(1), size=64, of=of, radius=(0.3, 0.3), noise=0)
        painted = (drawn.pixels == RGB["red"]).all(axis=-1).sum(axis=(1, 2))
        assert painted.mean() / (0.3 * 64) ** 2 == pytest.approx(area, rel=0.03)


def test_every_factor_occurs_equally_often() -> None:
    drawn = shapes(4000, np.random.default_rng(2), size=8)
    for factor, values in FACTORS.items():
        counts = np.bincount(drawn.factors[factor], minlength=len(values))
        assert np.abs(counts - 4000 / len(values)).max() < 4 * np.sqrt(4000 / len(values))


def test_waves_have_equal_power_and_their_own_form() -> None:
    x, labels = waves(400, np.random.default_rng(3), noise=0)
    assert np.allclose((x**2).mean(axis=(1, 2)), 1, atol=1e-5)
    square = x[labels == WAVES.index("square")]
    assert np.allclose(np.abs(square), 1, atol=0.2)
    peak = {form: np.abs(x[labels == number]).max(axis=1).mean() for number, form in enumerate(WAVES)}
    assert peak["sine"] == pytest.approx(np.sqrt(2), rel=0.02)
    assert peak["sawtooth"] == pytest.approx(np.sqrt(3), rel=0.08)


def test_the_images_of_a_lab_are_written_once(tmp_path: Path) -> None:
    chosen = LabImages(train=20, test=12, classes=("3", "8"), pad=4)
    path = lab_data("digits", chosen, tmp_path, ignore)
    with np.load(path) as arrays:
        assert arrays["x_train"].shape == (20, 16, 16, 1)
        assert arrays["x_val"].shape == (12, 16, 16, 1)
        assert np.bincount(arrays["y_train"]).tolist() == [10, 10]
        assert not arrays["x_train"][:, :4].any()
        assert arrays["x_train"][:, 4:-4, 4:-4].any()
    assert class_names(path, ignore) == ("3", "8")
    before = Path(path).stat().st_mtime_ns
    assert lab_data("digits", chosen, tmp_path, ignore) == path
    assert Path(path).stat().st_mtime_ns == before
    assert lab_data("digits", LabImages(), tmp_path, ignore) == "digits"


def test_a_stratified_choice_has_equal_classes() -> None:
    labels = np.random.default_rng(0).integers(4, size=500).astype(np.int32)
    rows = stratified(labels, [0, 2, 3], 32)
    assert np.bincount(labels[rows], minlength=4).tolist() == [11, 0, 11, 10]
    assert len(set(rows.tolist())) == 32


@pytest.mark.parametrize(
    ("data", "images", "message"),
    [
        ("digits", LabImages(classes=("ten",)), "has no class `ten`"),
        ({"shape": {}}, LabImages(), "there are no generated data `shape`"),
        ({"shapes": {"side": 3}}, LabImages(), "`shapes` cannot be generated"),
        ({"shapes": {"of": {"color": ["pink"]}}}, LabImages(), "`shapes` cannot be generated"),
    ],
)
def test_wrong_data_are_one_error(data: object, images: LabImages, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArchspecError, match=message):
        lab_data(data, images, tmp_path, ignore)  # type: ignore[arg-type]
