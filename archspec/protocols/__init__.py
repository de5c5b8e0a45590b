"""Evaluation protocols, one per module. PROTOCOLS imports the module of a name when it is looked up; plugins add to it.

It may import diagnostics, declare, plugins, ops and transforms; it never imports keras or tensorflow.
"""

from __future__ import annotations

from archspec.protocols.base import PROTOCOLS, Protocol, ViewSet

__all__ = ["PROTOCOLS", "Protocol", "ViewSet"]
