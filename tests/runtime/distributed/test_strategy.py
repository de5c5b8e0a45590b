"""The ground that training stands on: a quiet import of TensorFlow, Keras on TensorFlow, failures with a remedy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from archspec.diagnostics import ArchspecError
from archspec.runtime.distributed.strategy import describe, make_strategy
from archspec.runtime.system.tensorflow_errors import tensorflow_failures
from archspec.runtime.system.tensorflow_import import warnings_hidden


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        key: value for key, value in os.environ.items() if key not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")
    }
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env={**inherited, **environment})


def test_tensorflow_is_imported_without_a_word() -> None:
    """And with its words for whoever asks for them, which is how one knows that there are any."""
    program = (
        "import sys; from archspec.runtime.system.tensorflow_import import import_tensorflow as t; t(); "
        "print('mine', file=sys.stderr)"
    )
    assert python(program).stderr == "mine\n"
    talkative = python(program, TF_CPP_MIN_LOG_LEVEL="0").stderr
    assert talkative.endswith("mine\n")
    assert len(talkative) > len("mine\n")


def test_an_import_that_fails_shows_what_was_kept_aside(tmp_path: Path) -> None:
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


def test_one_device_is_one_replica_and_the_same_strategy_again() -> None:
    strategy = make_strategy("all")
    assert strategy.num_replicas_in_sync == 1
    assert describe(strategy) in ("1 CPU", "1 GPU")
    assert make_strategy(1) is strategy


def test_failures_in_the_middle_of_a_pass_have_a_remedy(tmp_path: Path) -> None:
    def codes_of(error: ArchspecError) -> list[tuple[str, str | None]]:
        return [(diagnostic.code, diagnostic.help) for diagnostic in error.diagnostics]

    with pytest.raises(ArchspecError) as caught, tensorflow_failures(64):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    assert codes_of(caught.value) == [("out-of-memory", "use a smaller batch, such as 32")]
    with pytest.raises(ArchspecError) as caught, tensorflow_failures(64):
        tf.io.read_file(str(tmp_path / "gone.jpg"))
    assert codes_of(caught.value)[0][0] == "data-changed"
    with pytest.raises(ArchspecError) as caught, tensorflow_failures(64):
        tf.io.decode_jpeg(b"\xff\xd8\xff")
    assert codes_of(caught.value)[0][0] == "data-changed"
    with pytest.raises(tf.errors.InvalidArgumentError), tensorflow_failures(64):
        tf.reshape(tf.zeros(3), (2, 2))  # a mistake of ours stays one


def test_warnings_are_hidden_only_meanwhile(capfd: pytest.CaptureFixture[str]) -> None:
    log = tf.get_logger()
    level = log.level
    with warnings_hidden():
        log.warning("hidden")
    log.warning("shown")
    assert log.level == level
    assert "hidden" not in capfd.readouterr().err


def test_more_logical_devices_than_make_sense_are_refused_before_they_are_made() -> None:
    with pytest.raises(
        ArchspecError, match="the CPU can be split into at most 32 logical devices, and 33 are requested"
    ):
        make_strategy("cpu:33")
