"""archspec: convolutional networks as one YAML page each.

>>> import archspec
>>> archspec.load("vgg:D").graph().params
138357544

`archspec.build("resnet:50", classes=10)` returns a `keras.Model`. Importing archspec imports neither keras
nor tensorflow.
"""

from __future__ import annotations

from archspec.api import (
    Network,
    build,
    check,
    convolutionalize,
    evaluate,
    families,
    from_keras,
    load,
    load_weights,
    resume,
    train,
)
from archspec.diagnostics import ArchspecError, Diagnostic
from archspec.graph.ir import Graph
from archspec.version import __version__

__all__ = [
    "ArchspecError",
    "Diagnostic",
    "Graph",
    "Network",
    "__version__",
    "build",
    "check",
    "convolutionalize",
    "evaluate",
    "families",
    "from_keras",
    "load",
    "load_weights",
    "resume",
    "train",
]
