"""Statistics of batch normalization over a population, against Algorithm 2 of Ioffe & Szegedy computed with NumPy."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import archspec
from archspec import ArchspecError
from archspec.runtime.models.population_statistics import set_population_statistics

SPEC = """\
name: normalized
input: [8, 8, 1]
layers:
  - conv: {filters: 4, kernel_size: 3}
  - bn
  - relu
  - conv: {filters: 3, kernel_size: 3, strides: 2}
  - bn: {epsilon: 0.01}
  - relu
  - flatten
  - dense: 10
  - softmax
preprocess: [scale: $(1 / 255)]
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> archspec.Network:
    path = tmp_path_factory.mktemp("spec") / "normalized.yaml"
    path.write_text(SPEC)
    return archspec.load(path)


def test_statistics_follow_algorithm_2(network: archspec.Network) -> None:
    """By hand: the second layer sees what the first one normalizes by the statistics of the same mini-batch."""
    model = network.build(seed=1)
    rng = np.random.default_rng(0)
    batches = [rng.normal(0.5, 2, (6, 8, 8, 1)).astype(np.float32) for _ in range(4)]
    convolutions = [layer for layer in model.layers if "conv" in layer.name]
    normalizations = [layer for layer in model.layers if "bn" in layer.name]
    means: list[list[np.ndarray]] = [[], []]
    variances: list[list[np.ndarray]] = [[], []]
    for x in batches:
        for number, (convolution, normalization) in enumerate(zip(convolutions, normalizations, strict=True)):
            values = np.asarray(convolution(x), np.float64)
            m = values[..., 0].size
            mean, variance = values.mean((0, 1, 2)), values.var((0, 1, 2))
            means[number].append(mean)
            variances[number].append(variance * m / (m - 1))
            x = np.maximum((values - mean) / np.sqrt(variance + normalization.epsilon), 0)
    assert set_population_statistics(model, [*batches, batches[0][:2]]) == 2
    for number, normalization in enumerate(normalizations):
        np.testing.assert_allclose(normalization.moving_mean, np.mean(means[number], 0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(normalization.moving_variance, np.mean(variances[number], 0), rtol=1e-4)


def test_evaluation_uses_the_training_images(network: archspec.Network, tmp_path: Path) -> None:
    """A network that was never trained has moving statistics of 0 and 1, which differ from those of the digits."""
    file = network.save(tmp_path / "net.keras", seed=3).path
    before = file.read_bytes()
    plain = archspec.evaluate(file, "digits")
    found = archspec.evaluate(file, "digits", recompute_bn="digits", batch_size=64)
    model = keras.saving.load_model(file, compile=False)
    with np.load(Path(archspec.__file__).parent / "runtime" / "data" / "sources" / "digits.npz") as arrays:
        pixels = np.rint(arrays["x"][..., None] * (255 / 16)) / np.float32(255)
    train = pixels[:-450][np.random.default_rng(0).permutation(len(pixels) - 450)]
    set_population_statistics(model, [train[start : start + 64] for start in range(0, len(train), 64)])
    expected = np.asarray(model(pixels[-450:]))
    np.testing.assert_allclose(found.predictions.posteriors, expected, atol=1e-4)
    assert np.abs(plain.predictions.posteriors - expected).max() > 0.01
    assert file.read_bytes() == before


def test_a_network_without_batch_normalization_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC.replace("  - bn\n", "").replace("  - bn: {epsilon: 0.01}\n", ""))
    file = archspec.load(tmp_path / "net.yaml").save(tmp_path / "net.keras").path
    with pytest.raises(ArchspecError, match="has no batch normalization whose statistics"):
        archspec.evaluate(file, "digits", recompute_bn="digits")
