"""What a user sees while a network trains, and that the wait for data is measured where it happens."""

from __future__ import annotations

import errno
import io
import re
import sys
import time
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.distributed.strategy import make_strategy
from archspec.runtime.models.metrics import MetricSums
from archspec.runtime.training.records.progress import TrainingProgress
from archspec.runtime.training.replica_batches import replica_batches
from archspec.runtime.training.train_step import TrainStep

SCORE = MetricSums(examples=200, loss_sum=100, top1_count=150, top5_count=190)
ROW = {"epoch": 3, "loss": 0.5, "top1": 0.75, "val_loss": 0.25, "val_top1": 0.875, "val_top5": 1.0}
TIMES = {"seconds": 63.0, "images_per_second": 1234.5, "data_wait": 0.07}


def shown(*, terminal: bool, width: int = 120, top5: bool = True) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, color_system=None, soft_wrap=True)
    with TrainingProgress(console) as progress:
        progress.start(30, 22, top5=top5)
        progress.steps(3, 11, SCORE, 1234.5, 0.07, 245.0)
        if progress._live:
            progress._live.refresh()
        progress.validating()
        progress.epoch({**ROW, **TIMES}, best=True)
    return out.getvalue()


def test_a_terminal_has_a_live_table() -> None:
    header, row = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", shown(terminal=True)).split("\n")[:2]
    header = header.removeprefix("preparing the first step")
    for title, value in (
        ("epoch", "3/30"),
        ("steps", "11/22"),
        ("loss", "0.5000"),
        ("top-1", "75.0 %"),
        ("top-5", "95.0 %"),
        ("images/s", "1,234"),
        ("data wait", "7 %"),
        ("left", "4:05 min"),
    ):
        place = header.index(title)
        assert row[place:].startswith(value), title


def test_a_pipe_has_a_line_at_least_every_interval() -> None:
    """Also while nothing is called: a step may take longer."""
    out = io.StringIO()
    with TrainingProgress(Console(file=out, soft_wrap=True), interval=0.05) as progress:
        progress.start(30, 22_000)
        wait_for(lambda: "preparing the first step\n" in out.getvalue())
        progress.steps(3, 1100, SCORE, 1234.5, 0.07, 245.0)
        line = "epoch 3/30, step 1,100 of 22,000: loss 0.5000, top-1 75.0 %, 1,234 images/s, 4:05 min left\n"
        wait_for(lambda: out.getvalue().count(line) >= 2)
        progress.validating()
        wait_for(lambda: "validating\n" in out.getvalue())
    ended = out.getvalue()
    time.sleep(0.15)
    assert out.getvalue() == ended


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_short_epochs_have_no_lines_between_them() -> None:
    assert shown(terminal=False).count("\n") == 1


@pytest.mark.parametrize("width", [60, 120])
def test_five_classes_have_no_top5(width: int) -> None:
    table = shown(terminal=True, width=width, top5=False).partition("epoch  3/30")[0]
    assert "top-5" not in table
    assert "95.0 %" not in table
    assert "75.0 %" in table


@given(width=st.integers(26, 130))
def test_a_narrow_terminal_has_fewer_columns_and_none_of_them_cut(width: int) -> None:
    header, row = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", shown(terminal=True, width=width)).split("\n")[:2]
    header = header.removeprefix("preparing the first step")
    row = row.partition("validating")[0].partition("epoch")[0]  # what replaces the table
    assert "…" not in header + row
    assert max(len(header), len(row)) <= width
    assert ("loss" in header, "0.5000" in row, "75.0 %" in row) == (True, True, True)
    assert ("images/s" in header) == ("1,234" in row)
    if width >= 91:
        assert "━" * 5 in row


def test_a_log_has_a_line_an_epoch() -> None:
    assert shown(terminal=False) == (
        "epoch  3/30  loss 0.5000  top-1  75.0 %  | validation loss 0.2500  top-1  87.50 %  top-5 100.00 % *"
        " | 1,234 images/s  data wait 7 %  1:03 min\n"
    )


LINES = {
    141: "epoch  3/30  loss 0.5000  top-1  75.0 %  | validation loss 0.2500  top-1  87.50 %  top-5 100.00 % *"
    " | 1,234 images/s  data wait 7 %  1:03 min",
    103: "epoch  3/30  loss 0.5000  top-1  75.0 %  | validation loss 0.2500  top-1  87.50 %  top-5 100.00 % *",
    84: "epoch  3/30  loss 0.5000  top-1  75.0 %  | validation loss 0.2500  top-1  87.50 % *",
    73: "epoch  3/30  loss 0.5000  top-1  75.0 %  | loss 0.2500  top-1  87.50 % *",
}
"""The width of a terminal, and the line of an epoch in it."""


@pytest.mark.parametrize("width", sorted(LINES))
def test_the_line_of_an_epoch_fits_into_the_terminal(width: int) -> None:
    assert len(LINES[width]) <= width
    wider = [other for other in LINES if other > width]
    assert all(len(LINES[other]) > width for other in wider)  # so that more would not have fitted
    assert re.findall(r"epoch  3/30[^\r\n\x1b]*", shown(terminal=True, width=width)) == [LINES[width]]


def test_the_wait_for_data_is_measured() -> None:
    """A pipeline that sleeps for 50 ms a batch, beside one that has everything ready."""
    strategy = make_strategy()
    with strategy.scope():
        inputs = keras.Input((4,))
        model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(3)(inputs)))
    step = TrainStep(strategy, model, Recipe())
    x, y = np.zeros((8, 4), np.float32), np.zeros(8, np.int32)
    ready = tf.data.Dataset.from_tensors((x, y)).repeat()

    def sleep(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def doze(x: np.ndarray) -> np.ndarray:
            time.sleep(0.05)
            return x

        return tf.ensure_shape(tf.numpy_function(doze, [x], tf.float32), (8, 4)), y

    waits = []
    for batches in (ready, ready.map(sleep, num_parallel_calls=1)):
        iterator = iter(replica_batches(strategy, batches))
        step(iterator, 0.1)
        before = float(step.waited.numpy())
        for _ in range(8):
            step(iterator, 0.1)
        waits.append(float(step.waited.numpy()) - before)
    assert waits[0] < 0.2 < waits[1] < 3  # of eight batches at most two are prefetched


def test_what_nobody_can_read_any_more_does_not_end_the_training() -> None:
    """A terminal that was closed gives an error of input and output, a pipe without a reader a broken one."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

        def flush(self) -> None:
            raise BrokenPipeError

        def isatty(self) -> bool:
            return True

    before, sys.stderr = sys.stderr, Gone()
    try:
        with TrainingProgress() as progress:
            progress.start(30, 22)
            progress.steps(3, 11, SCORE, 1234.5, 0.07, 245.0)
            progress.epoch({**ROW, **TIMES}, best=True)
            progress.note("on")
    finally:
        sys.stderr = before
