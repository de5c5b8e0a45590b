"""Labelled images: `images` holds a set of them, and matches its classes with those of a network.

The sub-packages take them from a data source to batches: `sources` and `files`, then `pipeline`, then `report`.
This package imports none of them; it may import diagnostics, format and ops.
"""
