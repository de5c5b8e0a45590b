"""Our networks equal those of torchvision, where torch and torchvision are installed.

A few models; `python -m tests.zoo.torch_parity` compares them all.
"""

import pytest

from tests.zoo.torch_parity import CASES, CHEAP, TOLERANCE, Case, compare, has


@pytest.fixture(scope="module", autouse=True)
def _libraries() -> None:
    if not has("torchvision"):
        pytest.skip("no interpreter with torch and torchvision: TORCH_PYTHON can name one")


@pytest.mark.parametrize("case", [case for case in CASES if case.model in CHEAP], ids=lambda case: case.model)
def test_logits_are_those_of_torchvision(case: Case) -> None:
    difference, sensitivity = compare(case)
    assert difference <= TOLERANCE
    assert sensitivity > 0.01  # else agreeing would mean little
