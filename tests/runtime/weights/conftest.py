"""The small network: its spec, the model with weights of its own, and those as a state dict."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from tests.runtime.weights.random_weights import randomize
from tests.runtime.weights.small_network import SPEC, state_dict


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("spec") / "small.yaml"
    path.write_text(SPEC)
    return str(path)


@pytest.fixture(scope="session")
def trained(spec: str) -> Any:
    return randomize(archspec.load(spec).build())


@pytest.fixture(scope="session")
def state(trained: Any, spec: str) -> dict[str, Any]:
    trained.spec = spec
    return state_dict(trained)
