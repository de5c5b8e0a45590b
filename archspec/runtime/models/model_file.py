"""Model files: `.keras` files with one more member, `archspec.json`, which holds the metadata of the network.

Keras ignores the member and loads the file; archspec also loads the files of Keras.
"""

from __future__ import annotations

import errno
import json
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

from archspec.diagnostics import ArchspecError, counted, fail, listed, short
from archspec.format import byte_size
from archspec.graph.compile.builder import MAX_LAYERS
from archspec.runtime.models.build import deep_recursion
from archspec.runtime.models.custom_modules import register_custom
from archspec.runtime.models.fast.batch_norm import speed_up_batch_normalization
from archspec.runtime.models.fast.grouped_conv import speed_up_grouped_convolutions
from archspec.runtime.models.fast.wide_conv import speed_up_wide_windows
from archspec.runtime.models.keras2.config import is_keras2
from archspec.runtime.models.keras_config import custom_classes, first_sentence, layers_of
from archspec.runtime.models.keras_file import h5_config, is_hdf5, keras_version, load_keras2, named_with
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.untrusted.file_limits import CONFIG_BYTES, read_json
from archspec.runtime.models.untrusted.variable_limit import VariableLimitError, limited_variables
from archspec.runtime.system.atomic_write import atomic, reason
from archspec.runtime.system.tensorflow_import import import_tensorflow

__all__ = ["Metadata", "load_model", "model_path", "read_metadata", "save_model"]

MEMBER = "archspec.json"
MEMBER_BYTES = 16 << 20
"""Of archspec.json; a spec has a few kilobytes."""


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
    try:
        return _model_path(Path(path))
    except OSError as error:  # no permission, or a name that is too long
        raise fail("model-not-found", f"cannot read `{short(str(path))}`: {reason(error)}") from None


def _model_path(path: Path) -> Path:
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
            help="give a `.keras` file, or a run directory",
        )
    if not path.exists():
        raise fail("model-not-found", f"there is no file `{path}`", help="give a `.keras` file, or a run directory")
    if not path.is_file():  # a pipe or a device, which may never end
        raise fail("not-a-model", f"`{path}` is a pipe or a device, not a file", help=HELP)
    return path


def load_model(path: str | Path) -> tuple[Any, Metadata]:
    """The keras.Model of a file or a run directory, and its metadata.

    The file is a `.keras` file, or an `.h5` file of a whole model, of Keras 2 or 3.

    A file written by Keras has the default metadata. Loading never runs code from the file.

    Raises:
        ArchspecError: `model-not-found`, `not-a-model`, `model-unsafe` for a file that holds Python code,
            `custom-layer` for a class that is not in Keras, `weights-damaged`.
    """
    path = model_path(path)
    if is_hdf5(path):
        metadata, config, size = Metadata(), h5_config(path), path.stat().st_size
    else:
        metadata, config, size = _inspect(path)
    layers = layers_of(config)
    if len(layers) > MAX_LAYERS:
        fact = f"`{path}` has {len(layers):,} layers, more than {MAX_LAYERS:,}"
        raise fail("not-a-model", fact, help="archspec reads no larger networks")
    import_tensorflow()
    import keras

    register_custom()
    with deep_recursion(len(layers)), limited_variables(size):
        if is_keras2(config, keras_version(path)):
            model = load_keras2(path, config)
        else:
            model = _load_keras3(path, config, metadata)
    if not isinstance(model, keras.Model):
        raise fail("not-a-model", f"`{path}` contains a {type(model).__name__}, not a network", help=HELP)
    outputs = model.outputs[0].shape[-1]
    named = metadata.targets[0].units if metadata.targets else len(metadata.class_names or ())
    if (metadata.class_names is not None or metadata.targets) and named != outputs:
        raise fail(
            "not-a-model",
            f"`{path}` names {counted(named, 'class')}, but its network has {counted(outputs, 'output')}",
            help=HELP,
        )
    speed_up_batch_normalization(model)
    speed_up_grouped_convolutions(model)
    speed_up_wide_windows(model)
    return model, metadata


def _load_keras3(path: Path, config: Any, metadata: Metadata) -> Any:
    import keras

    suffix = ".h5" if is_hdf5(path) else ".keras"
    with named_with(path, suffix) as named, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras, about its own formats
        try:
            return keras.saving.load_model(named, compile=False, safe_mode=True)
        except Exception as error:  # whatever a damaged or foreign configuration makes Keras raise
            from archspec.runtime.models.custom_layers import register_layers

            try:
                register_layers(metadata)
                return keras.saving.load_model(named, compile=False, safe_mode=True)
            except Exception:
                raise _unreadable(path, config, error) from error


def read_metadata(path: str | Path) -> Metadata:
    """The metadata of a model file, or of the best model of a run directory, without loading the network.

    Raises:
        ArchspecError: as `load_model`.
    """
    path = model_path(path)
    return Metadata() if is_hdf5(path) else _inspect(path)[0]


HELP = "give a file that `archspec train`, `archspec build` or `model.save(...)` of Keras wrote"


OTHER_FILES: dict[tuple[str, ...], str] = {
    (".yaml", ".yml"): "it is a spec: train its network first, with `archspec train {} --data DATA`",
    (".pth", ".pt", ".safetensors", ".ckpt", ".bin"): "build a model with it: `archspec build REF --weights {} "
    "-o FILE.keras`",
    (".onnx", ".tflite", ".pb"): "it is an export: give the `.keras` file that it was exported from",
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"): "it is an image: the model comes first",
}
"""Endings of files of other kinds -> the remedy."""
CUSTOM_HELP = (
    "import the module of the class: on the command line add --custom MODULE:CLASS, where MODULE.py is in the current "
    "folder or installed; in Python, register the class with `keras.saving.register_keras_serializable` first"
)


def _inspect(path: Path) -> tuple[Metadata, Any, int]:
    """The metadata, the configuration, and the size of the weights in bytes. Raises ArchspecError: `not-a-model`."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            if "config.json" not in sizes:
                fact = f"`{path}` is a zip file that does not contain a Keras model"
                raise fail("not-a-model", fact, help=_remedy(path))
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
            config = read_json(archive.read("config.json"))
            description = read_json(archive.read(MEMBER)) if MEMBER in sizes else Metadata().to_json()
    except OSError as error:
        raise fail(
            "not-a-model", f"cannot read `{path}`: {(error.strerror or str(error)).lower()}", help=HELP
        ) from error
    except (zipfile.BadZipFile, ValueError, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
        fact = f"`{path}` is not a model file: {first_sentence(error)}"
        raise fail("not-a-model", fact, help=_remedy(path)) from error
    try:
        metadata = Metadata.from_json(description)
    except ValueError as error:
        raise fail(
            "not-a-model",
            f"this version of archspec cannot read the metadata of `{path}`: {error}",
            help="install a newer archspec, or the package that declares its transforms",
        ) from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), (dict, list)):
        raise fail("not-a-model", f"`{path}` has no configuration of a network", help=HELP)
    inner = config["config"]
    if isinstance(inner, dict) and not isinstance(inner.get("layers", []), list):
        raise fail("not-a-model", f"the configuration of `{path}` has no list of layers", help=HELP)
    return metadata, config, sizes.get("model.weights.h5", 0)


def _remedy(path: Path) -> str:
    """What to do with a file of another kind."""
    other = next((each for ends, each in OTHER_FILES.items() if path.name.lower().endswith(ends)), None)
    return other.format(path) if other else HELP


def _unreadable(path: Path, config: Any, error: Exception) -> ArchspecError:
    text = str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):  # Keras unpacks files
        fact = f"cannot unpack `{path}` in `{tempfile.gettempdir()}`: {reason(error)}"
        return fail("cannot-write", fact, help="free space there, or set the variable TMPDIR to another folder")
    if isinstance(error, VariableLimitError):
        return fail("not-a-model", f"`{path}` is damaged: {text}", help=HELP)
    if "safe_mode" in text or "unsafe" in text.lower():
        message = f"`{path}` contains Python code, and archspec never runs code from a file"
        return fail("model-unsafe", message, help="replace its Lambda layers by other Keras layers, and save it again")
    note = f"Keras says: {first_sentence(error)}"
    custom = custom_classes(config)
    if custom:
        return fail(
            "custom-layer",
            f"`{path}` contains layers of classes that are not in Keras: {listed(custom, 5)}",
            notes=["the code of a class is not in the file"],
            help=CUSTOM_HELP,
        )
    help = "save the model as `.keras`: Keras does not read every `.h5` file that it writes" if is_hdf5(path) else HELP
    return fail("not-a-model", f"`{path}` cannot be loaded", notes=[note], help=help)
