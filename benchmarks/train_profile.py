"""Where the CPU time of a training step goes: archspec beside Keras's `fit`, both with oneDNN on and one thread.

    python benchmarks/train_peers.py --profile [--seconds 4] [NETWORK ...]

TensorFlow's profiler records when each kernel starts and ends. A thread samples the CPU time of the process, so that
the time in which other programs had the processor does not count. `between kernels` is the rest of the step's CPU time:
TensorFlow's executor, the input, and Python.

`at most` is the CPU time of a step of `fit` divided by that of archspec's convolutions and matrix products: the
speed-up that would remain if everything else took no time.
"""

from __future__ import annotations

import bisect
import re
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PRODUCTS = {
    "Conv2D": "convolution",
    "Conv2DBackpropInput": "convolution, gradient of the inputs",
    "Conv2DBackpropFilter": "convolution, gradient of the filters",
    "DepthwiseConv2dNative": "depthwise convolution",
    "DepthwiseConv2dNativeBackpropInput": "depthwise, gradient of the inputs",
    "DepthwiseConv2dNativeBackpropFilter": "depthwise, gradient of the filters",
    "MatMul": "matrix product",
}
SUMS = "sums of branches and of their gradients"
KINDS = {
    "FusedBatchNorm": "batch normalization",
    "FusedBatchNormGrad": "batch normalization, gradient",
    **dict.fromkeys(("Relu", "Relu6", "Swish", "Sigmoid", "Softmax", "LogSoftmax"), "activation"),
    **dict.fromkeys(("ReluGrad", "Relu6Grad", "SigmoidGrad"), "activation"),
    **dict.fromkeys(("AvgPool", "MaxPool", "AvgPoolGrad", "MaxPoolGrad"), "pooling"),
    **dict.fromkeys(("Concat", "Slice", "StridedSlice"), "concatenation and slices"),
    **dict.fromkeys(("Pad", "MirrorPad"), "padding"),
    "AddN": SUMS,
}
LAYERS = {
    "BatchNormalization": "batch normalization",
    **dict.fromkeys(("ReLU", "Activation", "Dropout"), "activation"),
    "Concatenate": "concatenation and slices",
    "ZeroPadding2D": "padding",
    "Add": SUMS,
    **dict.fromkeys(("MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D"), "pooling"),
}
BETWEEN = "between kernels"
COLUMNS: Mapping[str, Sequence[str]] = {
    "convolution": list(PRODUCTS.values())[:3],
    "depthwise": list(PRODUCTS.values())[3:6],
    "matrix product": ["matrix product"],
    "batch norm": ["batch normalization", "batch normalization, gradient"],
    "activation": ["activation"],
    "pooling, concatenation, padding, sums": ["pooling", "concatenation and slices", "padding", SUMS],
    "optimizer": ["optimizer"],
    "rest": ["other kernels", BETWEEN],
}
"""Of the table: sums of the groups above."""
SETTINGS = {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


# ---- in the process that trains --------------------------------------------------------------------------------------


def profile(steps: Callable[[int], None], number: int, layers: Mapping[str, str]) -> dict[str, float]:
    """Milliseconds of CPU time per step of each group of kernels, and of the whole step.

    layers: the class of each Keras layer, by its name.
    """
    import tensorflow as tf

    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3, python_tracer_level=0)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder, options)
        with CpuClock() as clock:
            with tf.profiler.experimental.Trace(MARK):
                marked = time.time_ns()
            start = time.time_ns()
            steps(number)
            end = time.time_ns()
        tf.profiler.experimental.stop()
        kernels = list(kernels_of(next(Path(folder).rglob("*.xplane.pb")), clock, marked))
    found: defaultdict[str, float] = defaultdict(float)
    for name, kind, seconds in kernels:
        found[group(name, kind, layers)] += seconds
    whole = (clock.at(end) - clock.at(start)) / 1e9
    found[BETWEEN] = whole - sum(found.values())
    return {"step": 1000 * whole / number, **{each: 1000 * value / number for each, value in found.items()}}


MARK = "archspec-benchmark"


class CpuClock:
    """The CPU time of this process, without that of its own thread, as a function of the time of day."""

    def __enter__(self) -> CpuClock:
        self._times: list[int] = []
        self._cpu: list[int] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.is_set():
            self._cpu.append(time.process_time_ns() - time.thread_time_ns())
            self._times.append(time.time_ns())
            time.sleep(0.0005)

    def at(self, moment: float) -> float:
        """CPU nanoseconds at a time of day in nanoseconds, between the two nearest samples."""
        place = min(max(bisect.bisect_left(self._times, moment), 1), len(self._times) - 1)
        (start, end), (first, last) = self._times[place - 1 : place + 1], self._cpu[place - 1 : place + 1]
        share = min(max((moment - start) / max(end - start, 1), 0.0), 1.0)
        return first + share * (last - first)


def kernels_of(path: Path, clock: CpuClock, marked: int) -> Any:
    """The name, type and CPU seconds of each kernel in a profile, without those of kernels inside it."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    lines = [
        [
            (plane.event_metadata[each.metadata_id].name, line.timestamp_ns + each.offset_ps / 1000, each.duration_ps)
            for each in line.events
        ]
        for plane in space.planes
        for line in plane.lines
    ]
    shift = marked - next(start for line in lines for name, start, _ in line if name == MARK)
    for line in lines:
        above: list[list[Any]] = []  # kernels that have not ended: name, type, end, seconds
        kernels = [(start, -length, name) for name, start, length in line if re.fullmatch(r"[^: ]+:_?[A-Z]\w*", name)]
        for start, negative, name in sorted(kernels):
            ends = start - negative / 1000
            while above and above[-1][2] <= start:
                ended = above.pop()
                yield ended[0], ended[1], ended[3]
            seconds = (clock.at(ends + shift) - clock.at(start + shift)) / 1e9
            if above:
                above[-1][3] -= seconds
            above.append([*name.split(":"), ends, seconds])
        for rest in above:
            yield rest[0], rest[1], rest[3]


def group(name: str, kind: str, layers: Mapping[str, str]) -> str:
    """The group of a kernel, by its type, or else by the layer or optimizer in its name."""
    kind = re.sub(r"^_?(Mkl)?(Native)?(Fused(?!BatchNorm))?|(WithBias|Ex)?(V\d)?$", "", kind)  # oneDNN's and fused ones
    if kind in PRODUCTS:
        return PRODUCTS[kind]
    parts = name.split("/")
    layer = next((LAYERS[found] for part in parts if (found := layers.get(re.sub(r"_\d+$", "", part))) in LAYERS), None)
    if layer == "batch normalization" and "gradient_tape" in parts:
        return "batch normalization, gradient"
    if layer or kind in KINDS:
        return layer or KINDS[kind]
    if any(re.match("sgd|SGD", part) for part in parts):
        return "optimizer"
    unnamed = re.fullmatch(r"(StatefulPartitionedCall/)?(mul|sub|add)(_\d+)?", name)
    if unnamed and kind in ("Mul", "Sub", "Add") and any("silu" in each for each in layers):  # its gradient
        return "activation"
    return "other kernels"


# ---- the tables ------------------------------------------------------------------------------------------------------


def bound(ours: Mapping[str, float], fit: Mapping[str, float]) -> float:
    """How many times as fast as `fit` a step would be if everything but convolutions and products took no time."""
    return fit["step"] / sum(ours.get(each, 0.0) for each in PRODUCTS.values())


def report(title: str, ours: Mapping[str, float], fit: Mapping[str, float]) -> str:
    """Print the groups of a network. Returns its row for docs/training.md: ms of archspec / of `fit`."""
    print(f"\n{title}: ms of CPU time per step\n  {'':42}{'archspec':>10}{'fit':>10}")
    groups = sorted({*ours, *fit} - {"step"}, key=lambda each: -max(ours.get(each, 0), fit.get(each, 0)))
    for each in ["step", *groups]:
        print(f"  {each:42}{ours.get(each, 0):10.1f}{fit.get(each, 0):10.1f}")
    print(f"  {fit['step'] / ours['step']:.2f} times as fast as fit, at most {bound(ours, fit):.2f}", flush=True)
    cells = [f"{ours['step']:.0f} / {fit['step']:.0f}"]
    for names in COLUMNS.values():
        mine, its = (sum(found.get(each, 0.0) for each in set(names)) for found in (ours, fit))
        cells.append(f"{mine:.0f} / {its:.0f}" if max(mine, its) >= 0.5 else "")
    return f"| {title} | {' | '.join(cells)} | {bound(ours, fit):.2f} |"


def heading() -> str:
    """Of the table."""
    columns = ["network", "step", *COLUMNS, "at most"]
    return f"| {' | '.join(columns)} |\n|---{'|---:' * (len(columns) - 1)}|"
