"""Which images a network finds hard, against a plain calculation over lists."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from archspec.runtime.evaluation import hard_images
from archspec.runtime.evaluation.hard_images import confused_pairs, least_sure, most_confident_mistakes
from archspec.runtime.evaluation.predictions import Predictions


def predictions(posteriors: list[list[float]], labels: list[int]) -> Predictions:
    count, classes = len(labels), len(posteriors[0])
    return Predictions(
        posteriors=np.asarray(posteriors, np.float32),
        labels=np.asarray(labels, np.int32),
        class_names=tuple(f"class {number}" for number in range(classes)),
        images=tuple(map(str, range(count))),
        models=("m.keras",),
        protocols=("center",),
        scales=("8",),
        data="data.npz",
        passes=1,
    )


SMALL = predictions(
    [
        [0.9, 0.1, 0.0],  # 0: right and sure
        [0.3, 0.6, 0.1],  # 1: 0 taken for 1
        [0.1, 0.8, 0.1],  # 2: 0 taken for 1, more confident
        [0.52, 0.48, 0.0],  # 3: 1 taken for 0, least sure
        [0.0, 0.2, 0.8],  # 4: 1 taken for 2, as confident as image 2
        [0.45, 0.05, 0.5],  # 5: right
        [0.35, 0.33, 0.32],  # 6: 2 taken for 0; its two most probable classes are 0 and 1
    ],
    [0, 0, 0, 1, 1, 2, 2],
)


def test_mistakes_are_sorted_by_the_probability_of_the_wrong_class() -> None:
    assert most_confident_mistakes(SMALL, 3).tolist() == [2, 4, 1]
    assert most_confident_mistakes(SMALL, 100).tolist() == [2, 4, 1, 3, 6]


def test_least_sure_images_have_the_smallest_margin() -> None:
    assert least_sure(SMALL, 3).tolist() == [6, 3, 5]


def test_pairs_hold_the_images_of_both_classes_between_which_the_network_decides() -> None:
    first, *others = confused_pairs(SMALL, 3, 10)
    assert (first.first, first.second) == (0, 1)
    assert (first.first_as_second, first.second_as_first, first.confusions) == (2, 1, 3)
    assert first.least_sure.tolist() == [3, 1, 2, 0]  # not 6, which is of class 2; image 2 ties with none
    assert [(each.first, each.second, each.confusions) for each in others] == [(0, 2, 1), (1, 2, 1)]
    assert [len(each.least_sure) for each in confused_pairs(SMALL, 1, 2)] == [2]


def test_a_network_without_mistakes_has_no_pairs() -> None:
    right = predictions([[0.9, 0.1], [0.2, 0.8]], [0, 1])
    assert confused_pairs(right, 5, 5) == ()
    assert most_confident_mistakes(right, 5).tolist() == []
    assert len(least_sure(right, 5)) == 2


def test_selection_equals_a_calculation_over_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hard_images, "BLOCK", 7)
    generator = np.random.default_rng(0)
    outputs = generator.dirichlet(np.full(5, 0.5), 60)
    labels = generator.integers(0, 5, 60)
    found = predictions(outputs.tolist(), labels.tolist())
    rows = found.posteriors.tolist()
    orders = [sorted(range(5), key=row.__getitem__, reverse=True) for row in rows]
    margins = [row[order[0]] - row[order[1]] for row, order in zip(rows, orders, strict=True)]
    assert least_sure(found, 10).tolist() == sorted(range(60), key=margins.__getitem__)[:10]
    times = Counter(
        frozenset((int(label), order[0])) for label, order in zip(labels, orders, strict=True) if label != order[0]
    )
    pairs = confused_pairs(found, 4, 3)
    assert [each.confusions for each in pairs] == [count for _, count in times.most_common(4)]
    for each in pairs:
        pair = {each.first, each.second}
        assert times[frozenset(pair)] == each.confusions
        of_pair = [row for row in range(60) if labels[row] in pair and set(orders[row][:2]) == pair]
        assert each.least_sure.tolist() == sorted(of_pair, key=margins.__getitem__)[:3]
