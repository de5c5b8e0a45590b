"""Whatever a spec says, archspec checks it or shows a mistake, in bounded time: never a traceback.

Specs that are shipped or that stand among the examples are broken in every way: lines, words and characters deleted,
doubled, moved and replaced, parts of the tree put elsewhere, random text and random trees.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from archspec import api
from archspec.diagnostics import ArchspecError, Source, render
from archspec.lang.document.nodes import plain
from archspec.lang.document.yaml_parser import parse_document
from archspec.lang.schema.spec_schema import spec_schema
from archspec.lang.schema.structures import MODIFIERS
from archspec.ops import OPS
from tests.examples.specs import BAD, GOOD

SECONDS = 20
"""CPU time that a spec may take: far above what the limits of the language allow on a slow machine."""

SHIPPED = ("alexnet", "conv1d", "googlenet", "lenet", "mlp", "resnet", "resnet-digits", "vgg")
TEXTS = [api.read_spec(family).text for family in SHIPPED]
TEXTS += [spec.read_text(encoding="utf-8-sig") for spec in (*GOOD, *BAD) if spec.stat().st_size < 3000]
TREES = []
for _text in TEXTS:
    try:
        TREES.append(plain(parse_document(Source("spec.yaml", _text))))
    except ArchspecError:
        continue

HEADS = [*OPS, "row", "residual", "unit", "conv_bn", "basic", "$unit", "input"]
KEYS = [*spec_schema()["properties"], *MODIFIERS, "args", "inputs", "body", "project", "shortcut", "value", "filters"]
ODD = [
    "$",
    "$(",
    "$x",
    "$channels",
    "$(1/0)",
    "$(copy)",
    "$shape",
    "$call",
    "&a",
    "*a",
    "!!str",
    "- ",
    ": ",
    "<<",
    "---",
]
ODD += [
    "'",
    '"',
    "|",
    ">",
    "%",
    "@",
    "`",
    "#",
    "?",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\t",
    "\r",
    "\0",
    "\x85",
    "\ufeff",
    "é",
    "😀",
]
NUMBERS = ["0", "1", "-1", "2.5", "1e999", "9" * 30, "1" + "0" * 17, "0x10", ".5", "1000000"]
WORDS = st.sampled_from([*HEADS, *KEYS, *ODD, *NUMBERS, "~", "true", "no", "", "same", "pad", "none"])


def examine(text: str, folder: Path) -> None:
    """What `archspec check` and `archspec summarize` do with a spec; anything but an ArchspecError fails the test."""
    spec = folder / "spec.yaml"
    spec.write_text(text, encoding="utf-8", errors="surrogatepass")
    started = time.process_time()
    found = api.check(str(spec))
    for diagnostic in found:
        assert "\n\n" not in render(diagnostic)
        json.dumps(diagnostic.to_json())
    if not found:
        for network in api.networks(str(spec)):
            network.resolved_text()
    assert time.process_time() - started < SECONDS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("specs")


def thoroughly(number: int) -> settings:
    return settings(max_examples=number, suppress_health_check=[HealthCheck.too_slow])


# ---- text ----------------------------------------------------------------------------------------------------------

CHANGES = st.tuples(
    st.sampled_from(["delete", "double", "swap", "cut", "word", "insert", "indent"]),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    WORDS,
)


def changed(text: str, kind: str, here: int, there: int, word: str) -> str:
    """The text with one line, word or character changed; `here` and `there` are taken modulo what there is."""
    lines = text.split("\n")
    i, j = here % len(lines), there % len(lines)
    if kind == "delete":
        del lines[i]
    elif kind == "double":
        lines.insert(j, lines[i])
    elif kind == "swap":
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == "indent":
        lines[i] = " " * (there % 9) + lines[i].lstrip()
    elif kind == "word":
        words = lines[i].split(" ")
        words[there % len(words)] = word
        lines[i] = " ".join(words)
    text = "\n".join(lines)
    at = here % (len(text) + 1)
    if kind == "cut":
        return text[:at] + text[at + there % 30 :]
    return text[:at] + word + text[at:] if kind == "insert" else text


@given(text=st.sampled_from(TEXTS), changes=st.lists(CHANGES, min_size=1, max_size=4))
@thoroughly(300)
def test_broken_specs(folder: Path, text: str, changes: list[tuple[str, int, int, str]]) -> None:
    for change in changes:
        text = changed(text, *change)
    examine(text, folder)


@given(text=st.lists(WORDS | st.text(max_size=3), max_size=60).map(" ".join))
@example(text="name: a\ninput: [3]\nlayers: [" + "{residual: {body: [" * 15 + "relu" + "]}}" * 15 + "]")
@example(text="name: a\ninput: [3]\nlayers: [" + "{row: [" * 30 + "relu" + "]}" * 30 + "]\nvariants: [A]")
@thoroughly(150)
def test_random_text(folder: Path, text: str) -> None:
    examine(text, folder)


# ---- trees ---------------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers(-3, 70) | st.floats(allow_nan=False) | WORDS
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a tree."""
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, value in inside for place in places(value, (*path, key)))]


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The tree with another value at a path."""
    if not path:
        return value
    first, *rest = path
    if isinstance(tree, dict):
        return {key: replaced(each, tuple(rest), value) if key == first else each for key, each in tree.items()}
    return [replaced(each, tuple(rest), value) if i == first else each for i, each in enumerate(tree)]


def renamed(tree: Any, path: tuple[Any, ...], word: str) -> Any:
    """The tree with another key at a path, if it ends in a key."""
    *above, last = path
    parent = at(tree, tuple(above))
    if not isinstance(parent, dict):
        return tree
    return replaced(tree, tuple(above), {word if key == last else key: each for key, each in parent.items()})


@st.composite
def trees(draw: st.DrawFn) -> Any:
    """A spec whose parts were replaced by random values, by parts of this or other specs, or renamed."""
    tree = draw(st.sampled_from(TREES))
    for _ in range(draw(st.integers(1, 3))):
        paths = places(tree)
        path = paths[draw(st.integers(0, 10_000)) % len(paths)]
        kind = draw(st.sampled_from(["value", "value", "own", "foreign", "key"]))
        if kind == "key" and path:
            tree = renamed(tree, path, draw(WORDS))
            continue
        if kind == "value":
            value = draw(VALUES)
        else:
            other = tree if kind == "own" else draw(st.sampled_from(TREES))
            others = places(other)
            value = at(other, others[draw(st.integers(0, 10_000)) % len(others)])
        tree = replaced(tree, path, value)
    return tree


def written(tree: Any) -> str:
    return yaml.dump(tree, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, allow_unicode=True)


@given(tree=trees())
@thoroughly(300)
def test_specs_with_parts_replaced(folder: Path, tree: Any) -> None:
    examine(written(tree), folder)


@given(
    tree=st.fixed_dictionaries(
        {"name": st.just("net"), "input": st.just([8, 6, 4]), "layers": VALUES | st.lists(VALUES)}
    )
)
@thoroughly(150)
def test_random_layers(folder: Path, tree: Any) -> None:
    examine(written(tree), folder)
