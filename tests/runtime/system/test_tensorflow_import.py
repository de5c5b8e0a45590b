"""The import of TensorFlow without messages, and the backend of Keras."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from archspec.runtime.system.tensorflow_import import warnings_hidden


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        key: value for key, value in os.environ.items() if key not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")
    }
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env={**inherited, **environment})


def test_tensorflow_is_imported_without_messages() -> None:
    """With TF_CPP_MIN_LOG_LEVEL=0 there are some: otherwise the test would prove nothing."""
    program = (
        "import sys; from archspec.runtime.system.tensorflow_import import import_tensorflow as t; t(); "
        "print('mine', file=sys.stderr)"
    )
    assert python(program).stderr == "mine\n"
    verbose = python(program, TF_CPP_MIN_LOG_LEVEL="0").stderr
    assert verbose.endswith("mine\n")
    assert len(verbose) > len("mine\n")


def test_a_failed_import_prints_the_messages(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text(
        "import os\nos.write(2, b'the library is missing\\n')\nraise ImportError('no')\n"
    )
    done = python(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from archspec.runtime.system.tensorflow_import import import_tensorflow; import_tensorflow()"
    )
    assert done.returncode == 1
    assert "the library is missing" in done.stderr


def test_keras_on_another_backend_is_refused() -> None:
    program = """
from archspec.runtime.distributed.strategy import make_strategy
from archspec.diagnostics import ArchspecError
try:
    make_strategy()
except ArchspecError as error:
    print(error)
"""
    done = python(program, KERAS_BACKEND="numpy")
    # the NumPy backend may lack SciPy, and then Keras does not even start
    assert done.stdout.startswith("error[backend]: Keras ")
    assert "= help: unset KERAS_BACKEND" in done.stdout


def test_warnings_are_hidden_in_the_block_only(capfd: pytest.CaptureFixture[str]) -> None:
    log = tf.get_logger()
    level = log.level
    with warnings_hidden():
        log.warning("hidden")
    log.warning("shown")
    assert log.level == level
    assert "hidden" not in capfd.readouterr().err
