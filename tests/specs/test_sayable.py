"""Networks that are not in the zoo, written as specs: that they can be said, with the figures of papers and of timm.

The counts of timm are those of `timm.create_model(NAME)`; each spec names the model.
"""

from pathlib import Path

import pytest

from archspec import api
from tests.examples.specs import diagnostics

SPECS = sorted((Path(__file__).parent / "sayable").glob("*.yaml"))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_a_network_of_a_paper_has_its_figures(spec: Path) -> None:
    assert "expect:" in spec.read_text(encoding="utf-8")
    assert [each.message for each in diagnostics(spec)] == []


def test_every_resolution_of_hrnet_is_kept_through_a_stage() -> None:
    """Wang et al. 2020, Figure 2: 1/4, 1/8, 1/16 and 1/32 of the image, with C, 2C, 4C and 8C channels."""
    graph = api.load(str(SPECS[0].parent / "hrnet.yaml")).graph()
    for copy in (1, 2, 3):
        maps = [graph[f"stage4/{copy}/module4/y{number}"].shape for number in (1, 2, 3, 4)]
        assert maps == [(56, 56, 18), (28, 28, 36), (14, 14, 72), (7, 7, 144)]
