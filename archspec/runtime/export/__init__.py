"""Export of trained networks for other programs, one format per module. EXPORT_FORMATS imports them by name.

It may import diagnostics, plugins, runtime.system, runtime.data, runtime.models and runtime.dense. A module of a format
imports TensorFlow inside functions, so that the help of `archspec export` does not load it.
"""

from __future__ import annotations

from archspec.runtime.export.export_format import EXPORT_FORMATS, ExportFormat

__all__ = ["EXPORT_FORMATS", "ExportFormat"]
