"""What accuracy costs: MACs, parameters and measured time of small networks (Canziani et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.labs.lab_data import some_of

if TYPE_CHECKING:
    from archspec.runtime.labs.context import LabContext
    from archspec.runtime.labs.lab import Lab
    from archspec.runtime.labs.result import LabResult

NEAR = 10.0
"""Points of accuracy."""
CORRELATION = 0.8


@dataclass(frozen=True)
class NetworkCost:
    """Of one network."""

    name: str
    accuracy: float
    """On the test images, the mean over the seeds, percent."""
    macs: int
    params: int
    seconds: float
    """Of one image, in a batch."""


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Spearman's coefficient: the correlation of the ranks; equal values share the mean of their ranks."""
    ranks = []
    for values in (np.asarray(first), np.asarray(second)):
        _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        last = np.cumsum(counts)
        ranks.append((last - (counts - 1) / 2)[place])
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def last_points(costs: Sequence[NetworkCost]) -> tuple[NetworkCost, NetworkCost]:
    """The most accurate network, and the fastest one that is at most NEAR points worse."""
    best = max(costs, key=lambda each: each.accuracy)
    return best, min((each for each in costs if each.accuracy >= best.accuracy - NEAR), key=lambda each: each.seconds)


def run(lab: Lab, context: LabContext) -> LabResult:
    """Train the networks, measure their speed, and compare the ranks."""
    from archspec.runtime.inference_speed import images_per_second
    from archspec.runtime.labs.result import LabResult

    network = context.networks["small"]
    names = [str(name) for name in context.options["networks"]]
    train, test = (context.arrays(split) for split in ("train", "validation"))
    settings: dict[str, Any] = {"classes": int(train[1].max()) + 1}
    batch, epochs = int(context.options["batch"]), int(context.options["epochs"])
    data = context.dataset("train", lambda: (train, some_of(test)))
    graphs = {name: context.load(f"{network}:{name}", **settings).graph() for name in names}
    correct: dict[str, list[Any]] = {}
    for name in names:
        for seed in context.seeds:
            context.note(f"{name}, seed {seed}")
            run = context.train(f"{network}:{name}", name=name, seed=seed, data=data, epochs=epochs, **settings)
            correct.setdefault(name, []).append(context.classes(run, test[0]) == test[1])
    context.note("measuring the time of an image")

    def speeds() -> dict[str, Any]:
        """The best of three rounds over all networks: another program makes them slower, never faster."""
        rounds = [[images_per_second(graphs[name], [batch])[0] for name in names] for _ in range(3)]
        return {"images_per_second": np.max(rounds, axis=0)}

    speed = context.finished("speed", speeds)["images_per_second"]
    costs = [
        NetworkCost(
            name, 100 * float(np.mean(correct[name])), graphs[name].macs or 0, graphs[name].params, 1 / float(each)
        )
        for name, each in zip(names, speed, strict=True)
    ]
    times = [each.seconds for each in costs]
    by_macs = rank_correlation(times, [each.macs for each in costs])
    by_params = rank_correlation(times, [each.params for each in costs])
    best, near = last_points(costs)
    true = by_macs >= CORRELATION and by_macs > by_params and best.seconds >= 2 * near.seconds
    return LabResult(
        columns=("network", "test accuracy (%)", "MACs (millions)", "parameters (thousands)", "time of an image (ms)"),
        rows=tuple(
            (each.name, each.accuracy, each.macs / 1e6, each.params / 1e3, 1e3 * each.seconds)
            for each in sorted(costs, key=lambda each: each.seconds)
        ),
        verdict="reproduced" if true else "not seen at this scale",
        reason=(
            f"the rank correlation of time is {by_macs:.2f} with MACs and {by_params:.2f} with parameters; {best.name} "
            f"takes {best.seconds / near.seconds:.1f} times as long as {near.name} for "
            f"{best.accuracy - near.accuracy:.1f} points more"
        ),
        figures=(draw(context.out / "cost.png", lab.claim, costs),),
    )


def draw(path: Path, title: str, costs: Sequence[NetworkCost]) -> Path:
    """Accuracy over MACs, with the parameters as areas (Figure 2 of the paper), and time over MACs (Figure 3)."""
    from archspec.runtime.labs.figure_style import COLORS, figure, label_points

    kinds = list(dict.fromkeys(each.name.partition("-")[0] for each in costs))
    with figure(path, title, xlabel="operations of an image (million MACs)", columns=2) as panels:
        left, right = panels.flat
        accuracies, times, radii = {}, {}, {}
        for each in costs:
            color = COLORS[kinds.index(each.name.partition("-")[0]) % len(COLORS)]
            macs, time, area = each.macs / 1e6, 1e3 * each.seconds, each.params / 400
            left.scatter(macs, each.accuracy, s=area, color=color, alpha=0.45, linewidths=0)
            right.plot(macs, time, "o", color=color)
            accuracies[each.name] = (macs, each.accuracy, color)
            times[each.name], radii[each.name] = (macs, time, color), float(np.sqrt(area / np.pi))
        left.set(xscale="log", ylabel="test accuracy (%)")
        left.set_title("area: parameters", loc="left", fontsize=16)
        right.set(xscale="log", yscale="log", ylabel="time of an image (ms)")
        for axes in (left, right):
            axes.margins(0.18)
        label_points(left, accuracies, radii, size=13)
        label_points(right, times, size=13)
    return path
