"""The memory of the dense protocols: known before an image is decoded, kept by smaller batches, then by tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from archspec.diagnostics import ArchspecError
from archspec.lang.spec.overrides import parse_protocols
from archspec.runtime.data.images import Images
from archspec.runtime.dense.scorer import DenseScorer
from archspec.runtime.distributed.strategy import make_strategy
from archspec.runtime.evaluation.inference import views
from archspec.runtime.evaluation.inference.journal import forget
from archspec.runtime.evaluation.inference.predictor import Predictor
from archspec.runtime.evaluation.inference.runner import run_protocol
from archspec.runtime.system import memory

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def images(height: int, width: int, count: int = 3) -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)
    return Images(("ant", "bee", "cow", "dog", "fox", "élan"), np.arange(count, dtype=np.int32), pixels)


def posteriors(network: Predictor, seen: Images, protocol: str) -> Any:
    (parsed,) = parse_protocols([protocol]) or ()
    found = run_protocol(network, seen, parsed, batch_size=128, report=print)
    forget(found.journal_key)
    return found.posteriors


def needed(height: int, width: int) -> int:
    """Bytes: the map of 5 channels of the convolution of 3 x 3 with stride 2 twice, for relu; and twice of all that."""
    return 2 * 2 * 5 * ((height - 3) // 2 + 1) * ((width - 3) // 2 + 1) * 4


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Of what goes through the dense network in tiles."""
    seen: list[tuple[int, ...]] = []
    run = DenseScorer._run

    def watched(self: DenseScorer, x: Any) -> Any:
        seen.append(x.shape)
        return run(self, x)

    monkeypatch.setattr(DenseScorer, "_run", watched)
    return seen


@pytest.mark.parametrize("protocol", ["dense: 60", "dense: {sizes: [60], average: posteriors}", "multi-crop+dense: 60"])
def test_images_that_do_not_fit_are_taken_in_tiles_with_the_same_result(
    protocol: str, model: Path, shapes: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, strategy = images(30, 47), make_strategy()
    expected = posteriors(Predictor.open(model, strategy), seen, protocol)
    assert not shapes
    # free: twice of what may be used; of that a third of what 60 x 94 needs
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * needed(60, 94) // 3)
    found = posteriors(Predictor.open(model, strategy), seen, protocol)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert len(shapes) > 2 * 3  # two mirror images of three images, each in several
    assert all(needed(*shape[1:3]) <= needed(60, 94) / 3 for shape in shapes)


def test_batches_are_no_larger_than_the_memory(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * 4 * needed(20, 20))
    network = Predictor.open(model, make_strategy())
    inner, sizes = network.of_images("scores"), []

    def watched(x: Any) -> Any:
        sizes.append(len(x))
        return inner(x)

    network._dense_functions["whole", "scores"] = watched
    posteriors(network, images(20, 20, 9), "dense: 20")
    assert max(sizes) <= 4
    assert sum(sizes) == 18


def spec_with_gate(tmp_path: Path) -> Path:
    """A network that sees the whole image, and cannot be cut."""
    inputs = keras.Input((9, 11, 3))
    maps = keras.layers.Conv2D(5, 3, strides=2)(inputs)
    gate = keras.layers.Activation("sigmoid")(keras.layers.GlobalAveragePooling2D(keepdims=True)(maps))
    outputs = keras.layers.Dense(6)(keras.layers.Flatten()(keras.layers.Multiply()([maps, gate])))
    keras.Model(inputs, outputs).save(tmp_path / "gate.keras")
    return tmp_path / "gate.keras"


def test_what_cannot_be_cut_is_refused_before_an_image_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * 40_000)
    monkeypatch.setattr(views, "rescaled_images", lambda *_: pytest.fail("an image was decoded"))
    network = Predictor.open(spec_with_gate(tmp_path), make_strategy())
    with pytest.raises(ArchspecError) as caught:
        posteriors(network, images(30, 30), "dense: 600")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "image-too-large"
    assert "cannot be applied in tiles" in diagnostic.message
    assert any("whole-image" in note for note in diagnostic.notes)
    # 600 x 600 needs two maps of 299 x 299 x 5 float32, doubled: 7.15 MB; sqrt(0.04 / 7.15) 600 = 44.8
    assert diagnostic.help == 'use a smaller size, such as `protocol="dense: 32"`, or more memory'


def test_a_free_input_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * 100_000)
    inputs = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(7, 3)(inputs))
    keras.Model(inputs, keras.layers.Dense(6)(pooled)).save(tmp_path / "free.keras")
    network = Predictor.open(tmp_path / "free.keras", make_strategy())
    with pytest.raises(ArchspecError, match="image-too-large") as caught:
        posteriors(network, images(30, 30), "dense: 300")
    assert '`protocol="dense: 32"`' in str(caught.value.diagnostics[0].help)  # sqrt(0.1 / 4.97) 300 = 42.5
    assert posteriors(network, images(30, 30), "dense: 32").shape == (3, 6)
