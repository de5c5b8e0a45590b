"""What a recipe asks for and a run cannot give is said before it begins, and nothing else is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.lang.recipes.recipe import Recipe, recipe
from archspec.runtime.training.optimization.lr_schedule import LearningRateSchedule
from archspec.runtime.training.records.recipe_summary import recipe_warnings, sees_raw_pixels


def notes(images: int, *, on_cpu: bool = True, **section: object) -> list[str]:
    found: Recipe = recipe(section)
    return recipe_warnings(found, found.length(images), images, on_cpu=on_cpu)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"batch_size": 128}, "all 40 training images are in one batch, as the batch size is 128"),
        ({"batch_size": 128, "base_batch_size": 64}, "`--batch-size 40` scales the learning rates down"),
        ({"batch_size": 10, "epochs": 2, "warmup": {"epochs": 2}}, "the warm-up lasts until the end"),
        ({"batch_size": 10, "epochs": 2, "schedule": {"step": {"epochs": [2, 3]}}}, "any drop of the `step`"),
        ({"batch_size": 10, "epochs": 2, "schedule": {"step": {"epochs": [1, 2]}}}, "a drop of the `step`"),
        ({"batch_size": 10, "schedule": {"step": {"iterations": [32000]}}}, "at update 32,000"),
        ({"batch_size": 10, "epochs": 6, "schedule": {"plateau": {"patience": 5}}}, "waits for 5 epochs"),
        ({"batch_size": 10, "dtype_policy": "mixed_float16"}, "`mixed_bfloat16`"),
    ],
)
def test_what_does_not_come_about_is_said(section, words):
    (line,) = notes(40, **section)
    assert line.startswith("note: ")
    assert words in line
    assert ("--batch-size" in line) == ("base_batch_size" in section)


@pytest.mark.parametrize(
    "section",
    [
        {"batch_size": 40},
        {"batch_size": 10, "epochs": 2, "warmup": {"epochs": 1}},
        {"batch_size": 10, "epochs": 3, "schedule": {"step": {"epochs": [1, 2]}}},
        {"batch_size": 10, "epochs": 7, "schedule": {"plateau": {"patience": 5}}},
        {"batch_size": 10, "dtype_policy": "mixed_bfloat16"},
    ],
)
def test_what_does_come_about_is_not_talked_of(section):
    assert notes(40, **section) == []


def test_a_gpu_has_float16():
    assert notes(400, on_cpu=False, dtype_policy="mixed_float16") == []


@given(patience=st.integers(0, 9), epochs=st.integers(1, 12), first=st.floats(0.1, 1), images=st.integers(1, 50))
def test_a_plateau_that_is_said_to_lower_no_rate_lowers_none_and_any_other_may(patience, epochs, first, images):
    """Against the schedule itself, in the worst case: no epoch is better than the first."""
    given = recipe({"batch_size": 10, "epochs": epochs, "schedule": {"plateau": {"patience": patience}}})
    length = given.length(images)
    rates = LearningRateSchedule(given, length)
    used = set()
    for epoch in range(epochs):
        used.add(rates.at(epoch * length.steps_per_epoch))
        rates.after({"epoch": epoch + 1, "val_loss": first, "loss": first, "val_top1": 0.0, "top1": 0.0})
    said = any(
        "`plateau` never lowers the learning rate" in line
        for line in recipe_warnings(given, length, images, on_cpu=True)
    )
    assert said == (len(used) == 1)


@given(marks=st.lists(st.integers(0, 12), min_size=1, max_size=3), epochs=st.integers(1, 12))
def test_a_step_that_is_said_to_come_too_late_is_not_among_the_rates(marks, epochs):
    given = recipe({"batch_size": 10, "epochs": epochs, "schedule": {"step": {"epochs": marks}}})
    length = given.length(25)
    last = LearningRateSchedule(given, length).at(length.steps - 1)
    come = round(-math.log10(last / given.optimizer.learning_rate))
    said = [line for line in recipe_warnings(given, length, 25, on_cpu=True) if "ends before" in line]
    assert bool(said) == (come < len(marks))
    assert ("any drop" in "".join(said)) == (come == 0)


def test_a_weight_that_is_to_decay_and_is_not_there_is_named():
    """Without a word a misspelt `kernel` would switch all decay off."""
    names = ["kernel", "bias", "gamma"]
    for section, words in (
        ({"weight_decay": 0.1, "decayed": ["kernle"]}, "`decayed` has `kernle`"),
        ({"weight_decay": 0.1, "decayed": ["kernel", "beta"]}, "`decayed` has `beta`"),
        ({"weight_decay": 0.1, "decayed": ["kernel", "bias"]}, ""),
        ({"decayed": ["kernle"]}, ""),
    ):
        found: Recipe = recipe(section)
        lines = recipe_warnings(found, found.length(1000), 1000, on_cpu=True, weights=names)
        assert [words in line for line in lines] == [True] * bool(words)


@pytest.mark.parametrize(
    ("reference", "raw"),
    [
        ("nin:cifar10", True),
        ("lenet", False),  # which have `preprocess`
        ("resnet:50", False),
        ("efficientnet:b0", False),  # whose first layers scale, as Keras's do
        ("conv1d:M3", False),  # no images
    ],
)
def test_pixels_that_nothing_scales_are_talked_of(reference: str, raw: bool):
    network = archspec.load(reference)
    assert sees_raw_pixels(network.graph(), network.preprocess) == raw
    assert sees_raw_pixels(network.graph(), ()) == (raw or reference in ("lenet", "resnet:50"))
    found: Recipe = recipe({})
    lines = recipe_warnings(found, found.length(1000), 1000, on_cpu=True, raw=raw)
    assert [" 0 to 255 " in line for line in lines] == [True] * raw
