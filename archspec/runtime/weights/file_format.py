"""The format of a weight file, recognized by its contents, and the help for files in other formats."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from archspec.diagnostics import fail
from archspec.runtime.models.keras_file import HDF5

Format = Literal["keras", "hdf5", "torch", "safetensors"]

SUFFIXES: dict[str, Format] = {
    ".keras": "keras",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".pth": "torch",
    ".pt": "torch",
    ".bin": "torch",
    ".ckpt": "torch",
    ".tar": "torch",
    ".pkl": "torch",
    ".safetensors": "safetensors",
}
"""Consulted only if the contents are of no known format, for the error of that format."""
HELP = (
    "give a file of Keras (.keras, .h5), PyTorch (.pth, .pt, .ckpt, .bin) or safetensors, or `keras:imagenet`, "
    "or `keras:NAME`"
)
UNPACK = "unpack it, and give the file inside"
STATE_DICT = "load it in PyTorch, and save the weights with `torch.save(model.state_dict(), FILE)`"
KERAS_2 = "load it with TensorFlow, build the Keras model, and save it with `model.save('FILE.h5')`"

PROBED = 1024
FOREIGN: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"version https://git-lfs", "is a Git LFS pointer, not the file itself", "run `git lfs pull`"),
    (0, b"\x1f\x8b", "is compressed with gzip", "unpack it with `gunzip`"),
    (0, b"BZh", "is compressed with bzip2", "unpack it with `bunzip2`"),
    (0, b"\xfd7zXZ", "is compressed with xz", "unpack it with `unxz`"),
    (0, b"\x28\xb5\x2f\xfd", "is compressed with Zstandard", "unpack it with `unzstd`"),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7z archive", UNPACK),
    (0, b"Rar!", "is a RAR archive", UNPACK),
    (257, b"ustar", "is a tar archive", UNPACK),
    (0, b"GGUF", "is a GGUF file", "download the weights as .safetensors"),
    (4, b"TFL3", "is a TensorFlow Lite model", "give the Keras model that it was converted from"),
    (0, b"MATLAB 5.0", "is a MATLAB file", STATE_DICT.replace("PyTorch", "Python with `scipy.io.loadmat`")),
    (0, b"\x93NUMPY", "is a single NumPy array", "give a file with the weights of all layers"),
)
"""Place, first bytes, fact and remedy of formats that archspec does not read."""
TENSORFLOW_INDEX = bytes.fromhex("57fb808b247547db")  # at the end of NAME.index


def file_format(path: Path) -> Format:
    """The format of the file by its contents; by its suffix if they are of no known format.

    Raises:
        ArchspecError: `weights-unknown`, which names the other format; `weights-damaged` for an empty file.
    """
    with path.open("rb") as file:
        start = file.read(PROBED)
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        end = file.read(8)
        file.seek(0)
        if not start:
            raise fail("weights-damaged", f"`{path}` is empty", help="download or save it again")
        if start.startswith(b"PK\x03\x04") and zipfile.is_zipfile(file):
            return _zip_format(path)
    if start.startswith(HDF5) or _user_block(path, size):
        return "hdf5"
    if int.from_bytes(start[:8], "little") <= size - 8 and start[8:9] == b"{":
        return "safetensors"
    if start[:1] == b"\x80" and len(start) > 1 and start[1] <= 5:
        return "torch"
    for place, magic, fact, help in FOREIGN:
        if start[place:].startswith(magic):
            raise _unknown(path, fact, help)
    if start.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise _unknown(path, "is a web page, not a weight file", "the download failed; download the file again")
    if end == TENSORFLOW_INDEX or ".data-0000" in path.name:
        raise _unknown(path, "is part of a TensorFlow checkpoint", KERAS_2)
    if path.suffix == ".onnx":
        raise _unknown(path, "is an ONNX model", "give the model that it was exported from")
    if path.name.endswith(".index.json"):
        raise _unknown(path, "is the index of weights in several files", "join them into one .safetensors file")
    known = next((kind for suffix, kind in SUFFIXES.items() if path.name.lower().endswith(suffix)), None)
    if known is None:
        raise _unknown(path, "is not a weight file of a known format", HELP)
    return known


def _zip_format(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise fail("weights-damaged", f"`{path}` is a damaged zip file: {error}", help="download it again") from error
    if any(name == "constants.pkl" or name.endswith("/constants.pkl") for name in names):
        raise _unknown(path, "is a TorchScript program, not a state dict", STATE_DICT)
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return "torch"
    if "config.json" in names or "model.weights.h5" in names:
        return "keras"
    if names and all(name.endswith(".npy") for name in names):
        raise _unknown(
            path,
            "is a NumPy archive (.npz), which does not tell the layout of its weights",
            "save them under the names of PyTorch with `safetensors.numpy.save_file(arrays, FILE)`",
        )
    if path.name.endswith(".keras"):
        return "keras"
    inside = next((name for name in names if name.endswith(tuple(SUFFIXES))), None)
    if inside is not None:
        raise _unknown(path, f"is a zip archive that contains `{inside}`", UNPACK)
    raise _unknown(path, "is a zip archive without weights", HELP)


def _user_block(path: Path, size: int) -> bool:
    """Whether it is an HDF5 file after a block of other bytes, as of MATLAB 7.3."""
    place = 512
    with path.open("rb") as file:
        while place < min(size, 1 << 20):
            file.seek(place)
            if file.read(8) == HDF5:
                return True
            place *= 2
    return False


def _unknown(path: Path, fact: str, help: str) -> Exception:
    return fail("weights-unknown", f"`{path}` {fact}", help=help)


def missing(path: Path) -> Exception:
    """The error for a path that is not a file."""
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return _unknown(path, "is a SavedModel of TensorFlow", KERAS_2)
        if (path / "data.pkl").is_file():
            return _unknown(path, "is an unpacked file of torch.save", "zip the folder, and give the zip file")
        for name in ("model.safetensors", "pytorch_model.bin"):
            if (path / name).is_file():
                return fail("weights-not-found", f"`{path}` is a folder", help=f"give `{path / name}`")
        return fail("weights-not-found", f"`{path}` is a folder", help=HELP)
    if path.with_name(f"{path.name}.index").is_file():
        return _unknown(path, "is a TensorFlow checkpoint", KERAS_2)
    help = "write `keras:imagenet`" if str(path) == "imagenet" else HELP
    return fail("weights-not-found", f"`{path}` does not exist", help=help)
