"""The former name of `archspec.arguments.public`."""

from __future__ import annotations

from archspec.arguments import public

named_options = public()
