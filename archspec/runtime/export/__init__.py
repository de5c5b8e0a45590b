"""Export of trained networks for other programs, one format per module. EXPORT_FORMATS imports them by name.

It may import diagnostics, plugins, runtime.system, runtime.data and runtime.models. A module of a format imports numpy
and TensorFlow inside functions, so that the help of `archspec export` does not load them.
"""

from __future__ import annotations

from archspec.runtime.export.export_format import EXPORT_FORMATS, ExportFormat

__all__ = ["EXPORT_FORMATS", "ExportFormat"]
