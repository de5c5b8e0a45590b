"""Every protocol gives what the paper's text gives, whatever the sizes of the images and of the batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archspec import evaluate, evaluate_all
from archspec.diagnostics import ArchspecError
from archspec.lang.spec.overrides import parse_protocols
from archspec.runtime.data.images import Images
from archspec.runtime.distributed.strategy import make_strategy
from archspec.runtime.evaluation.inference import runner as run_module
from archspec.runtime.evaluation.inference.journal import forget
from archspec.runtime.evaluation.inference.predictor import Predictor
from archspec.runtime.evaluation.inference.runner import run_protocol
from archspec.runtime.evaluation.result import Evaluation
from tests.runtime.evaluation import reference
from tests.runtime.evaluation.conftest import NAMES, SIDES

# Keras hands its variables to NumPy in a way that NumPy 2 is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
TOLERANCE = 2e-5  # float32 against float64, Pillow's rescaling against TensorFlow's

Write = Callable[[Path, list[tuple[int, int]]], dict[str, Any]]


@pytest.fixture(scope="module")
def numpy_network(model: Path) -> reference.Network:
    return reference.Network(keras.saving.load_model(model).get_weights())


@pytest.fixture(scope="module")
def tested(model: Path) -> Predictor:
    return Predictor.open(model, make_strategy())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images") / "animals"


@pytest.fixture(scope="module")
def pixels(folder: Path, write_images: Write) -> dict[str, Any]:
    return write_images(folder, SIDES)


@pytest.fixture(scope="module")
def evaluations(model: Path, folder: Path, pixels: dict[str, Any]) -> dict[str, Evaluation]:
    """Of all cases, in batches that no protocol's views fill evenly."""
    found = evaluate_all([model], str(folder), protocols=list(reference.CASES), batch_size=7)
    return dict(zip(reference.CASES, found, strict=True))


@pytest.mark.parametrize("case", reference.CASES)
def test_a_protocol_agrees_with_the_text_of_its_paper(
    case: str, evaluations: dict[str, Evaluation], pixels: dict[str, Any], numpy_network: reference.Network
) -> None:
    expected = [reference.CASES[case](numpy_network, image) for image in pixels.values()]
    found = evaluations[case].predictions
    np.testing.assert_allclose(found.posteriors, expected, atol=TOLERANCE)
    assert found.images == tuple(pixels)


def test_the_reference_tells_protocols_apart(pixels: dict[str, Any], numpy_network: reference.Network) -> None:
    """The comparison above could fail: any two cases of another name differ by far more than its tolerance."""
    image = pixels[next(file for file in pixels if pixels[file].shape[:2] == (19, 60))]
    found = {name: case(numpy_network, image) for name, case in reference.CASES.items()}
    same = {("single-scale", "dense")}  # two names for one thing
    names = list(found)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            difference = np.abs(found[one] - found[other]).max()
            assert (difference == 0) == ((one, other) in same), (one, other)
            assert (one, other) in same or difference > 20 * TOLERANCE, (one, other)


def test_figures_are_those_of_the_posteriors(
    evaluations: dict[str, Evaluation], pixels: dict[str, Any], numpy_network: reference.Network
) -> None:
    evaluation = evaluations["ten-crop"]
    true = np.array([NAMES.index(Path(file).parent.name) for file in pixels])
    p = np.array([reference.ten_crop(numpy_network, image) for image in pixels.values()])
    order = np.argsort(-p, axis=1, kind="stable")
    wrong, wrong5 = (order[:, 0] != true).sum(), (order[:, :5] != true[:, None]).all(axis=1).sum()
    assert 0 < wrong < 18  # a test of all right or all wrong would see less
    assert 0 < wrong5 < wrong
    assert (evaluation.top1_error.wrong, evaluation.top1_error.total) == (wrong, 18)
    assert evaluation.top5_error is not None
    assert evaluation.top5_error.wrong == wrong5
    assert evaluation.loss == pytest.approx(-np.log(p[np.arange(18), true]).mean(), rel=1e-4)
    assert evaluation.passes == 10
    by_class = [(order[true == number, 0] == number).sum() for number in range(6)]
    assert [each.correct for each in evaluation.classes] == by_class


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    height=st.integers(1, 45),
    width=st.integers(1, 45),
    case=st.sampled_from([each for each in reference.CASES if each != "center"]),
    batch_size=st.integers(1, 60),
)
def test_images_and_batches_may_have_any_size(
    height: int, width: int, case: str, batch_size: int, tested: Predictor, numpy_network: reference.Network
) -> None:
    generator = np.random.default_rng(height * 100 + width)
    images = generator.integers(0, 256, (3, height, width, 3), np.uint8)
    given = Images(NAMES, np.zeros(3, np.int32), images)
    (protocol,) = parse_protocols([f"{{{case}}}"]) or ()
    found = run_protocol(tested, given, protocol, batch_size=batch_size, report=print)
    forget(found.journal_key)  # the next example of these images is computed anew
    expected = [reference.CASES[case](numpy_network, image) for image in images]
    np.testing.assert_allclose(found.posteriors, expected, atol=TOLERANCE)


def test_no_more_views_than_a_batch_are_in_the_network_at_a_time(
    tested: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 crops of each image at a batch of 8, and larger images count as several views."""
    sizes: list[tuple[int, ...]] = []

    def watched(self: Predictor, name: str, function: Any) -> Any:
        def call(x: Any) -> Any:
            sizes.append(x.shape)
            return function(x)

        return call

    crops, whole = tested.of_crops, tested.of_images("scores")
    monkeypatch.setitem(tested.__dict__, "of_crops", watched(tested, "crops", crops))
    monkeypatch.setattr(Predictor, "of_images", lambda self, average: watched(self, "images", whole))
    images = Images(NAMES, np.zeros(4, np.int32), np.zeros((4, 40, 50, 3), np.uint8))
    for text in ("multi-crop", "dense: 18"):
        (protocol,) = parse_protocols([f"{{{text}}}"]) or ()
        run_protocol(tested, images, protocol, batch_size=8, report=print)
    crops_seen = [shape for shape in sizes if shape[1:3] == (9, 11)]
    whole_seen = [shape for shape in sizes if shape[1:3] == (18, 23)]
    assert sum(shape[0] for shape in crops_seen) == 4 * 50
    assert max(shape[0] for shape in crops_seen) == 8
    assert sum(shape[0] for shape in whole_seen) == 4 * 2
    assert max(shape[0] for shape in whole_seen) == 8 * 9 * 11 // (18 * 23)  # one


def test_a_crop_larger_than_the_input_goes_through_the_dense_network(
    model: Path, folder: Path, pixels: dict[str, Any], numpy_network: reference.Network
) -> None:
    found = evaluate(model, str(folder), protocol="center: {size: 17, crop: [13, 15]}")
    for row, image in zip(found.predictions.posteriors, pixels.values(), strict=True):
        height, width = image.shape[:2]
        factor = max(17 / min(height, width), 13 / height, 15 / width)  # covers the crop
        scaled = reference.rescaled(image, round(factor * min(height, width)))
        crop = reference.central(scaled, (13, 15))
        if crop.shape[:2] == (13, 15):
            np.testing.assert_allclose(
                row, reference.softmax(numpy_network.score_map(crop).mean(axis=(0, 1))), atol=TOLERANCE
            )


def test_without_a_protocol_the_first_of_the_spec_is_run(
    model: Path, folder: Path, pixels: dict[str, Any], evaluations: dict[str, Evaluation]
) -> None:
    first = evaluate(model, str(folder))
    assert (first.protocol, first.passes, first.scales) == ("ten-crop", 10, "13")
    np.testing.assert_allclose(
        first.predictions.posteriors, evaluations["ten-crop"].predictions.posteriors, atol=TOLERANCE
    )
    every = evaluate_all([model], str(folder), protocols=["spec"])
    assert [each.protocol for each in every] == ["ten-crop", "multi-scale: {sizes: [13, 16]}"]


@pytest.mark.parametrize("case", ["center", "multi-crop", "dense: 16"])
def test_two_devices_give_what_one_gives(case: str, tested: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches that do not divide, and one with fewer views than devices; the strategy is a stand-in that counts."""
    images = np.random.default_rng(0).integers(0, 256, (7, 14, 17, 3), np.uint8)
    given = Images(NAMES, np.zeros(7, np.int32), images)
    (protocol,) = parse_protocols([f"{{{case}}}"]) or ()
    alone = run_protocol(tested, given, protocol, batch_size=3, report=print)
    divided: list[int] = []

    class Two:
        num_replicas_in_sync = 2

        def scope(self) -> Any:
            return tested.strategy.scope()

        def experimental_distribute_values_from_function(self, function: Any) -> Any:
            parts = [function(type("Context", (), {"replica_id_in_sync_group": i})) for i in range(2)]
            divided.append(len(parts[0]))
            assert len(parts[0]) == len(parts[1])
            return parts

        def run(self, function: Any, args: Any) -> Any:
            return [function(part) for part in args[0]]

        def experimental_local_results(self, parts: Any) -> Any:
            return parts

    pair = Predictor(tested.path, tested.model, tested.logits_model, tested.metadata, Two(), tested.targets)
    monkeypatch.setattr(run_module, "fingerprint", lambda images: "two")
    together = run_protocol(pair, given, protocol, batch_size=3, report=print)
    np.testing.assert_allclose(together.posteriors, alone.posteriors, atol=1e-6)
    assert divided


def test_what_has_no_views_says_so(tested: Predictor, tmp_path: Path) -> None:
    inputs = keras.Input((12, 2))
    keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs))).save(tmp_path / "series.keras")
    x = np.random.default_rng(0).normal(size=(10, 12, 2)).astype(np.float32)
    np.savez(tmp_path / "series.npz", x=x, y=np.arange(10) % 3)
    with pytest.raises(ArchspecError, match=r"error\[protocol\]: `ten-crop` needs images"):
        evaluate(tmp_path / "series.keras", str(tmp_path / "series.npz"), protocol="ten-crop")
    images = Images(NAMES, np.zeros(1, np.int32), np.zeros((1, 9, 11, 3), np.uint8))
    (protocol,) = parse_protocols(["center: {crop: 8}"]) or ()
    with pytest.raises(ArchspecError, match=r"a crop of 8 x 8 is smaller than the input"):
        run_protocol(tested, images, protocol, batch_size=1, report=print)


def test_a_network_that_is_no_sliding_window_is_named(tmp_path: Path, folder: Path, pixels: dict[str, Any]) -> None:
    inputs = keras.Input((9, 11, 3))
    mixed = keras.layers.Reshape((27, 11))(inputs)
    model = keras.Model(inputs, keras.layers.Dense(6)(keras.layers.Flatten()(mixed)))
    model.save(tmp_path / "mixed.keras")
    assert evaluate(tmp_path / "mixed.keras", str(folder), protocol="multi-crop: {grid: 2}").passes == 8
    with pytest.raises(ArchspecError, match="not-convolutional"):
        evaluate(tmp_path / "mixed.keras", str(folder), protocol="dense")


@pytest.mark.slow
def test_a_free_input_needs_the_size_of_a_crop(tmp_path: Path, folder: Path, pixels: dict[str, Any]) -> None:
    inputs = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    keras.Model(inputs, keras.layers.Dense(6)(pooled)).save(tmp_path / "free.keras")
    assert evaluate(tmp_path / "free.keras", str(folder), protocol="dense: 12").images == 18
    whole = evaluate(tmp_path / "free.keras", str(folder))
    assert whole.protocol == "dense: {flip: false}"  # what a network without a size can do without a spec
    pooled_pixels = np.array([image.mean(axis=(0, 1)) for image in pixels.values()])
    *_, kernel, bias = keras.saving.load_model(tmp_path / "free.keras").get_weights()
    expected = reference.softmax(pooled_pixels @ kernel + bias)
    np.testing.assert_allclose(whole.predictions.posteriors, expected, atol=1e-4)
    assert evaluate(tmp_path / "free.keras", str(folder), protocol="center: {size: 12, crop: 10}").images == 18
    with pytest.raises(ArchspecError, match="`ten-crop` crops to the size of the network's input"):
        evaluate(tmp_path / "free.keras", str(folder), protocol="ten-crop")
