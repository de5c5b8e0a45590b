"""The transforms of images. TRANSFORMS imports the module of a name when it is looked up; plugins add to it.

May import diagnostics, declare, plugins and ops.base; tensorflow only as an argument of `apply`.
"""

from __future__ import annotations

from archspec.transforms.base import TRANSFORMS, Transform

__all__ = ["TRANSFORMS", "Transform"]
