"""Scalars for TensorBoard, written by TensorFlow alone: the tensorboard package is needed only to look at them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.system.atomic_write import discard


class ScalarLog:
    """Scalars of several runs under one folder, which TensorBoard lays over each other by their tags.

    Raises:
        ArchspecError: `cannot-write`, from `write`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0
        """Epochs that were written."""
        self._writers: dict[str, Any] = {}

    def write(self, run: str, step: int, scalars: Mapping[str, float]) -> None:
        """The scalars of one step, on the disk when this returns."""
        import tensorflow as tf

        kind = tf.compat.v1.SummaryMetadata
        # what `tf.summary.scalar` says, which imports tensorboard for no more than this
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
                "cannot-write", f"cannot write `{self.folder}`: {reason}", help="make room on that disk"
            ) from error

    def restart(self) -> None:
        """Remove what was written: a run goes on from an earlier epoch."""
        self.close()
        discard(self.folder)
        self.rows = 0

    def close(self) -> None:
        """Close the files; `write` opens new ones."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}
