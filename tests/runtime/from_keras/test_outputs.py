"""Several outputs of a Keras model: names in a dictionary, and layers with more than one output."""

from pathlib import Path

import keras
import pytest
from keras import layers, ops

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
    with pytest.raises(ArchspecError, match=r"`a` .* the model returns output 2 of a layer that has one output"):
        spec_of(keras.Model(entry, scores))


def test_a_choice_by_comparison_is_refused_with_the_reason() -> None:
    entry = keras.Input((6, 4))
    with pytest.raises(ArchspecError, match="specs have no truth values"):
        spec_of(keras.Model(entry, ops.where(entry > 0, entry, -entry)))
