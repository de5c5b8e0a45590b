"""Files of whole Keras models beside `.keras` of Keras 3: `.h5` of any version, and `.keras` of Keras 2."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.models.keras2.config import UnknownLayerError, build
from archspec.runtime.models.keras2.weights import set_by_class, set_by_name
from archspec.runtime.models.keras_config import first_sentence
from archspec.runtime.models.untrusted.file_limits import CONFIG_BYTES, read_json
from archspec.runtime.models.untrusted.h5_dataset import damaged, is_group

HDF5 = b"\x89HDF\r\n\x1a\n"
WHOLE = "save the whole model with `model.save(...)`, not the weights alone"


def is_hdf5(path: Path) -> bool:
    """Whether the file has the first bytes of HDF5."""
    try:
        with path.open("rb") as file:
            return file.read(8) == HDF5
    except OSError:
        return False


def h5_config(path: Path) -> Any:
    """The configuration of the model in an .h5 file.

    Raises:
        ArchspecError: `not-a-model` for a file of weights alone; `weights-damaged`.
    """
    import h5py

    with damaged(path), h5py.File(path, "r") as file:
        found = file.attrs.get("model_config")
        if found is None:
            raise fail("not-a-model", f"`{path}` has weights, but not the model that they belong to", help=WHOLE)
        data = found.encode() if isinstance(found, str) else bytes(found)
        if len(data) > CONFIG_BYTES:
            raise ValueError(f"its configuration has {len(data):,} bytes")
        config = read_json(data)
    if not isinstance(config, dict) or not isinstance(config.get("config"), (dict, list)):
        raise fail("not-a-model", f"`{path}` has no configuration of a network", help=WHOLE)
    return config


def keras_version(path: Path) -> str | None:
    """The version of Keras that wrote a file, if it says so."""
    try:
        if is_hdf5(path):
            import h5py

            with h5py.File(path, "r") as file:
                found = file.attrs.get("keras_version")
                return found.decode() if isinstance(found, bytes) else found and str(found)
        with zipfile.ZipFile(path) as archive:
            metadata = read_json(archive.read("metadata.json"))
            return str(metadata["keras_version"])
    except Exception:  # a file without metadata, or with damaged metadata: the configuration tells
        return None


def load_keras2(path: Path, config: Any) -> Any:
    """The model of a file of Keras 2, built for Keras 3, with its weights.

    Raises:
        ArchspecError: `not-a-model`, `model-unsafe`, `custom-layer`, `weights-damaged`.
    """
    try:
        model = build(config)
    except UnknownLayerError as error:
        raise _unknown(path, error) from error
    except Exception as error:  # whatever a damaged configuration makes Keras raise
        raise fail(
            "not-a-model",
            f"`{path}` is a model of Keras 2 that cannot be built: {first_sentence(error)}",
            help="load it with Keras 2 (the package tf-keras), and save the weights: `model.save_weights('FILE.h5')`",
        ) from error
    try:
        _set_weights(path, model, config)
    except ValueError as error:
        raise fail("weights-damaged", f"`{path}`: {error}", help="save the model again") from error
    return model


def _set_weights(path: Path, model: Any, config: Any) -> None:
    import h5py

    if is_hdf5(path):
        with damaged(path), h5py.File(path, "r") as file:
            if not is_group(file, "model_weights"):
                raise ValueError("it has no group model_weights")
            set_by_name(model, file["model_weights"])
        return
    with damaged(path), zipfile.ZipFile(path) as archive:
        data = archive.read("model.weights.h5")
        with h5py.File(io.BytesIO(data), "r") as file:
            set_by_class(model, config, file)


def _unknown(path: Path, error: UnknownLayerError) -> Exception:
    if error.code:
        message = f"`{path}` contains Python code, and archspec never runs code from a file"
        return fail("model-unsafe", message, help="replace its Lambda layers by other Keras layers, and save it again")
    custom = "not a layer of Keras" in error.reason or "class of its own" in error.reason
    return fail(
        "custom-layer" if custom else "not-a-model",
        f"the layer `{error.name}` ({error.kind}) of `{path}`, a model of Keras 2, cannot be built: {error.reason}",
        help=("import the module of the class: on the command line add --custom MODULE:CLASS; or " * custom)
        + "build the model of layers of Keras 3, then take the weights: in Keras 2 `model.save_weights('FILE.h5')`, "
        "then `--weights FILE.h5`",
    )


@contextmanager
def named_with(path: Path, suffix: str) -> Iterator[Path]:
    """The file under a name with that suffix, by which Keras knows the format: itself, or a link in a new folder."""
    if path.name.endswith(suffix):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"model{suffix}"
        try:
            os.symlink(path.resolve(), link)
        except OSError:
            shutil.copyfile(path, link)
        yield link
