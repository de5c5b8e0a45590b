"""Our networks equal those of torchvision, where torch and torchvision are installed.

A few models; `python -m tests.zoo.torch_parity` compares them all.
"""

import pytest

from tests.zoo.torch_parity import CASES, CHEAP, DOCUMENT, SLOW, TOLERANCE, Case, compare, has, kept


def test_the_document_has_a_row_for_each_comparison() -> None:
    lines = [line.split(" |") for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if " `" in line]
    assert ["".join(f"{cell} |" for cell in line[:4]) for line in lines if len(line) > 4] == [
        case.row for case in CASES
    ]
    assert len(kept()) > 50
    assert all(float(difference) <= TOLERANCE for difference in kept().values())


def _needs(library: str) -> None:
    if not has(library):
        pytest.skip(f"no interpreter with torch and {library}: TORCH_PYTHON can name one")


@pytest.fixture(scope="module")
def _libraries() -> None:
    _needs("torchvision")


@pytest.mark.usefixtures("_libraries")
@pytest.mark.parametrize("case", [case for case in CASES if case.model in CHEAP], ids=lambda case: case.model)
def test_logits_are_those_of_torchvision(case: Case) -> None:
    difference, sensitivity = compare(case)
    assert difference <= TOLERANCE
    assert sensitivity > 0.01  # else agreeing would mean little


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case.model in SLOW], ids=lambda case: case.model)
def test_logits_are_those_of_either_library(case: Case) -> None:
    _needs(case.library)
    difference, sensitivity = compare(case)
    assert difference <= TOLERANCE
    assert sensitivity > 0.01
