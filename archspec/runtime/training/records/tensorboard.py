"""Scalars for TensorBoard. TensorFlow writes them; the tensorboard package is needed only to view them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.system.atomic_write import discard


class ScalarLog:
    """Scalars of several runs in one folder, which TensorBoard overlays by their tags.

    Raises:
        ArchspecError: `cannot-write`, from `write`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0
        """Number of epochs that were written."""
        self._writers: dict[str, Any] = {}

    def write(self, run: str, step: int, scalars: Mapping[str, float]) -> None:
        """Write the scalars of one step; they are on the disk when this returns."""
        import tensorflow as tf

        kind = tf.compat.v1.SummaryMetadata
        # as `tf.summary.scalar`, which would import tensorboard
        metadata = kind(plugin_data=kind.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR")
        try:
            if run not in self._writers:
                self._writers[run] = tf.summary.create_file_writer(str(self.folder / run))
            writer = self._writers[run]
            with writer.as_default(step=step):
                for tag, value in scalars.items():
                    tf.summary.write(tag, tf.constant(value, tf.float32), metadata=metadata)
            writer.flush()
        except tf.errors.OpError as error:
            # "{{node of TensorFlow}} file; No space left on device"
            reason = str(error.message).splitlines()[0].rpartition("; ")[2].lower()
            raise fail(
                "cannot-write", f"cannot write `{self.folder}`: {reason}", help="free space on that disk"
            ) from error

    def restart(self) -> None:
        """Remove what was written, because a run resumes at an earlier epoch."""
        self.close()
        discard(self.folder)
        self.rows = 0

    def close(self) -> None:
        """Close the files; `write` opens new ones."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}
