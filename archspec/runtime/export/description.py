"""`export.json`: what an export is, for programs without archspec; written beside the files of each version."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import yaml

from archspec.runtime.export.export_format import ExportFormat, Signature
from archspec.runtime.export.network import ExportedNetwork
from archspec.runtime.export.verify import Verification
from archspec.runtime.models.keras_graph import given_name
from archspec.runtime.models.metadata import Metadata
from archspec.version import __version__

FORMAT_VERSION = 1
"""Of `export.json`."""


def describe(
    writer: ExportFormat,
    network: ExportedNetwork,
    signatures: Mapping[str, Signature],
    *,
    precision: str,
    rewrites: Sequence[str],
) -> dict[str, Any]:
    """The content of `export.json` before the export is verified."""
    metadata = network.metadata.to_json()
    with network.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    height_width = list(network.input_shape[:2]) if network.is_of_images else None
    return {
        "format_version": FORMAT_VERSION,
        "name": given_name(network.model) or network.path.stem,
        "reference": metadata["reference"],
        "format": writer.name,
        "file": writer.file,
        "precision": precision,
        "rewrites": list(rewrites),
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": _versions(writer),
        "model_sha256": digest,
        "recipe_sha256": recipe_digest(network.metadata),
        "signatures": {name: each.to_json(network.input_shapes) for name, each in signatures.items()},
        "class_names": list(network.class_names),
        **({} if network.targets.is_plain else {"targets": [each.to_json() for each in network.targets]}),
        "preprocessing": {
            "resize": metadata["resize"] if height_width else None,
            "crop": height_width,
            "transforms": metadata["preprocess"] if len(network.input_shapes) == 1 else [],
        },
        "spec": metadata["spec"],
        "verified": False,
        "verification": None,
    }


def with_verification(description: Mapping[str, Any], verification: Verification | None) -> dict[str, Any]:
    """The content of `export.json` after the verification; None where it was switched off."""
    found = None if verification is None else verification.to_json()
    return {**description, "verified": verification is not None, "verification": found}


def recipe_digest(metadata: Metadata) -> str | None:
    """SHA-256 of the section `train:` of the spec, as JSON with sorted keys; None without a spec."""
    if metadata.spec is None:
        return None
    try:
        document = yaml.safe_load(metadata.spec)
    except yaml.YAMLError:
        return None
    recipe = document.get("train") if isinstance(document, dict) else None
    text = json.dumps(recipe, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _versions(writer: ExportFormat) -> dict[str, str]:
    found = {"archspec-keras": __version__}
    for package in ("keras", "tensorflow", "numpy", *(each.replace("_", "-") for each in writer.packages)):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
