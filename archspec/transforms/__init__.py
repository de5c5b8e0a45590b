"""The transforms of images. Importing this package declares them all; plugins add to TRANSFORMS.

May import diagnostics, declare, plugins and ops.base; tensorflow only as an argument of `apply`.
"""

from __future__ import annotations

from archspec.transforms.base import TRANSFORMS, Transform

TRANSFORMS.import_package(__name__, __path__)

__all__ = ["TRANSFORMS", "Transform"]
