"""The version of the package, which pyproject.toml, the command line and run directories read here."""

__version__ = "0.1.0"
