"""All models of keras.applications to specs and back.

python -m tests.runtime.from_keras.applications             all of them (five minutes), write docs/keras.md's table
python -m tests.runtime.from_keras.applications VGG16 ...   these only, write nothing

Each gets random weights and statistics; those of the model are put into the network of its spec, and the logits of two
random images must agree. Exit status 1 if a difference is beyond the limit.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import Source
from archspec.graph.compile.compiler import compile_spec
from archspec.lang.spec.spec import parse
from archspec.runtime.system.tensorflow_import import import_tensorflow

LIMIT = 1e-5
"""Largest difference between two logits that passes, as a share of the largest logit."""
SIDE = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}
"""Of the input, where the smallest that a function takes is more than 65."""
DOCUMENT = Path(__file__).parents[3] / "docs" / "keras.md"
TABLE = re.compile(r"(?<=table of python -m tests.runtime.from_keras.applications -->\n)(\|.*\n)*")


class Row(NamedTuple):
    """A model, and how its spec compares."""

    name: str
    layers: int
    lines: int
    difference: float

    def text(self) -> str:
        return f"| `{self.name}` | {self.layers:,} | {self.lines} | {self.difference:.1g} |"


def compare(name: str) -> Row:
    """Build a model, write its spec, build that with the weights of the model, and compare the logits."""
    import keras
    import numpy as np

    from archspec.runtime.from_keras import spec_of
    from archspec.runtime.models.build import build_model
    from archspec.runtime.models.keras_graph import keras_graph
    from archspec.runtime.weights.applications import functions
    from archspec.runtime.weights.keras_units import model_slots, model_units
    from archspec.runtime.weights.structure import by_graph
    from tests.runtime.weights.random_weights import randomize

    side = SIDE.get(name, 65)
    shape = (side, side + 6, 3)
    model = randomize(functions()[name](weights=None, input_shape=shape, classes=10, classifier_activation=None))
    text = spec_of(model)
    again = build_model(compile_spec(parse(Source("page.yaml", text))))
    one, other = keras_graph(again), keras_graph(model)
    matching = by_graph(one, model_slots(one), other, model_units(other))
    assert matching is not None, f"the graph of {name} is another"
    for slot, unit in matching.pairs:
        for variable, tensor in zip(slot.variables, unit.tensors, strict=True):
            variable.assign(tensor.read().reshape(variable.shape))
    x = np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype("float32")
    expected, found = np.asarray(model(x)), np.asarray(again(x))
    row = Row(name, len(model.layers), text.count("\n"), float(np.abs(expected - found).max() / np.abs(expected).max()))
    keras.backend.clear_session()
    return row


def main(names: list[str]) -> int:
    import_tensorflow()
    from archspec.runtime.weights.applications import functions

    rows = []
    for name in names or sorted(functions()):
        start = time.monotonic()
        rows.append(compare(name))
        print(f"{rows[-1].text()} {time.monotonic() - start:.1f} s", flush=True)
    if not names:
        head = ["| function | layers of the model | lines of the spec | difference |", "|---|---:|---:|---:|"]
        table = "\n".join([*head, *(row.text() for row in rows)]) + "\n"
        DOCUMENT.write_text(TABLE.sub(lambda _: table, DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    return int(any(not row.difference <= LIMIT for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
