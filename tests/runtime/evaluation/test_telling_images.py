"""Which images of an evaluation are shown: against a plain loop over all images."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.runtime.evaluation.predictions import Predictions
from archspec.runtime.evaluation.telling_images import confident_mistakes, confused_classes

NAMES = ("cat", "dog", "cow", "ship")


def predictions(posteriors: list[list[float]], labels: list[int]) -> Predictions:
    files = tuple(f"{number}.png" for number in range(len(labels)))
    return Predictions(
        np.array(posteriors, np.float32).reshape(len(labels), len(NAMES)),
        np.array(labels, np.int32),
        NAMES,
        files,
        ("net.keras",),
        ("center",),
        ("32",),
        "animals",
        1,
    )


def test_the_most_confident_mistakes_come_first() -> None:
    found = confident_mistakes(
        predictions([[0.6, 0.4, 0, 0], [0.1, 0.9, 0, 0], [0.3, 0.7, 0, 0], [0, 0, 1, 0]], [1, 0, 1, 3]), 2
    )
    assert [each.file for each in found] == ["3.png", "1.png"]
    assert (found[1].label, found[1].prediction, found[1].is_correct) == ("cat", "dog", False)
    assert np.allclose((found[1].probability, found[1].label_probability), (0.9, 0.1))


def test_the_least_sure_images_of_a_pair_are_of_both_directions_correct_or_not() -> None:
    rows = [
        ([0.51, 0.49, 0, 0], 1),  # a dog as a cat, hardly
        ([0.9, 0.1, 0, 0], 1),
        ([0.2, 0.8, 0, 0], 0),  # a cat as a dog
        ([0.52, 0.48, 0, 0], 0),  # a cat, hardly
        ([0.4, 0.35, 0, 0.25], 3),  # a ship as a cat
        ([0.34, 0.33, 0.33, 0], 2),  # a cow between cat and dog
    ]
    found = confused_classes(predictions([row for row, _ in rows], [label for _, label in rows]), pairs=3, images=3)
    assert [(each.classes, each.mistakes) for each in found] == [
        (("cat", "dog"), (1, 2)),
        (("cat", "cow"), (0, 1)),
        (("cat", "ship"), (0, 1)),
    ]
    assert [each.row for each in found[0].images] == [0, 3, 2]
    assert [[each.row for each in pair.images] for pair in found[1:]] == [[5, 3], [4, 3]]


def test_a_network_without_mistakes_has_none() -> None:
    right = predictions([[1, 0, 0, 0], [0, 1, 0, 0]], [0, 1])
    assert (confident_mistakes(right), confused_classes(right)) == ((), ())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_both_agree_with_a_loop(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(1, 6, (count, len(NAMES)))  # many ties
    given_ = predictions((scores / scores.sum(1, keepdims=True)).tolist(), random.integers(0, 4, count).tolist())
    mistakes, votes = [], Counter[frozenset[int]]()
    for row in range(count):
        best = int(given_.posteriors[row].argmax())
        if best != given_.labels[row]:
            mistakes.append((-float(given_.posteriors[row, best]), row))
            votes[frozenset((best, int(given_.labels[row])))] += 1
    assert [each.row for each in confident_mistakes(given_, 5)] == [row for _, row in sorted(mistakes)[:5]]
    found = confused_classes(given_, pairs=2, images=3)
    assert [sum(each.mistakes) for each in found] == sorted(votes.values(), reverse=True)[:2]
    for each in found:
        numbers = sorted(NAMES.index(name) for name in each.classes)
        assert votes[frozenset(numbers)] == sum(each.mistakes)
        one, other = numbers
        close = [
            (abs(float(values[one] - values[other])), row)
            for row, values in enumerate(given_.posteriors)
            if {int(given_.labels[row]), int(values.argmax())} <= {one, other}
        ]
        assert [image.row for image in each.images] == [row for _, row in sorted(close)[:3]]
