"""Verify an export: load it in a fresh process without archspec, and compare its outputs with those of the model."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.export.check_images import CheckImages, batch_size
from archspec.runtime.export.child_process import ChildFailedError, run_program
from archspec.runtime.export.export_format import ENCODED, PIXELS, ExportFormat, Signature
from archspec.runtime.export.network import ExportedNetwork
from archspec.runtime.models.finite_weights import not_finite_layers

TOLERANCE = {"float32": 1e-5, "float16": 1e-2, "bfloat16": 2e-2}
"""Largest difference of the outputs of classifiers, in units of the largest output where that is above 1, by precision.
Probabilities of networks with layers of 16 bits differ because fused operations round differently: float16 rounds a
logit of 20 by up to 2^-11 x 20 = 0.01, and a probability changes by up to a quarter of that, in each of several
layers."""
TOLERANCE_OF_VALUES = 1e-4
"""Largest difference of other outputs (numbers, maps, features) in float32, in units of the largest value of each.

No softmax makes their differences small, and a sum of large numbers may cancel to a small one. Rounding of deep
networks reaches some 1e-5, and a wrong epsilon or padding 1e-3. `torch.onnx` allows 1e-3 of each value."""
ZERO = float(np.finfo(np.float32).tiny)
"""Smaller values are denormal, and count as zero: many kernels flush them."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Latency:
    """Seconds of one call with a batch, in the process without archspec."""

    batch: int
    median: float
    p95: float
    cpu: float
    """Median of the CPU time of the process, over all threads."""

    @property
    def images_per_second(self) -> float:
        """At the median."""
        return self.batch / self.median


@dataclass(frozen=True)
class Verification:
    """What a fresh process without archspec computed with an export, compared with the model."""

    images: str
    """What they are: `256 images of digits`."""
    largest_difference: float
    """Of all outputs: of classes in units of the largest output where that is above 1, of values in units of the
    largest value."""
    top1_agreement: float | None
    """Share of equal decisions: of the images the most likely class, of several labels each label of each image; None
    for numbers and other values."""
    top1: float | None
    """Top-1 accuracy of the export; None without labels."""
    model_top1: float | None
    """Top-1 accuracy of the model on the same images."""
    load_seconds: float
    """Time to load the export, imports included."""
    latencies: tuple[Latency, ...]
    slowdown: float | None = None
    """Time at batch 1 in units of that of the plain export, by the fastest of interleaved rounds in one process, which
    other programs on the machine disturb least: the smaller of latency and CPU time. None for a plain export."""
    differences: Mapping[str, float] = field(default_factory=dict)
    """The largest difference of each output, by its name."""

    def to_json(self) -> dict[str, Any]:
        return {
            "images": self.images,
            "largest_difference": self.largest_difference,
            "differences": dict(self.differences),
            "top1_agreement": self.top1_agreement,
            "top1": self.top1,
            "model_top1": self.model_top1,
            "load_seconds": self.load_seconds,
            "latency": [
                {
                    "batch": each.batch,
                    "median_seconds": each.median,
                    "p95_seconds": each.p95,
                    "cpu_seconds": each.cpu,
                    "images_per_second": each.images_per_second,
                }
                for each in self.latencies
            ],
            "slowdown": self.slowdown,
        }


@dataclass(frozen=True)
class Reference:
    """The inputs, and the outputs of the model for them by their names, the main one first; and the features."""

    images: CheckImages
    outputs: Mapping[str, Array]
    batch: int
    """Samples that are computed together."""

    @classmethod
    def of(cls, network: ExportedNetwork, images: CheckImages) -> Reference:
        """Compute them with the trained model in this process. Raises ArchspecError (`not-finite`)."""
        found: dict[str, list[Array]] = {name: [] for name in network.output_shapes}
        batch = batch_size(network)
        for start in range(0, len(images), batch):
            for name, value in network.values(images.inputs[start : start + batch]).items():
                found[name].append(np.asarray(value))
        outputs = {name: np.concatenate(each) for name, each in found.items()}
        _check_finite(network, images, outputs)
        return cls(images, outputs, batch)


def _check_finite(network: ExportedNetwork, images: CheckImages, outputs: Mapping[str, Array]) -> None:
    """Raises ArchspecError (`not-finite`) where the trained network itself gives NaN or infinite values."""
    wrong = {name: ~np.isfinite(each.reshape(len(each), -1)).all(axis=1) for name, each in outputs.items()}
    name = next((name for name, rows in wrong.items() if rows.any()), None)
    if name is None:
        return
    row = int(wrong[name].argmax())
    notes = not_finite_layers(network.whole, network.arguments(network.whole, images.inputs[row : row + 1]))
    raise fail(
        "not-finite",
        f"the network gives NaN or infinite values in `{name}` for {wrong[name].sum()} of {images.source}, "
        "before any export",
        notes=notes,
        help="repair the network, or export it without the comparison by `--no-verify`",
    )


def verify(
    writer: ExportFormat,
    network: ExportedNetwork,
    signatures: Mapping[str, Signature],
    reference: Reference,
    folder: Path,
    *,
    plain: Path | None = None,
    tolerance: float,
    batches: Sequence[int] | None = None,
    threads: int = 0,
) -> Verification:
    """Run every function of the export in `folder` on all images, and compare it with the reference.

    Args:
        plain: another export of the same network and format, whose speed is measured in the same rounds.
        tolerance: largest difference of the outputs; infinite for int8, which is judged by its top-1 accuracy.
        batches: sizes whose latency is measured; by default 1 and that of the reference.
        threads: of the process; 0 for the library's default.

    Raises:
        ArchspecError: `export-differs`, or `export-fails` where it cannot be loaded or run.
    """
    with tempfile.TemporaryDirectory() as scratch:
        inputs, outputs = Path(scratch) / "inputs.npz", Path(scratch) / "outputs.npz"
        np.savez(inputs, **_inputs(signatures, reference.images))
        request = {
            "runner": str(writer.runner),
            "folders": [str(each.absolute()) for each in (folder, plain) if each is not None],
            "inputs": str(inputs),
            "outputs": str(outputs),
            "functions": list(signatures),
            "batch": reference.batch,
            "batches": list(batches or dict.fromkeys((1, reference.batch))),
            "threads": threads,
        }
        try:
            result = run_program(Path(__file__).parent / "runners" / "measure.py", request)
            with np.load(outputs, allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in arrays.files}
        except (ChildFailedError, OSError) as error:
            raise fail(
                "export-fails",
                f"the exported network cannot be run in a fresh process: {error}",
                help="nothing was written; please report this with the spec of the network",
            ) from error
    if result["archspec"]:
        raise AssertionError("the verifying process imported archspec")
    differences = _differences(network, reference, found)
    wrong = [name for name, each in differences.items() if not each <= _allowed(network, name, tolerance)]
    if wrong:
        raise _differs({name: differences[name] for name in wrong}, tolerance)
    times = result["times"]
    compared = times.pop("compared", None)
    main = network.decisions(found[f"serving_default/{network.output}"])
    before, labels = network.decisions(reference.outputs[network.output]), reference.images.labels
    return Verification(
        images=reference.images.source,
        largest_difference=max(differences.values()),
        top1_agreement=None if main is None else float((main == before).mean()),
        top1=None if labels is None else float((main == labels).mean()),
        model_top1=None if labels is None else float((before == labels).mean()),
        load_seconds=result["load_seconds"],
        latencies=tuple(Latency(int(batch), row["median"], row["p95"], row["cpu"]) for batch, row in times.items()),
        slowdown=_slowdown(*compared) if compared else None,
        differences=_by_output(differences),
    )


def _differs(differences: Mapping[str, float], tolerance: float) -> ArchspecError:
    """The error of an export whose outputs differ too much, by the worst of them."""
    worst = max(differences, key=lambda name: np.inf if np.isnan(differences[name]) else differences[name])
    size = f" by up to {differences[worst]:.1e}" if np.isfinite(differences[worst]) else ""
    fact = f"the outputs of the exported network differ from those of the trained one{size} in `{worst}`"
    help = "please report this with the spec of the network"
    if np.isnan(differences[worst]):
        fact = f"the exported network gives NaN or infinite values in `{worst}`, and the trained one does not"
    if TOLERANCE["float32"] < tolerance < np.inf:
        help = "16 bits are too few for this network, so use float32"
    return fail("export-differs", fact, help=f"nothing was written; {help}")


def _slowdown(this: Mapping[str, float], plain: Mapping[str, float]) -> float:
    """An export counts as slower only where both clocks say so: on a busy machine each alone may be wrong."""
    return min(this[clock] / plain[clock] for clock in ("fastest", "fastest_cpu") if plain[clock] > 0)


def _inputs(signatures: Mapping[str, Signature], images: CheckImages) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, signature in signatures.items():
        if signature.content == ENCODED:
            found[f"{name}.bytes"] = np.frombuffer(b"".join(images.encoded), np.uint8)
            found[f"{name}.lengths"] = np.array(list(map(len, images.encoded)))
        else:
            found[name] = images.pixels if signature.content == PIXELS else images.inputs
    return found


def _differences(network: ExportedNetwork, reference: Reference, found: Mapping[str, Array]) -> dict[str, float]:
    """The largest difference of each output of each function, `serving_default/mask`, in units of its scale."""
    expected = reference.outputs
    differences = {}
    for name, values in found.items():
        function, _, output = name.partition("/")
        if function == "serve_images" and network.ranks_classes:
            if output == "probabilities":
                by_class = _in_order(found[f"{function}/classes"], values, network.class_names)
                differences[name] = _largest(network.as_probabilities(expected[network.output]), by_class, 1.0)
        else:
            least = 1.0 if output in network.of_classes else 0.0
            differences[name] = _largest(expected[output], values, least)
    return differences


def _allowed(network: ExportedNetwork, name: str, tolerance: float) -> float:
    """How much an output of a function, `serving_default/mask`, may differ; `tolerance` is that of classes."""
    ranked = name == "serve_images/probabilities" and network.ranks_classes
    of_classes = ranked or name.partition("/")[2] in network.of_classes
    return tolerance if of_classes else max(tolerance, TOLERANCE_OF_VALUES)


def _by_output(differences: Mapping[str, float]) -> dict[str, float]:
    """The largest difference of each output, of all functions."""
    found: dict[str, float] = {}
    for name, each in differences.items():
        output = name.partition("/")[2]
        found[output] = max(each, found.get(output, 0.0))
    return found


def _in_order(classes: Array, values: Array, names: Sequence[str]) -> Array:
    """Values sorted by probability -> by the order of the classes."""
    place = {name: number for number, name in enumerate(names)}
    found = np.full(values.shape, np.nan)
    for row, (sorted_names, sorted_values) in enumerate(zip(classes, values, strict=True)):
        found[row, [place[str(name)] for name in sorted_names]] = sorted_values
    return found


def _largest(expected: Array, values: Array, least: float) -> float:
    """The largest difference, in units of the largest expected value, but at least of `least`.

    NaN where a value is NaN or infinite; infinite where the shapes differ, or only the expected values are all zero.
    """
    if expected.shape != values.shape:
        return float("inf")
    if not np.isfinite(values).all():
        return float("nan")
    scale = max(least, _greatest(expected))
    if scale < ZERO:
        return 0.0 if _greatest(values) < ZERO else float("inf")
    return _greatest(np.subtract(expected, values, dtype=np.float64)) / scale


def _greatest(values: Array) -> float:
    return float(np.abs(values).max(initial=0))


def tolerance_of(network: ExportedNetwork, precision: str) -> float:
    """The largest difference that the classes of an export of this precision may have."""
    if precision == "int8":
        return float("inf")
    return max(TOLERANCE[precision], *(TOLERANCE.get(layer.compute_dtype, 1e-5) for layer in network.whole.layers))
