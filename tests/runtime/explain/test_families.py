"""Every method on one network of eight families: finite maps of the right size, or one error that says why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.explain import EXPLAIN_METHODS

NETWORKS: dict[str, dict[str, Any]] = {
    "resnet:18": {"input": [64, 64, 3]},
    "vgg:A": {"input": [64, 64, 3]},
    "googlenet:paper": {"input": [96, 96, 3]},
    "densenet:121": {"input": [64, 64, 3]},
    "mobilenet-v2:1.0": {"input": [64, 64, 3]},
    "efficientnet:b0": {"input": [64, 64, 3]},
    "convnext:tiny": {"input": [64, 64, 3]},
    "vit:B-32": {"input": [64, 64, 3]},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "integrated-gradients": {"steps": 2, "max_steps": 2},
    "invariance": {"steps": 2},
    "maximize": {"steps": 2},
    "occlusion": {"size": 32, "stride": 32},
    "saliency": {"samples": 2},
}
NOT_APPLICABLE = {("deconvnet", "convnext:tiny"), ("deconvnet", "vit:B-32")}
"""Layer normalization and attention have no fixed filters to transpose."""


@pytest.mark.slow
@pytest.mark.parametrize("reference", NETWORKS)
def test_all_methods_run(reference: str) -> None:
    model = archspec.build(reference, classes=5, **NETWORKS[reference])
    side = NETWORKS[reference]["input"][0]
    pixels = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    refused = set()
    for name, method in EXPLAIN_METHODS.items():
        if method.takes == "data":
            continue
        try:
            found = archspec.explain(
                model, () if method.takes == "nothing" else pixels, method=name, settings=SETTINGS.get(name)
            )
        except ArchspecError as error:
            refused.add((name, error.diagnostics[0].code))
            continue
        whole = name == "invariance"  # one picture of all images
        assert len(found.images) == (0 if method.takes == "nothing" or whole else 2)
        assert all(np.isfinite(array).all() for array in found.findings.arrays.values())
        for image in found.images:
            for panel in image.panels:
                values = panel.values[np.isfinite(panel.values)] if name == "features" else panel.values
                assert np.isfinite(values).all()
                if name != "features":
                    assert panel.values.shape[:2] == (side, side)
    assert refused == {(method, "method-not-applicable") for method, net in NOT_APPLICABLE if net == reference}
