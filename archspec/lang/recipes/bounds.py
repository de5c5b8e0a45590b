"""Bounds of the numbers in a recipe, as fragments of JSON Schema."""

from __future__ import annotations

from archspec.declare import Schema

AT_LEAST_0: Schema = {"type": "number", "minimum": 0}
INSIDE: Schema = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}


def optional(fragment: Schema) -> Schema:
    """The fragment, or nothing: `~`."""
    return {**fragment, "type": [fragment["type"], "null"]}
