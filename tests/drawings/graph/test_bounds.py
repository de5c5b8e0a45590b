"""A network with very many layers, or connections across layers, is refused instead of drawn for minutes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from archspec.cli.main import cli

HEAD = "name: net\ninput: [8, 8, 3]\nlayers:\n  - {name: a0, relu: ~}\n"
MANY = "  - {gelu: ~, repeat: 20000}\n"
ACROSS = "".join(
    f"  - {{name: a{i}, add: ~, from: [{', '.join(f'a{j}' for j in range(i))}, a0]}}\n" for i in range(1, 200)
)


@pytest.mark.parametrize("layers", [MANY, ACROSS], ids=["many layers", "across layers"])
def test_what_cannot_be_drawn_in_time_is_refused(layers: str, tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(HEAD + layers)
    result = CliRunner().invoke(cli, ["draw", str(file), "-o", str(tmp_path / "net.svg")])
    assert getattr(result.exception, "diagnostics")[0].code == "too-many-layers"  # noqa: B009
    assert not (tmp_path / "net.svg").exists()
