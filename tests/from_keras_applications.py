"""All models of keras.applications to pages and back: `python -m tests.from_keras_applications [NAME...]`.

For each: the lines of the page, and the largest difference of the logits, relative to the largest logit, between the
model with random weights and statistics and the network of its page with the same weights. Exit status 1 if one is
beyond the limit.
"""

from __future__ import annotations

import os
import sys
import time

from archspec.diagnostics import Source
from archspec.runtime.quiet import import_tensorflow

LIMIT = 1e-5
SMALLEST = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}


def main(names: list[str]) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import_tensorflow()
    import keras
    import numpy as np

    from archspec.graph.compile import compile_spec
    from archspec.lang.spec import parse
    from archspec.runtime.build import build_model
    from archspec.runtime.from_keras import page_of
    from archspec.runtime.keras_graph import keras_graph
    from archspec.runtime.weights.applications import functions
    from archspec.runtime.weights.keras_units import model_slots, model_units
    from archspec.runtime.weights.skeleton import by_graph
    from tests.weights.random_weights import randomize

    failed = 0
    print(f"{'model':20} {'lines':>5} {'layers':>6} {'parameters':>12} {'max difference':>15} {'s':>6}")
    for name in names or sorted(functions()):
        start = time.monotonic()
        side = SMALLEST.get(name, 65)
        model = functions()[name](weights=None, input_shape=(side, side + 6, 3), classes=10, classifier_activation=None)
        randomize(model)
        text = page_of(model)
        again = build_model(compile_spec(parse(Source("page.yaml", text))))
        one, other = keras_graph(again), keras_graph(model)
        matching = by_graph(one, model_slots(one), other, model_units(other))
        assert matching is not None, f"the graph of {name} is another"
        for slot, unit in matching.pairs:
            for variable, tensor in zip(slot.variables, unit.tensors, strict=True):
                variable.assign(tensor.read().reshape(variable.shape))
        x = np.random.default_rng(0).uniform(0, 255, (2, side, side + 6, 3)).astype("float32")
        expected, found = np.asarray(model(x)), np.asarray(again(x))
        difference = np.abs(expected - found).max() / np.abs(expected).max()
        failed += not difference <= LIMIT
        row = f"{name:20} {text.count(chr(10)):5} {len(model.layers):6} {model.count_params():12,} {difference:15.1e}"
        print(f"{row} {time.monotonic() - start:6.1f}", flush=True)
        keras.backend.clear_session()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
