"""The picture of a run: epochs are whole numbers on its axis, however few they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from archspec.runtime.curves import draw_curves


@pytest.mark.parametrize("epochs", [1, 2, 7, 300])
def test_epochs_are_whole_numbers_on_the_axis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    drawn: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *arguments: object, **options: object) -> None:
        drawn.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    rows = [
        {"epoch": i + 1, "loss": 2 / (i + 1), "top1": 0.5, "val_loss": 2.5 / (i + 1), "val_top1": 0.4}
        for i in range(epochs)
    ]
    draw_curves(tmp_path / "curves.png", "some", rows)
    for axes in drawn[0].axes:
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks
        assert all(float(tick).is_integer() for tick in ticks)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
