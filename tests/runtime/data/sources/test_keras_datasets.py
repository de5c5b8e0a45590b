"""Data sets of Keras: names, validation images, and failed downloads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archspec.runtime.data.sources import keras_datasets
from archspec.runtime.data.sources.dataset import open_data
from tests.cli.conftest import Run, run
from tests.refusal import refused

__all__ = ["run"]


def test_a_keras_data_set_has_its_names_and_its_test_images(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_data() -> Any:
        x = np.arange(6 * 4 * 4, dtype=np.uint8).reshape(6, 4, 4)
        return (x, np.arange(6) % 3), (x[:2], np.array([2, 1]))

    monkeypatch.setattr("keras.datasets.mnist.load_data", load_data)
    train = open_data("keras:mnist", "train", channels=1)
    assert train.class_names == tuple("0123456789")
    assert train.pixels is not None
    assert (train.pixels.shape, train.labels.tolist()) == ((6, 4, 4, 1), [0, 1, 2, 0, 1, 2])
    validation = open_data("keras:mnist", "validation")
    assert validation.pixels is not None
    assert (validation.pixels.shape, validation.labels.tolist()) == ((2, 4, 4, 3), [2, 1])
    wrong = refused(lambda: open_data("keras:minst", "train"))
    assert (wrong.code, wrong.help) == ("data-not-found", "did you mean `mnist`?")


def test_a_download_that_fails_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    def load_data() -> Any:
        raise Exception("URL fetch failure on https://...: None -- no network")

    for name in keras_datasets.DATASETS:
        monkeypatch.setattr(f"keras.datasets.{name}.load_data", load_data)
        result = run("data", "check", f"keras:{name}")
        assert result.status == 1
        assert f"error[download]: cannot download `keras:{name}`" in result.err
        assert "URL fetch failure" in result.err
