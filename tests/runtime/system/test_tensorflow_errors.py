"""TensorFlow's errors during a pass over images."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from archspec.diagnostics import ArchspecError
from archspec.runtime.system.tensorflow_errors import tensorflow_failures


def test_errors_during_a_pass_have_a_remedy(tmp_path: Path) -> None:
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
        tf.reshape(tf.zeros(3), (2, 2))  # a bug in archspec stays one
