"""From the outputs of a network to those of `serve_images`, as the signature of that name in a SavedModel has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.serve.models.tensor_spec import Outputs, TensorSpec
from archspec.targets import TARGETS

CLASSES, PROBABILITIES = "classes", "probabilities"
MOST_VALUES = 1000
"""Of an output of one image that is shown to people."""


@dataclass(frozen=True)
class AnswerOutputs:
    """What `serve_images` returns of one network.

    Attributes:
        main: the specs of the outputs of `serving_default`.
        class_names: of the classes.
        kind: of the target: `classes`, `binary` or `multi-label`; empty for other outputs, and for several.
    """

    main: Mapping[str, TensorSpec]
    class_names: tuple[str, ...]
    kind: str = "classes"

    @classmethod
    def of(
        cls, main: Mapping[str, TensorSpec], class_names: Sequence[str], targets: Sequence[Any] | None
    ) -> AnswerOutputs:
        """For the `targets` of export.json: None for plain classes, and empty where the outputs have no known meaning.

        Raises:
            KeyError, TypeError: for targets that archspec did not write.
        """
        kind = "classes" if targets is None else str(targets[0]["kind"]) if len(targets) == 1 else ""
        if kind and not TARGETS[kind].shares:
            kind = ""
        return cls(main, tuple(class_names), kind)

    @property
    def specs(self) -> Mapping[str, TensorSpec]:
        """Of the outputs."""
        if not self.kind:
            return self.main
        shape = (None, len(self.class_names))
        return {CLASSES: TensorSpec("string", shape), PROBABILITIES: TensorSpec("float32", shape)}

    def __call__(self, outputs: Outputs) -> Outputs:
        """The classes by probability, (B, classes) each, the most likely first; or the outputs by their names."""
        if not self.kind:
            return outputs
        name = next(iter(self.main))
        scores = outputs[name] if name == PROBABILITIES else _activated(outputs[name], self.kind)
        if self.kind == "binary":
            scores = np.concatenate([1 - scores, scores], axis=-1)
        order = np.argsort(-scores, axis=-1, kind="stable")
        probabilities = np.take_along_axis(scores, order, axis=-1).astype(np.float32)
        return {CLASSES: np.asarray(self.class_names, object)[order], PROBABILITIES: probabilities}


def _activated(logits: npt.NDArray[Any], kind: str) -> npt.NDArray[Any]:
    """Probabilities of logits (B, units)."""
    with np.errstate(over="ignore"):
        if kind != "classes":
            return np.asarray(1 / (1 + np.exp(-logits)))
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def answer_rows(outputs: Outputs, top: int) -> list[dict[str, Any]]:
    """For people: the `top` most likely classes of each image, or the values of its outputs by name.

    Outputs of more than MOST_VALUES values, such as maps, are only named.
    """
    if outputs.keys() != {CLASSES, PROBABILITIES} or outputs[CLASSES].dtype.kind == "f":
        rows = len(next(iter(outputs.values())))
        shown = {name: value for name, value in outputs.items() if value[0].size <= MOST_VALUES}
        found = {"not_shown": _not_shown(outputs, shown)} if len(shown) < len(outputs) else {}
        return [
            {"outputs": {name: value[row].tolist() for name, value in shown.items()}, **found} for row in range(rows)
        ]
    pairs = zip(outputs[CLASSES][:, :top].tolist(), outputs[PROBABILITIES][:, :top].tolist(), strict=True)
    return [
        {"classes": [{"class": name, "probability": share} for name, share in zip(names, shares, strict=True)]}
        for names, shares in pairs
    ]


def _not_shown(outputs: Outputs, shown: Outputs) -> str:
    """`mask has 64 x 64 x 2 values, which only the API under /v1 returns`."""
    large = [
        f"{name} has {' x '.join(map(str, value.shape[1:]))} values"
        for name, value in outputs.items()
        if name not in shown
    ]
    return f"{' and '.join(large)}, which only the API under /v1 returns"
