"""What every operator declares, without Keras."""

import dataclasses
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from jsonschema import Draft7Validator

from archspec import plugins
from archspec.declare import arguments
from archspec.ops import OPS, Op

EVERY = pytest.mark.parametrize("op", OPS.values(), ids=OPS)


@EVERY
def test_it_says_what_it_is_and_what_it_does_to_shapes(op: type[Op]) -> None:
    doc = op.__doc__ or ""
    assert doc.split("\n")[0].endswith((".", ":", ","))
    assert "Shapes:" in doc
    if any(make(op, given).weights(*inputs) for given, inputs in op.examples):
        assert "Weights:" in doc


@EVERY
def test_each_argument_says_what_it_means(op: type[Op]) -> None:
    for argument in arguments(op):
        assert len(argument.doc) > 3, argument.name
        assert not argument.doc.endswith("."), argument.name


@EVERY
def test_examples_and_defaults_follow_the_schema(op: type[Op]) -> None:
    declared = {argument.name: argument for argument in arguments(op)}
    assert op.examples
    for given, _ in op.examples:
        for name, value in given.items():
            Draft7Validator(declared[name].schema).validate(value)
    for argument in declared.values():
        if not argument.required:
            Draft7Validator(argument.schema).validate(argument.default)


@EVERY
def test_every_argument_has_an_example_with_another_value(op: type[Op]) -> None:
    for argument in arguments(op):
        values = [example[argument.name] for example, _ in op.examples if argument.name in example]
        assert any(value != argument.default for value in values), argument.name


@EVERY
def test_no_example_has_equal_sizes(op: type[Op]) -> None:
    """A mix-up of two axes would not show."""
    for _, inputs in op.examples:
        for shape in inputs:
            sizes = [size for size in shape if size not in (None, 1)]
            assert len(set(sizes)) == len(sizes), shape


@EVERY
def test_it_is_frozen_data(op: type[Op]) -> None:
    made = make(op, op.examples[-1][0])
    assert pickle.loads(pickle.dumps(made)) == made
    assert hash(made) == hash(make(op, op.examples[-1][0]))
    for field in dataclasses.fields(made):  # type: ignore[arg-type]
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, field.name, None)


def test_two_modules_cannot_declare_the_same_operator() -> None:
    with pytest.raises(TypeError, match="`conv` is declared twice"):
        type("Other", (Op,), {"name": "conv", "__module__": "somewhere.else"})


def test_a_plugin_that_cannot_be_imported_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise ImportError("no module named nowhere")

    broken = SimpleNamespace(name="gate", value="gates:Gate", dist=SimpleNamespace(name="keras-gates"), load=load)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [broken])
    monkeypatch.setattr(plugins, "named_groups", lambda: frozenset({"archspec.ops"}))
    fact = "the operator `gate` of the package `keras-gates` is left out: ImportError: no module named nowhere"
    with pytest.warns(UserWarning, match=fact):
        plugins.load_plugins("archspec.ops", "operator")


PLUGIN = """
from dataclasses import dataclass
from archspec.declare import NUMBER, arg
from archspec.ops import Op

@dataclass(frozen=True)
class Gain(Op):
    name = "gain"
    factor: float = arg(NUMBER, "factor")
"""


def test_an_operator_from_another_package_needs_no_fork(tmp_path: Path) -> None:
    (tmp_path / "gains.py").write_text(PLUGIN)
    metadata = tmp_path / "gains-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: gains\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[archspec.ops]\ngain = gains\n")
    script = "from archspec.ops import OPS; print(OPS['gain'].make({'factor': 3}))"
    for path, expected in (
        (str(tmp_path), "Gain(factor=3)\n"),
        ("", ""),
    ):  # without the package there is no such operator
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, [path]), *sys.path])}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        assert done.stdout == expected, done.stderr


def make(op: type[Op], given: object) -> Op:
    return op.make(given)  # type: ignore[arg-type]
