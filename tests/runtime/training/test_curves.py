"""The picture of a run: epochs are whole numbers on its axis, however few they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from archspec.lang.recipes.recipe import recipe
from archspec.runtime.training.records.curves import draw_curves
from archspec.runtime.training.records.recipe_summary import loss_labels


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


def test_the_legend_says_what_only_the_loss_of_training_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path: (drawn.append(figure), Path(path).touch()))
    row = {"epoch": 1, "loss": 2.0, "top1": 0.5, "val_loss": 2.5, "val_top1": 0.4}
    for given, heading, label in (
        ({"label_smoothing": 0.1}, "cross-entropy (nats)", "training, with label smoothing 0.1"),
        ({"loss": {"categorical_crossentropy": {"label_smoothing": 0.2}}}, "", "training, with label smoothing 0.2"),
        ({"class_weight": "balanced"}, "cross-entropy (nats)", "training, with weighted classes"),
        (
            {"label_smoothing": 0.1, "augment": ["random_flip", "mixup", "cutmix"]},
            "cross-entropy (nats)",
            "training, with label smoothing 0.1, mixup, cutmix",
        ),
        ({"loss": "mean_squared_error"}, "mean squared error", "training"),
    ):
        words = loss_labels(recipe(given))
        draw_curves(tmp_path / "curves.png", "some", [row], **words)
        left = drawn[-1].axes[0]
        assert heading in left.get_title(loc="left")
        assert ("nats" in left.get_title(loc="left")) == ("mean" not in heading)
        legend = left.get_legend()
        assert legend is not None
        assert [text.get_text() for text in legend.get_texts()] == [label, "validation"]
