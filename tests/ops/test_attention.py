"""Attention: windows with relative positions against a sum over pairs of positions, and cross attention."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from archspec.declare import freeze
from archspec.ops import OPS, OpError


def build(name: str, given: dict[str, Any], *shapes: tuple[int, ...]) -> Any:
    inputs = [keras.Input(shape) for shape in shapes]
    op = OPS[name].make({word: freeze(value) for word, value in given.items()})
    model = keras.Model(inputs if len(inputs) > 1 else inputs[0], op.build(keras, "layer")(*inputs))
    values = np.random.default_rng(0)
    model.set_weights([values.normal(size=each.shape) * 0.5 for each in model.get_weights()])
    return model


def by_pairs(x: Any, weights: dict[str, Any], heads: int, window: tuple[int, int], shift: int) -> Any:
    """Liu et al. 2021, equations 3 and 4: the softmax over all pairs of positions that see each other."""
    rows, columns, channels = x.shape
    size = channels // heads
    qkv = x @ weights["layer.qkv"][0] + weights["layer.qkv"][1]
    query, key, value = (part.reshape(rows, columns, heads, size) for part in np.split(qkv, 3, axis=-1))
    table = weights["layer.relative_bias"][0]
    out = np.zeros((rows, columns, heads, size))

    def home(at: int, total: int, side: int) -> tuple[int, int, bool]:
        """The window of a position, its place inside, and whether it came over the border."""
        moved = (at - shift) % total
        return moved // side, moved % side, at < shift

    for i in range(rows):
        for j in range(columns):
            (wi, pi, oi), (wj, pj, oj) = home(i, rows, window[0]), home(j, columns, window[1])
            scores, seen = [], []
            for k in range(rows):
                for m in range(columns):
                    (wk, pk, ok), (wm, pm, om) = home(k, rows, window[0]), home(m, columns, window[1])
                    if (wi, wj) == (wk, wm) and (oi, oj) == (ok, om):
                        place = (pi - pk + window[0] - 1) * (2 * window[1] - 1) + pj - pm + window[1] - 1
                        scores.append((query[i, j] * key[k, m]).sum(-1) / size**0.5 + table[place])
                        seen.append(value[k, m])
            share = np.exp(np.array(scores) - np.max(scores, axis=0))
            out[i, j] = ((share / share.sum(0))[..., None] * np.array(seen)).sum(0)
    return out.reshape(rows, columns, channels) @ weights["layer"][0] + weights["layer"][1]


@pytest.mark.parametrize("given", [{"window": 3}, {"window": 3, "shift": 1}, {"window": 2, "shift": 1}, {}], ids=str)
def test_windows_with_relative_positions(given: dict[str, Any]) -> None:
    shape = (6, 12, 4) if "window" in given else (3, 4, 4)
    model = build("window_attention", {"num_heads": 2, **given}, shape)
    weights = {layer.name: [np.asarray(each) for each in layer.get_weights()] for layer in model.layers}
    x = np.random.default_rng(1).normal(size=(2, *shape)).astype("float32")
    side = given.get("window")
    window = (side, side) if side else shape[:2]
    found = np.asarray(model(x))
    for image, values in zip(x, found, strict=True):
        np.testing.assert_allclose(values, by_pairs(image, weights, 2, window, given.get("shift", 0)), atol=1e-4)


def test_cross_attention_reads_its_memory() -> None:
    model = build("attention", {"num_heads": 2, "key_dim": 3}, (5, 6), (7, 4))
    values = np.random.default_rng(2)
    x, memory = values.normal(size=(2, 5, 6)).astype("float32"), values.normal(size=(2, 7, 4)).astype("float32")
    wq, bq, wk, bk, wv, bv, wo, bo = (np.asarray(each) for each in model.get_weights())
    read = ((x, wq, bq), (memory, wk, bk), (memory, wv, bv))
    query, key, value = (np.einsum("blc,chd->blhd", a, w) + b for a, w, b in read)
    scores = np.exp(np.einsum("blhd,bmhd->bhlm", query, key) / 3**0.5)
    expected = np.einsum("bhlm,bmhd->blhd", scores / scores.sum(-1, keepdims=True), value)
    np.testing.assert_allclose(model([x, memory]), np.einsum("blhd,hdc->blc", expected, wo) + bo, atol=1e-4)


@pytest.mark.parametrize(
    ("given", "shape", "fact"),
    [
        ({"num_heads": 3}, (4, 4, 8), "8 input channels cannot be split into 3 heads"),
        ({"num_heads": 2, "window": 3}, (6, 8, 4), "windows of 3 x 3 do not divide a map of 6 x 8"),
        ({"num_heads": 2, "window": 3, "shift": 3}, (6, 6, 4), "`shift: 3` is not smaller than the window of 3"),
        ({"num_heads": 2, "shift": 1}, (6, 6, 4), "`shift` needs a `window`"),
        ({"num_heads": 2}, (None, 6, 4), "needs \\(height, width, channels\\) of known sizes"),
        ({"num_heads": 2}, (9, 4), "needs \\(height, width, channels\\) of known sizes"),
    ],
)
def test_what_windows_cannot_divide_is_refused(given: dict[str, Any], shape: tuple[int, ...], fact: str) -> None:
    with pytest.raises(OpError, match=fact):
        OPS["window_attention"].make(given).shape(shape)
