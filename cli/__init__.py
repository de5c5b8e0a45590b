"""The command line, a thin layer over `archspec.api`.

It may import `archspec.api`, and `archspec.diagnostics` and `archspec.format` for its texts; nothing else of archspec.
"""
