"""Declarations in the one-key form of specs: `sgd`, `{sgd: 0.1}` or `{sgd: {learning_rate: 0.1}}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from archspec.declare import Declared, arguments


def to_one_key(declared: Declared) -> dict[str, Any]:
    """{"sgd": {"learning_rate": 0.1, ...}}, with every argument."""
    return {declared.name: asdict(declared)}  # type: ignore[call-overload]


def from_one_key(value: Any, declared: Mapping[str, type[Declared]]) -> Any:
    """The declaration that a validated value names; a bare value is the first argument."""
    if isinstance(value, str):
        return declared[value].make({})
    ((name, given),) = value.items()
    if not isinstance(given, Mapping):
        given = {} if given is None else {arguments(declared[name])[0].name: given}
    return declared[name].make(given)
