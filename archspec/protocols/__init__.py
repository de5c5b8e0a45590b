"""Evaluation protocols, one a module. Importing this package registers them all; plugins add to PROTOCOLS.

It may import diagnostics, declare, plugins, ops and transforms; it never imports keras or tensorflow.
"""

from __future__ import annotations

from archspec.protocols.base import PROTOCOLS, Protocol, ViewSet

PROTOCOLS.import_package(__name__, __path__)

__all__ = ["PROTOCOLS", "Protocol", "ViewSet"]
