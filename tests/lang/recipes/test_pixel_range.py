"""A mean and standard deviation for pixels of 0 to 1 give a warning where pixels are 0 to 255."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec

IMAGENET = "{mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}"
"""torchvision.transforms.Normalize of its models, for pixels of 0 to 1."""


@pytest.mark.parametrize(
    ("preprocess", "help"),
    [
        (f"normalize: {IMAGENET}", "write `scale` before `normalize`"),
        ("scale: 255", "`scale` divides by 255 without an argument"),
        (f"scale, normalize: {IMAGENET}", None),
        ("normalize: {mean: [123.7, 116.3, 103.5], std: [58.4, 57.1, 57.4]}", None),
        ("subtract_mean: [123.7, 116.8, 103.9]", None),
        ("scale: {factor: 0.00784, offset: -1}", None),
        ("normalize: {mean: 0, std: 1}", None),
    ],
)
def test_numbers_far_above_pixels_are_said(preprocess: str, help: str | None, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        f"name: net\ninput: [8, 8, 3]\nlayers: [flatten, dense: 2]\npreprocess: [{preprocess}]\n"
    )
    found = archspec.check(str(tmp_path / "net.yaml"))
    assert [(each.code, each.severity) for each in found] == [("pixel-range", "warning")] * (help is not None)
    assert help is None or help in str(found[0].help)
    if "normalize" in preprocess and help:  # (255 - 0.406) / 0.224 and -0.485 / 0.224
        assert found[0].message.endswith("from -2.165 to 1,137")
