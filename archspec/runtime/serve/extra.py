"""The packages of the extra `serve`."""

from __future__ import annotations

from importlib.util import find_spec

from archspec.diagnostics import fail

PACKAGES = ("httptools", "orjson", "prometheus_client", "python_multipart", "starlette", "uvicorn")
"""Modules, in the order of the extra in pyproject.toml."""


def check_extra() -> None:
    """Raises ArchspecError (`missing-package`) where one is not installed."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise fail(
            "missing-package",
            f"`archspec serve` needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed",
            help="`pip install 'archspec-keras[serve]'`",
        )
