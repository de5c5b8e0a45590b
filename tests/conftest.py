"""Fixtures of all tests, and the choice of the archspec under test: the checkout, or with `--installed` the wheel.

The root of the repository has the folders `archspec` and `tests`. It is last on sys.path, here and in the processes
that tests start, so that it provides `tests` and never hides an installed archspec.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import sysconfig
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[1]

sys.path[:] = [*(folder for folder in sys.path if Path(folder).absolute() != ROOT), str(ROOT)]
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    # a shell ignores SIGINT in background processes, and the processes that tests start would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under `nohup`
settings.register_profile("archspec", deadline=None)  # an example may wait for TensorFlow's import or a busy machine
settings.load_profile("archspec")
os.environ["PYTHONSAFEPATH"] = "1"  # `python -c` and `python -m` do not put the current directory first
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "tests" / "startup"), os.getenv("PYTHONPATH")]))


def pytest_addoption(parser: pytest.Parser) -> None:
    help = "test the archspec in site-packages (`pip install .`) instead of the checkout (`pip install -e .`)"
    parser.addoption("--installed", action="store_true", help=help)


def pytest_configure(config: pytest.Config) -> None:
    """Stop when Python would import another archspec than the one that is to be tested."""
    installed: bool = config.getoption("--installed")
    wanted, install = (Path(sysconfig.get_path("purelib")), ".") if installed else (ROOT, "-e .")
    spec = find_spec("archspec")
    found = None if spec is None else Path(spec.origin or "")
    if found is None or not found.is_relative_to(wanted) or find_spec("archspec.cli") is None:
        raise pytest.UsageError(f"the archspec under test must be in {wanted}, not {found}: `pip install {install}`")


@pytest.fixture(autouse=True, scope="session")
def manifests_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHSPEC_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="module")
def first_weights() -> None:
    """For what a module makes once; Keras draws its seeds from Python's generator."""
    random.seed(0)


@pytest.fixture(autouse=True)
def weights() -> None:
    """For each test by itself, in whatever order and process they run."""
    random.seed(0)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The one browser of all tests (`tests.browser.opened` opens a page)."""
    from tests.browser import started

    with started() as found:
        yield found
