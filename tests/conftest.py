"""What every test may rely on: nothing is kept in the user's cache folder, and networks start with known weights."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def manifests_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHSPEC_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="module")
def first_weights() -> None:
    """For what a module makes once; Keras draws its seeds from Python's generator."""
    random.seed(0)


@pytest.fixture(autouse=True)
def weights() -> None:
    """For each test by itself, in whatever order and process they run."""
    random.seed(0)
