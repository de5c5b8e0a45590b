"""Finds the packages and data files: `cli/` and `specs/` stand at the top level and install inside `archspec`.

Everything else is in pyproject.toml.
"""

from setuptools import find_packages, setup

NESTED = ("cli", "specs")
"""Top-level folders that install as `archspec.NAME`."""

packages = find_packages(include=["archspec", "archspec.*"])
for folder in NESTED:
    packages += [f"archspec.{folder}", *(f"archspec.{folder}.{name}" for name in find_packages(folder))]

setup(
    packages=packages,
    package_dir={"archspec": "archspec", **{f"archspec.{folder}": folder for folder in NESTED}},
    package_data={"": ["py.typed", "*.json", "*.yaml", "*.npz", "*.md", "*/*.yaml"]},
)
