"""Model files: `.keras` files with one more member, `archspec.json`, which holds the metadata of the network.

Keras ignores the member and loads the file; archspec also loads the files of Keras.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from archspec.diagnostics import ArchspecError, fail
from archspec.format import byte_size
from archspec.runtime.models.build import deep_recursion
from archspec.runtime.models.fast_batch_norm import speed_up_batch_normalization
from archspec.runtime.models.fast_grouped_conv import speed_up_grouped_convolutions
from archspec.runtime.models.fast_wide_conv import speed_up_wide_windows
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.system.atomic_write import atomic
from archspec.runtime.system.tensorflow_import import import_tensorflow

__all__ = ["Metadata", "load_model", "model_path", "read_metadata", "save_model"]

MEMBER = "archspec.json"
MEMBER_BYTES = 16 << 20
CONFIG_BYTES = 256 << 20
"""Limits on unpacked sizes. A spec has a few kilobytes, the configuration of a 1202-layer network 3 MB."""


def save_model(model: Any, path: str | Path, metadata: Metadata) -> None:
    """Write the network to a `.keras` file, atomically.

    Raises:
        ArchspecError: `cannot-write`.
    """
    path = Path(path)
    with atomic(path) as temporary, deep_recursion(len(model.layers)):
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(MEMBER, json.dumps(metadata.to_json(), indent=1))


def model_path(path: str | Path) -> Path:
    """The model file of a path: the file itself, or the best model of a run directory, or else the last one.

    Raises:
        ArchspecError: `model-not-found` or `not-a-model`.
    """
    path = Path(path)
    if path.is_dir():
        for name in ("best.keras", "last.keras"):
            if (path / name).is_file():
                return path / name
        if (path / "saved_model.pb").is_file() or (path / "export.json").is_file() or any(path.glob("*/export.json")):
            raise fail(
                "not-a-model",
                f"`{path}` is an export, not a Keras model",
                help="give the `.keras` file that it was exported from",
            )
        raise fail(
            "model-not-found",
            f"the folder `{path}` contains neither best.keras nor last.keras",
            help="give a `.keras` file, or the directory of a run",
        )
    if not path.exists():
        raise fail(
            "model-not-found", f"there is no file `{path}`", help="give a `.keras` file, or the directory of a run"
        )
    return path


def load_model(path: str | Path) -> tuple[Any, Metadata]:
    """The keras.Model of a `.keras` file or a run directory, and its metadata.

    A file written by Keras has the default metadata. Loading never runs code from the file.

    Raises:
        ArchspecError: `model-not-found`, `not-a-model`, `model-unsafe` for a file that holds Python code.
    """
    path = model_path(path)
    metadata, layers = _inspect(path)
    import_tensorflow()
    import keras

    with deep_recursion(layers):
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # whatever a damaged or foreign configuration makes Keras raise
            from archspec.runtime.models.custom_layers import register_layers

            try:
                register_layers(metadata)
                model = keras.saving.load_model(path, compile=False, safe_mode=True)
            except Exception:
                raise _unreadable(path, error) from error
    if not isinstance(model, keras.Model):
        raise fail("not-a-model", f"`{path}` contains a {type(model).__name__}, not a network", help=HELP)
    outputs = model.outputs[0].shape[-1]
    if metadata.class_names is not None and len(metadata.class_names) != outputs:
        raise fail(
            "not-a-model",
            f"`{path}` names {len(metadata.class_names)} classes, but its network has {outputs} outputs",
            help=HELP,
        )
    speed_up_batch_normalization(model)
    speed_up_grouped_convolutions(model)
    speed_up_wide_windows(model)
    return model, metadata


def read_metadata(path: str | Path) -> Metadata:
    """The metadata of a model file, or of the best model of a run directory, without loading the network.

    Raises:
        ArchspecError: as `load_model`.
    """
    return _inspect(model_path(path))[0]


HELP = "give a file that `archspec train`, `archspec build` or `model.save(...)` of Keras wrote"


def _inspect(path: Path) -> tuple[Metadata, int]:
    """The metadata and the number of layers, without Keras. Raises ArchspecError: `not-a-model`."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            if "config.json" not in sizes:
                raise fail("not-a-model", f"`{path}` is a zip file that does not contain a Keras model", help=HELP)
            total = path.stat().st_size
            for name, size in sizes.items():
                bound = {MEMBER: MEMBER_BYTES, "config.json": CONFIG_BYTES}.get(name, 64 * total + (1 << 20))
                if size > bound:
                    raise fail(
                        "not-a-model",
                        f"`{name}` in `{path}` would unpack to {byte_size(size)}",
                        notes=[f"the file has {byte_size(total)}"],
                        help=HELP,
                    )
            config = json.loads(archive.read("config.json"))
            description = json.loads(archive.read(MEMBER)) if MEMBER in sizes else Metadata().to_json()
    except OSError as error:
        raise fail(
            "not-a-model", f"cannot read `{path}`: {(error.strerror or str(error)).lower()}", help=HELP
        ) from error
    except (zipfile.BadZipFile, ValueError, RecursionError, NotImplementedError, EOFError, zlib.error) as error:
        raise fail("not-a-model", f"`{path}` is not a model file: {_first_sentence(error)}", help=HELP) from error
    try:
        metadata = Metadata.from_json(description)
    except ValueError as error:
        raise fail(
            "not-a-model",
            f"this version of archspec cannot read the metadata of `{path}`: {error}",
            help="install a newer archspec, or the package that declares its transforms",
        ) from error
    if not path.name.endswith(".keras"):
        raise fail("not-a-model", f"the name of `{path}` does not end in `.keras`", help="rename it")
    layers = config.get("config", {}).get("layers", ()) if isinstance(config, dict) else ()
    return metadata, len(layers)


def _unreadable(path: Path, error: Exception) -> ArchspecError:
    text = str(error)
    if "safe_mode" in text or "unsafe" in text.lower():
        message = f"`{path}` contains Python code, and archspec never runs code from a file"
        return fail("model-unsafe", message, help="replace its Lambda layers by other Keras layers, and save it again")
    note = f"Keras says: {_first_sentence(error)}"
    return fail("not-a-model", f"`{path}` cannot be loaded", notes=[note], help=HELP)


def _first_sentence(error: Exception) -> str:
    """The first sentence of an error, in lower case, at most 200 characters."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0].split(". ")[0][:200]
    return text[:1].lower() + text[1:].rstrip(".")
