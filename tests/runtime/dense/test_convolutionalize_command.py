"""`archspec convolutionalize`: specs and models, and what it says."""

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, save_model
from archspec.transforms import TRANSFORMS
from tests.cli.conftest import Run, run
from tests.runtime.weights.random_weights import randomize

__all__ = ["run"]


def test_a_spec_of_the_dense_form_is_printed_or_written(run: Run, tmp_path: Path) -> None:
    done = run("convolutionalize", "vgg:A")
    assert done.status == 0
    assert "conv: {filters: 4096, kernel_size: 7}" in done.out
    assert "input: [~, ~, 3]" in done.out
    assert "subtract_mean" in done.out
    assert max(map(len, done.out.splitlines())) <= 120
    spec = tmp_path / "dense.yaml"
    done = run("convolutionalize", "vgg:A", "-o", spec, "--output", "softmax_of_mean")
    assert done.status == 0
    assert "padding, 8 layers" in done.out
    assert run("check", spec).status == 0
    assert archspec.load(str(spec), input=[384, 384, 3]).graph().output_shape == (1000,)
    assert archspec.load(str(spec)).protocol.resize == 256
    assert archspec.load(str(spec)).preprocess == archspec.load("vgg:A").preprocess
    assert "output-exists" in run("convolutionalize", "vgg:A", "-o", spec).err


@pytest.mark.parametrize(("output", "shape"), [("scores", (1, 2, 10)), ("softmax_of_mean", (10,))])
def test_a_model_file_becomes_another_whose_spec_is_dense(
    run: Run, tmp_path: Path, output: str, shape: tuple[int, ...]
) -> None:
    """LeNet-5 moves by 4 pixels: an image of 32 x 36 has two positions."""
    network = archspec.load("lenet:5")
    model = randomize(network.build())
    names = tuple(f"digit {i}" for i in range(10))
    scale = TRANSFORMS["scale"].make({"factor": 0.5})
    metadata = Metadata("lenet:5", network.resolved_text(), names, (scale,), 32)  # type: ignore[arg-type]
    save_model(model, tmp_path / "lenet.keras", metadata)
    done = run("convolutionalize", tmp_path / "lenet.keras", "-o", tmp_path / "dense.keras", "--output", output)
    assert done.status == 0, done.err
    assert "exact: each position of the map has the output of the original for the crop at that position" in done.out
    dense, found = load_model(tmp_path / "dense.keras")
    assert (found.class_names, found.preprocess, found.resize) == (names, (scale,), 32)
    x = np.random.default_rng(0).normal(size=(2, 32, 36, 1)).astype("float32")
    scores = np.asarray(dense(x))
    assert scores.shape == (2, *shape)
    crops = [np.asarray(model(x[:, :, start : start + 32])) for start in (0, 4)]
    if output == "scores":
        np.testing.assert_allclose(scores[:, 0], np.stack(crops, axis=1), atol=1e-5)
    (tmp_path / "dense.yaml").write_text(found.spec or "")
    assert archspec.load(str(tmp_path / "dense.yaml")).graph().params == network.graph().params
    # its spec describes it: the dense form of a dense form is asked for in vain, and told why
    again = run("convolutionalize", tmp_path / "dense.keras")
    assert again.status == 1
    assert "free-input" in again.err


def test_mistakes_are_told(run: Run, tmp_path: Path) -> None:
    assert (
        "`lenet-5` is a spec and has no weights" in run("convolutionalize", "lenet:5", "-o", tmp_path / "a.keras").err
    )
    assert "bad-output" in run("convolutionalize", "lenet", "-o", tmp_path / "a.h5").err
    assert "model-not-found" in run("convolutionalize", tmp_path / "none.keras").err
    done = run("convolutionalize", "vit:B-16")
    assert done.status == 1
    assert "not-convolutional" in done.err
    assert "vit.yaml:27" in done.err
    assert run("convolutionalize", "vgg:A", "--output", "nothing").status == 2
    assert run("convolutionalize", tmp_path / "none.keras", "--set", "classes=3").status == 2
