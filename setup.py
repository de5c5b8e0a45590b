"""Finds the packages and their data files. All other metadata is in pyproject.toml.

`cli/`, `labs/` and `specs/` are at the top level of the repository and install as `archspec.cli`, `archspec.labs` and
`archspec.specs`.
MANIFEST.in names the folders whose files belong to the distribution.
"""

import shutil

from setuptools import find_namespace_packages, setup
from setuptools.command.build_py import build_py

NESTED = ("cli", "labs", "specs")
"""Top-level folders that install as `archspec.NAME`."""


class FreshBuild(build_py):
    """`build_py` into an empty folder: setuptools would keep modules that were deleted since the last build."""

    def run(self) -> None:
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


CACHES = ["__pycache__", "*.__pycache__"]

packages = find_namespace_packages(include=["archspec", "archspec.*"], exclude=CACHES)
for folder in NESTED:
    packages += [
        f"archspec.{folder}",
        *(f"archspec.{folder}.{name}" for name in find_namespace_packages(folder, CACHES)),
    ]

setup(
    packages=packages,
    package_dir={"archspec": "archspec", **{f"archspec.{folder}": folder for folder in NESTED}},
    include_package_data=True,
    cmdclass={"build_py": FreshBuild},
)
