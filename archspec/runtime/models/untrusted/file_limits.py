"""Limits for weight and model files, which come from strangers. Every reader checks them before it reads or allocates.

They are far above what real files need, and keep a hostile file below about 500 MB of memory and a few seconds.
"""

from __future__ import annotations

import json
import zipfile
from typing import Any

from archspec.diagnostics import counted

PICKLE_BYTES = 64 << 20
"""The pickle of a state dict, without the numbers; a network of ten thousand tensors has 2 MB."""
PICKLE_STEPS = 400_000
"""Instructions of a pickle, and items that they copy, of any file: half a second. A tensor has about 45 of them."""
BYTES_PER_STEP = 16
"""A larger file may have one more step for each: a small tensor takes about 500 bytes of a file."""
NODES = 200_000
"""Dictionaries, lists and objects of a pickle that are searched for weights."""
MEMBERS = 200_000
"""Files in a zip archive, tensors of a state dict, layers and datasets in an HDF5 file."""
HEADER_BYTES = 10_000_000
"""The header of a safetensors file: the library needs ten times its memory; ten thousand tensors have 1 MB."""
CONFIG_BYTES = 64 << 20
"""The configuration of a Keras model; that of a 1202-layer network has 3 MB."""
CONFIG_VALUES = 2_000_000
"""Values in a JSON text: an empty object has two characters, and 64 bytes in memory."""
RANK = 32
"""Axes of a tensor."""
NAME_LENGTH, NAME_PARTS = 1000, 64
"""Characters of the name of a tensor, and points in it: modules are visited recursively."""


def pickle_steps(size: int) -> int:
    """Instructions that the pickles of a file of `size` bytes may have: those of 17,000 tensors at most, one second."""
    return PICKLE_STEPS + min(size // BYTES_PER_STEP, PICKLE_STEPS)


def read_json(data: bytes, limit: int = CONFIG_VALUES) -> Any:
    """The value of a JSON text. Raises ValueError if it is not one, is nested too deeply or has too many values."""
    if data.count(b",") + data.count(b"[") + data.count(b"{") > limit:
        raise ValueError(f"it has more than {counted(limit, 'value')}")
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """The contents of a member of a zip archive. Raises ValueError if it would unpack to more than `limit` bytes."""
    size = archive.getinfo(name).file_size
    if size > limit:
        raise ValueError(f"`{name}` would unpack to {size:,} bytes, more than {limit:,}")
    return archive.read(name)
