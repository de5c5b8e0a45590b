"""The JSON configuration of a Keras model: its layers, and the classes in it that are not Keras's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

PACKAGES = ("keras", "tf_keras", "tensorflow", "builtins", "archspec")


def layers_of(config: Any) -> list[Any]:
    """The layers of a model, as its configuration lists them; empty if it has none."""
    inner = config.get("config") if isinstance(config, dict) else None
    found = inner if isinstance(inner, list) else inner.get("layers") if isinstance(inner, dict) else None
    return found if isinstance(found, list) else []


def custom_classes(config: Any) -> list[str]:
    """The classes, functions included, that neither Keras nor archspec has: `my.layers.Gate`, or `package>Gate`."""
    found: dict[str, None] = {}
    for value in _objects(config):
        name, module, registered = (value.get(word) for word in ("class_name", "module", "registered_name"))
        foreign = isinstance(module, str) and module.partition(".")[0] not in PACKAGES
        own = registered if isinstance(registered, str) else name
        of_script = module is None and isinstance(registered, str)  # a class of the script that wrote the file
        if isinstance(name, str) and (foreign or of_script or ">" in str(own)):
            full = f"{module}.{name}" if foreign else str(own)
            found[f"`{full[:120]}`"] = None
    return list(found)


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def first_sentence(error: Exception) -> str:
    """The first sentence of an error, in lower case, at most 200 characters."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0].split(". ")[0][:200]
    return text[:1].lower() + text[1:].rstrip(".")
