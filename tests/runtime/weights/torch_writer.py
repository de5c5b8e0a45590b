"""Files as `torch.save` writes them, made without torch: what stands in for tensors is a NumPy array."""

import collections
import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

TYPES = {"float64": "Double", "float32": "Float", "float16": "Half", "int64": "Long", "int8": "Char"}
MAGIC = 0x1950A86A20F9469CFC6C


class Global:
    """A name in a pickle, without anything behind it."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """A call in a pickle: of torch, or of anything else."""

    def __init__(self, function: Global, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments


class Storage:
    """The numbers of an array, under a key of the file."""

    def __init__(self, array: Any, key: str) -> None:
        self.array, self.key = array, key


class TorchPickler(pickle._Pickler):  # type: ignore[misc,name-defined]  # the one in Python, whose `save` can be extended
    """Writes arrays as torch writes tensors; `storages` are then to be written beside the pickle."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, protocol=2)
        self.storages: list[Storage] = []

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Storage):
            return None
        kind = Global("torch", f"{TYPES[obj.array.dtype.name]}Storage")
        return ("storage", kind, obj.key, "cpu", obj.array.size)

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Global):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Call):
            self.save(obj.function)
            self.save(obj.arguments)
            self.write(pickle.REDUCE)
        elif isinstance(obj, np.ndarray):
            base = obj if obj.base is None or obj.flags.c_contiguous else obj.base
            storage = Storage(np.ascontiguousarray(base), str(len(self.storages)))
            self.storages.append(storage)
            strides = tuple(step // obj.itemsize for step in obj.strides)
            hooks = collections.OrderedDict()  # type: ignore[var-annotated]
            self.save(Call(Global("torch._utils", "_rebuild_tensor_v2"), storage, 0, obj.shape, strides, False, hooks))
        else:
            super().save(obj, save_persistent_id)


def save(path: Path, value: Any) -> Path:
    """The zip form, of PyTorch 1.6 and later."""
    data = io.BytesIO()
    pickler = TorchPickler(data)
    pickler.dump(value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data.getvalue())
        archive.writestr("archive/byteorder", "little")
        for storage in pickler.storages:
            archive.writestr(f"archive/data/{storage.key}", storage.array.tobytes())
        archive.writestr("archive/version", "3\n")
    return path


def save_old(path: Path, value: Any) -> Path:
    """The form before PyTorch 1.6."""
    with path.open("wb") as file:
        for each in (MAGIC, 1001, {"protocol_version": 1001, "little_endian": True}):
            pickle.dump(each, file, protocol=2)
        pickler = TorchPickler(file)
        pickler.dump(value)
        pickle.dump([storage.key for storage in pickler.storages], file, protocol=2)
        for storage in pickler.storages:
            file.write(struct.pack("<q", storage.array.size) + storage.array.tobytes())
    return path
