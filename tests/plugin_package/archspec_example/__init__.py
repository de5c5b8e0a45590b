"""A plugin package for archspec: see docs/extending.md."""
