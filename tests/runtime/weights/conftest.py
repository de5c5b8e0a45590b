"""The small network: its page, the model with weights of its own, and those as a state dict."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from tests.runtime.weights.random_weights import randomize
from tests.runtime.weights.small_network import PAGE, state_dict


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "small.yaml"
    path.write_text(PAGE)
    return str(path)


@pytest.fixture(scope="session")
def trained(page: str) -> Any:
    return randomize(archspec.load(page).build())


@pytest.fixture(scope="session")
def state(trained: Any, page: str) -> dict[str, Any]:
    trained.page = page
    return state_dict(trained)
