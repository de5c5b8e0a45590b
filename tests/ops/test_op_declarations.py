"""What every operator declares, without Keras."""

import dataclasses
import pickle

import pytest
from jsonschema import Draft7Validator

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


def make(op: type[Op], given: object) -> Op:
    return op.make(given)  # type: ignore[arg-type]
