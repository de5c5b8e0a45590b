"""The time that a command takes is bounded over all variants and all errors of a spec."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from archspec import api
from archspec.diagnostics import nearest

HEAD = "name: net\ninput: [8, 8, 3]\n"
LONG = [f"{'b' * 56}{i:04}" for i in range(999)]


@pytest.mark.parametrize("layer", ["{relu: ~, repeat: 20000}", "{relu: ~, when: false, repeat: 9}"])
def test_many_variants_have_one_budget(layer: str, tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    variants = ", ".join(f"v{i}" for i in range(5000))
    file.write_text(f"{HEAD}variants: [{variants}]\nlayers: [{layer}, relu]\n")
    start = time.process_time()
    found = api.check(str(file))
    assert time.process_time() - start < 3
    assert found[-1].code == "too-many-layers"
    assert f"{file}:v" in (found[-1].help or "")
    assert api.check(f"{file}:v7") == []


def test_many_misspelt_words_are_compared_with_few_names() -> None:
    start = time.process_time()
    assert all(nearest(f"{'b' * 56}x{i:03}", LONG) for i in range(100))
    assert time.process_time() - start < 4
    names = [f"layer{i}_conv" for i in range(900)]
    assert nearest("layer77_cnov", names) == "layer77_conv"
