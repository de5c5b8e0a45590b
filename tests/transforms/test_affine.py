"""Transforms that multiply and add, composed into one; frames of many images at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.transforms import TRANSFORMS
from archspec.transforms.affine import Affine, applied, composed
from archspec.transforms.frame import Framing, whole

AFFINE = [(name, args) for name, t in TRANSFORMS.items() if issubclass(t, Affine) for args, _ in t.examples]
FRAMING = [(name, args) for name, t in TRANSFORMS.items() if issubclass(t, Framing) for args, _ in t.examples]


def test_the_transforms_of_each_kind_are_found() -> None:
    assert {name for name, _ in AFFINE} == {"normalize", "pca_color", "scale", "subtract_mean"}
    assert {name for name, _ in FRAMING} == {
        "center_crop",
        "random_crop",
        "random_resized_crop",
        "resize_smallest_side",
    }


@given(st.lists(st.sampled_from(AFFINE), max_size=4), st.integers(0, 99))
@settings(max_examples=30)
def test_composed_they_compute_what_they_compute_in_turn(names: list[tuple[str, Any]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    expected = tf.cast(image[None], tf.float32)
    each = []
    for name, args in names:
        transform = TRANSFORMS[name].make(args)
        assert isinstance(transform, Affine)
        draws = tf.constant(rng.random((1, transform.draws), dtype=np.float32))
        expected = transform.apply_batch(tf, expected, draws)
        each.append(tuple(None if v is None else tf.reshape(v, -1) for v in transform.factors(tf, draws)))
    here = applied(tf, tf.constant(image), composed(tf, each))
    np.testing.assert_allclose(here, expected[0], rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(("name", "args"), FRAMING)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=4), st.integers(0, 99))
@settings(max_examples=15)
def test_frames_of_many_images_are_those_of_each(name: str, args: Any, sides: list[tuple[int, int]], seed: int) -> None:
    transform = TRANSFORMS[name].make(args).for_input((6, 5, 3))
    assert isinstance(transform, Framing)
    draws = tf.constant(np.random.default_rng(seed).random((len(sides), transform.draws), dtype=np.float32))
    together = transform.frame(tf, whole(tf, tf.constant(sides)), draws)
    for row, own in enumerate(sides):
        alone = transform.frame(tf, whole(tf, tf.constant(own)), draws[row])
        for here, there in zip(alone, together, strict=True):
            np.testing.assert_array_equal(here, there[row])
        assert (alone.corner.numpy() >= 0).all()
        assert (alone.corner + alone.extent <= np.array(own) * (1 + 1e-12)).numpy().all(), "inside the image"
