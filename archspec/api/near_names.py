"""What was meant by a reference that leads to no spec: a file nearby, or a network under its usual name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence

from archspec.diagnostics import nearest

SUFFIXES = (".yaml", ".yml")
KERAS_NAMES = {"vgg11": "vgg:A", "vgg13": "vgg:B", "vgg16": "vgg:D", "vgg19": "vgg:E"}
"""Networks of Keras and PyTorch whose names count layers, where the paper has letters."""
MAX_SHOWN = 5


def near_file(name: str) -> str | None:
    """The path, as it can be typed, of the spec file that `name` is closest to in its folder."""
    folder, base = os.path.split(name)
    files = specs_in(folder)
    same = [file for file in files if _stem(file) == _stem(base)]
    found = same[0] if same else nearest(base, files) or nearest(base, [os.path.splitext(each)[0] for each in files])
    if found is None:
        return None
    found = next(file for file in files if found in (file, os.path.splitext(file)[0]))
    return os.path.join(folder or ".", found)


def same_stem(name: str) -> str | None:
    """The path of the file that has this name but for its suffix and case: `crlf` -> `./crlf.yaml`."""
    found = near_file(name)
    return found if found and _stem(os.path.basename(found)) == _stem(os.path.basename(name)) else None


def specs_in(folder: str) -> list[str]:
    """The names of the YAML files in a folder; empty if it cannot be read."""
    try:
        return sorted(name for name in os.listdir(folder or ".") if name.lower().endswith(SUFFIXES))
    except OSError:
        return []


def in_folder(folder: str) -> str | None:
    """The remedy for a folder in the place of a spec, from the specs in it."""
    paths = [os.path.join(folder, name) for name in specs_in(folder)]
    if len(paths) == 1:
        return f"did you mean `{paths[0]}`?"
    shown = ", ".join(paths[:MAX_SHOWN]) + (f" and {len(paths) - MAX_SHOWN} more" if len(paths) > MAX_SHOWN else "")
    return f"name one of its specs: {shown}" if paths else None


def shipped(name: str, families: Iterable[str], variants: Callable[[str], Sequence[str]]) -> str | None:
    """The network that comes with archspec under another spelling: `ResNet50` -> `resnet:50`, `VGG16` -> `vgg:D`."""
    words = _letters(os.path.splitext(name)[0] if name.lower().endswith(SUFFIXES) else name)
    if words in KERAS_NAMES:
        return KERAS_NAMES[words]
    for family in sorted(families, key=len, reverse=True):
        start = _letters(family)
        if words == start:
            return family
        if words.startswith(start):
            found = next((each for each in variants(family) if _letters(each) == words[len(start) :]), None)
            if found:
                return f"{family}:{found}"
    return None


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].lower() if name.lower().endswith(SUFFIXES) else name.lower()


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", name.lower())
