"""Several outputs of a Keras model: names in a dictionary, and layers with more than one output."""

import re
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

import archspec
from archspec.diagnostics import ArchspecError, Source
from archspec.graph.compile.compiler import compile_spec
from archspec.lang.spec.spec import parse
from archspec.runtime.from_keras import spec_of, spec_of_source


def test_outputs_in_a_dictionary_keep_their_names(tmp_path: Path) -> None:
    entry = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="c")(entry)
    model = keras.Model(entry, {"mask image": layers.Conv2D(1, 1, name="d")(x), "label": layers.Flatten(name="f")(x)})
    model.save(tmp_path / "two_outputs.keras")
    text = spec_of_source(str(tmp_path / "two_outputs.keras"))
    assert "name: two_outputs\n" in text  # Keras made the name of the model
    graph = compile_spec(parse(Source("net.yaml", text)))
    assert graph.named_outputs == {"label": (144,), "mask_image": (6, 6, 1)}


def test_a_single_output_keeps_its_name() -> None:
    entry = keras.Input((8, 8, 3))
    text = spec_of(keras.Model(entry, {"x": layers.Conv2D(4, 3)(entry)}))
    assert text.splitlines()[-1].startswith("outputs: {x: ")


def test_an_output_that_no_spec_has_is_refused() -> None:
    entry = keras.Input((6, 4))
    _, scores = layers.MultiHeadAttention(2, 2, name="a")(entry, entry, return_attention_scores=True)
    with pytest.raises(ArchspecError, match=r"`a` .* the model uses its output 2, but in a spec it"):
        spec_of(keras.Model(entry, scores))


def test_a_choice_by_comparison_is_refused_with_the_reason() -> None:
    entry = keras.Input((6, 4))
    with pytest.raises(ArchspecError, match="specs have no truth values"):
        spec_of(keras.Model(entry, ops.where(entry > 0, entry, -entry)))


def test_names_of_outputs_that_specs_can_have_are_kept_and_one_layer_may_have_two() -> None:
    entry = keras.Input((4,))
    first, second = layers.Dense(1, name="first")(entry), layers.Dense(2, name="second")(entry)
    model = keras.Model(entry, {"a b": first, "a_b": second, "c": second})
    graph = compile_spec(parse(Source("net.yaml", spec_of(model))))
    assert graph.named_outputs == {"a_b_2": (1,), "a_b": (2,), "c": (2,)}


def causal() -> keras.Model:
    entry = keras.Input((4, 8))
    return keras.Model(entry, layers.MultiHeadAttention(2, 4)(entry, entry, use_causal_mask=True))


def trained() -> keras.Model:
    entry = keras.Input((4, 8))
    return keras.Model(entry, layers.BatchNormalization()(entry, training=True))


def least_of() -> keras.Model:
    entry = keras.Input((4, 8))
    return keras.Model(entry, ops.max(entry, axis=1, initial=2.0))


def images_in_rows() -> keras.Model:
    entry = keras.Input((6, 5, 4))
    return keras.Model(entry, ops.reshape(entry, (-1, 4)))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (causal, "it is called with `use_causal_mask`, which no operator has"),
        (trained, "it is called with `training`, which no operator has"),
        (least_of, "it is called with `initial`, which no operator has"),
        (images_in_rows, "it moves values from one image of the batch to another"),
    ],
)
def test_what_a_spec_would_compute_otherwise_is_refused(model: Callable[[], keras.Model], words: str) -> None:
    with pytest.raises(ArchspecError, match=re.escape(words)):
        spec_of(model())


def test_an_empty_index_changes_nothing() -> None:
    entry = keras.Input((4, 4, 3))
    assert "slice" not in spec_of(keras.Model(entry, layers.Conv2D(2, 1)(entry[()])))


def by_weights_of(model: keras.Model, folder: Path) -> keras.Model:
    """The network of the spec, with the weights of the model."""
    model.save(folder / "model.keras")
    (folder / "net.yaml").write_text(spec_of(model))
    return archspec.load(str(folder / "net.yaml")).build(weights=str(folder / "model.keras"))


def test_an_input_or_a_layer_may_be_several_outputs(tmp_path: Path) -> None:
    entry = keras.Input((4,))
    hidden = layers.Dense(3, name="hidden")(entry)
    model = keras.Model(entry, [hidden, entry, hidden, entry])
    x = np.ones((2, 4), "float32")
    for wanted, found in zip(model(x), by_weights_of(model, tmp_path)(x), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert "{name: hidden_copy, linear: ~}" in spec_of(model)


def test_a_model_that_returns_its_input_is_one_linear_layer() -> None:
    entry = keras.Input((4,))
    assert spec_of(keras.Model(entry, entry)).endswith("layers:\n  - linear\n")


def test_a_nested_model_may_be_called_for_other_outputs_each_time(tmp_path: Path) -> None:
    entry = keras.Input((4,))
    below = layers.Dense(5, name="below")(entry)
    inner = keras.Model(entry, [layers.Dense(3, name="u")(below), layers.Dense(3, name="v")(below)], name="inner")
    left, right = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([left, right], [inner(left)[1], inner(right)[0], inner(inner(right)[0][:, :1] * right)[1]])
    x = [np.full((2, 4), number, "float32") for number in (1, 2)]
    for wanted, found in zip(model(x), by_weights_of(model, tmp_path)(x), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
