"""The command line: a thin skin over archspec.api."""
