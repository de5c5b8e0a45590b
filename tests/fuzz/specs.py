"""Specs changed as trees: nodes swapped, repeated, deleted, nested and replaced in every section, then as text."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from archspec import api
from archspec.declare import arguments
from archspec.diagnostics import ArchspecError, Source
from archspec.lang.document.nodes import plain
from archspec.lang.document.yaml_parser import parse_document
from archspec.lang.schema.spec_schema import spec_schema
from archspec.ops import OPS
from tests.examples.specs import BAD, GOOD
from tests.fuzz.family import Family
from tests.fuzz.mutate import mutated
from tests.fuzz.spec_values import HUGE, TEXTS, WORDS, Json, expression, known_keys, odd_value

RICH = """
name: rich
input: [16, 16, 3]
variants: {A: {width: 8, depth: 2}, B: {width: 16, depth: 3, rate: 0.1}}
default: A
params: {width: 8, depth: 1, rate: 0.5, classes: 10, sizes: [4, 8, 16]}
blocks:
  unit:
    args: [filters, stride: 1, rate: $rate]
    inputs: [left, right]
    layers:
      - {add: ~, from: [left, right]}
      - residual:
          body: [conv: {filters: $filters, kernel_size: 3, strides: $stride, padding: same}, bn, relu]
          project: [conv: {filters: $filters, kernel_size: 1, strides: $stride}]
          shortcut: project
      - dropout: "$(rate * copy / 4 if call > 1 else rate)"
  stem: {layers: [conv: {filters: $width, kernel_size: 3, padding: same}, bn, relu]}
layers:
  - {name: start, stem: ~}
  - {name: other, stem: ~, from: input}
  - {name: stage, unit: {filters: "$(2 * width)"}, from: [start, other]}
  - {name: deep, conv: {filters: "$(sizes[1])", padding: same}, repeat: $depth, first: {strides: 2}}
  - row: [relu, gelu]
  - concat: {a: [conv: {filters: 4, padding: same}], b: [maxpool: {pool_size: 1}], c: []}
  - {name: aux, relu: ~, when: $(depth > 1)}
  - flatten
  - {name: main, dense: $classes}
  - softmax
preprocess: [normalize: {mean: [120, 120, 120], std: [60, 60, 60]}]
train:
  epochs: 3
  batch_size: 32
  optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9, weight_decay: 0.0001}}
  schedule: {piecewise_constant_decay: {boundaries: [1, 2], values: [0.1, 0.01, 0.001]}}
  warmup: {epochs: 1}
  augment: [random_flip, {random_shift: {pixels: 2}}, {cutout: {size: 4}}]
  init: {"**": he_normal, main: zeros}
  freeze: ["start/**"]
  rate_multipliers: {"main": 2.0}
  label_smoothing: 0.1
  early_stopping: {patience: 3}
evaluate: {protocols: [center, ten-crop], resize: 20}
expect: {params: {A: 16.7K, B: 22.9K}}
"""
SMALL = 3000


@cache
def _trees() -> tuple[list[Json], list[Json]]:
    """The small specs and the large ones, as plain values."""
    texts = [RICH, *(api.read_spec(family).text for family in api.families())]
    texts += [path.read_text(encoding="utf-8-sig", errors="replace") for path in (*GOOD, *BAD)]
    found: tuple[list[Json], list[Json]] = ([], [])
    for text in texts:
        try:
            tree = plain(parse_document(Source("spec.yaml", text)))
        except ArchspecError:
            continue
        found[len(text) > SMALL].append(tree)
    found[0].extend([plain(parse_document(Source("rich.yaml", RICH)))] * (len(found[0]) // 3))
    return found


def _places(tree: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inside:
        yield from _places(value, (*path, key))


def _at(tree: Json, path: tuple[Any, ...]) -> Json:
    for key in path:
        tree = tree[key]
    return tree


def _changed(random: Random, tree: Json) -> Json:
    """The tree with one change; the tree itself is changed."""
    places = [path for path in _places(tree) if path]
    if not places:
        return odd_value(random)
    path = random.choice(places)
    *above, key = path
    parent = _at(tree, tuple(above))
    kind = random.randrange(14)
    if kind == 0:
        del parent[key]
    elif kind == 1:
        if isinstance(parent, list):
            parent[key:key] = [copy.deepcopy(parent[key]) for _ in range(random.choice((1, 1, 3, 200)))]
        else:
            parent[f"{key}2"] = copy.deepcopy(parent[key])
    elif kind == 2:
        others = [each for each in places if each[: len(path)] != path and path[: len(each)] != each]
        if others:
            other = random.choice(others)
            there = _at(tree, other[:-1])
            parent[key], there[other[-1]] = there[other[-1]], parent[key]
    elif kind == 3:
        for _ in range(random.choice((1, 2, 5, 70))):
            parent[key] = [parent[key]] if random.random() < 0.5 else {random.choice(known_keys()): parent[key]}
    elif kind == 4 and isinstance(parent, dict):
        items = list(parent.items())
        parent.clear()
        word = random.choice([*known_keys(), *WORDS])
        parent.update({word if each == key else each: value for each, value in items})
    elif kind == 5:
        trees = _trees()[0]
        source = random.choice(trees)
        parent[key] = json.loads(json.dumps(_at(source, random.choice(list(_places(source))))))
    elif kind == 6 and isinstance(parent, dict):
        parent[random.choice(known_keys())] = odd_value(random)
    elif kind == 7 and isinstance(parent, list):
        head = random.choice(list(OPS))
        known = [argument.name for argument in arguments(OPS[head])] or known_keys()
        given = {random.choice(known): odd_value(random) for _ in range(random.randint(0, 3))}
        parent.insert(key, {head: given, **({"repeat": random.choice(HUGE)} if random.random() < 0.2 else {})})
    elif kind == 8:
        parent[key] = f"$({expression(random)})"
    elif kind == 9:
        section = random.choice(list(spec_schema()["properties"]))
        if isinstance(tree, dict):
            tree[section] = odd_value(random)
    elif kind == 10 and isinstance(parent[key], (int, float)):
        parent[key] = random.choice(HUGE)
    elif kind == 11:
        words = _names(tree)
        parent[key] = random.choice(words or WORDS)
    else:
        parent[key] = odd_value(random)
    return tree


def _names(tree: Json) -> list[str]:
    return [each for path in _places(tree) if isinstance(each := _at(tree, path), str)]


def _written(random: Random, tree: Json) -> str:
    if random.random() < 0.5:
        return json.dumps(tree, ensure_ascii=random.random() < 0.5)
    if isinstance(tree, dict) and random.random() < 0.1:
        tree["blocks"] = tree.get("layers")  # as an alias
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(tree, Dumper=dumper, sort_keys=False, allow_unicode=True))


def _changed_text(random: Random, text: str) -> str:
    lines = text.split("\n")
    at = random.randrange(len(lines))
    kind = random.randrange(7)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines[at:at] = [lines[at]] * random.choice((1, 3, 1000))
    elif kind == 2:
        lines[at] = " " * random.randrange(9) + lines[at].lstrip()
    elif kind == 3:
        words = re.split(r"(\W)", lines[at])
        words[random.randrange(len(words))] = random.choice([*WORDS, *map(str, HUGE)])
        lines[at] = "".join(words)
    else:
        place = random.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:place] + random.choice(TEXTS) * random.choice((1, 1, 1, 500)) + lines[at][place:]
    return "\n".join(lines)


def make(random: Random) -> bytes:
    """A spec with 1 to 4 changes of its tree, and sometimes changes of its text and bytes."""
    small, large = _trees()
    tree = json.loads(json.dumps(random.choice(large if large and random.random() < 0.08 else small)))
    for _ in range(random.choice((1, 1, 2, 2, 3, 6))):
        tree = _changed(random, tree)
    text = _written(random, tree)
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        text = _changed_text(random, text)
    contents = text.encode("utf-8", "surrogatepass")
    return mutated(random, contents, 3) if random.random() < 0.05 else contents


def examine(file: Path) -> Iterator[object]:
    """What the static commands do with a spec."""
    found = api.check(str(file))
    yield [json.dumps(each.to_json()) + str(each) for each in found]
    if any(each.severity == "error" for each in found):
        return
    network = next(api.networks(str(file)))
    yield api.summarize(network).render("json")
    yield api.summarize(network, depth=1).render()
    yield network.resolved_text()
    yield api.diff(network, network).render()
    yield api.plan(network).render()


FAMILIES = [Family("specs", ".yaml", make, examine, weight=10)]
