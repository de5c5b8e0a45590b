"""The processor of this machine, and whether TensorFlow computes with oneDNN on it."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
"""The environment variable that TensorFlow reads once, when it is imported."""
CPUINFO = Path("/proc/cpuinfo")


def choose_onednn() -> None:
    """Switch oneDNN on before TensorFlow is imported, unless the user has set TF_ENABLE_ONEDNN_OPTS.

    By itself TensorFlow uses oneDNN only on x86 processors with AVX-512 VNNI or newer instructions. Its convolutions
    are 1.4 to 3 times faster than those of Eigen with AVX2 too (docs/training.md). Elsewhere TensorFlow decides.
    """
    if "tensorflow" not in sys.modules and {"avx2", "fma"} <= features():
        os.environ.setdefault(ONEDNN, "1")


def processor() -> dict[str, str | bool | None]:
    """The model name of the processor, and whether TensorFlow computes with oneDNN; None if it does not say."""
    uses_onednn: bool | None = None
    try:  # TensorFlow has no public function that tells it
        from tensorflow.python.util import _pywrap_util_port

        uses_onednn = bool(_pywrap_util_port.IsMklEnabled())
    except (ImportError, AttributeError):
        pass
    return {"name": name(), "onednn": uses_onednn}


def x86_onednn() -> bool:
    """Whether TensorFlow computes with the kernels that oneDNN has for x86 processors."""
    return processor()["onednn"] is True and "avx2" in features()


def name() -> str:
    """`AMD EPYC 7763 64-Core Processor`; the architecture where the system does not tell the model."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def features() -> frozenset[str]:
    """The instruction sets of an x86 processor on Linux, such as `avx2`; else empty."""
    return frozenset(_cpuinfo().get("flags", "").split())


@cache
def _cpuinfo() -> dict[str, str]:
    """What Linux tells of the first core."""
    try:
        first_core = CPUINFO.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first_core.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
