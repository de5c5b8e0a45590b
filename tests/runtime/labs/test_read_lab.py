"""Lab files: those that come with archspec, and errors that point at the line."""

from __future__ import annotations

import pytest

from archspec import ArchspecError, load
from archspec.diagnostics import Diagnostic, Source
from archspec.runtime.labs.lab import LabArm
from archspec.runtime.labs.read_lab import check_arms, experiments, lab_names, lab_source, read_lab

GOOD = """\
name: small
claim: Two units are better than one
source: lecture
seconds: 1
data: digits
networks:
  net:
    input: [8, 8, 1]
    params: {units: 1}
    layers: [flatten, dense: $units, relu, dense: 10, softmax]
train: {epochs: 1}
arms:
  one: {network: net}
  two: {network: net, set: {units: 2}}
compare:
  - {first: two, second: one}
"""


def errors(text: str) -> tuple[Diagnostic, ...]:
    source = Source("lab.yaml", text)
    with pytest.raises(ArchspecError) as raised:
        check_arms(read_lab(source), source, load)
    return raised.value.diagnostics


def test_a_lab_is_read_with_its_defaults() -> None:
    source = Source("lab.yaml", GOOD)
    lab = read_lab(source)
    check_arms(lab, source, load)
    assert lab.arms["two"] == LabArm(network="net", set={"units": 2})
    assert (lab.seeds, list(lab.tests), lab.compare[0].measure) == (3, ["test images"], "accuracy")


@pytest.mark.parametrize(
    ("old", "new", "line", "code", "message"),
    [
        ("claim: Two units are better than one\n", "", 1, "missing-key", "this lab has no `claim`"),
        ("source: lecture", "sauce: lecture", 3, "unknown-key", "a lab has no key `sauce`"),
        ("seconds: 1", "seconds: soon", 4, "wrong-type", "`seconds` must be a number, but is `soon`"),
        ("data: digits", "data: letters", 5, "wrong-value", "`data` cannot be `letters`"),
        ("dense: $units", "dens: $units", 10, "unknown-operator", "no operator or block `dens`"),
        ("dense: 10", "dense: $units_of", 10, "expression-name", "units_of"),
        ("epochs: 1", "epoch: 1", 11, "unknown-key", "has no key `epoch`"),
        ("one: {network: net}", "one: {network: nett}", 13, "unknown-family", "there is no family `nett`"),
        ("one: {network: net}", "one: {set: {}}", 13, "missing-key", "`one` has no `network`"),
        ("set: {units: 2}", "set: {unit: 2}", 14, "unknown-parameter", "`unit`"),
        ("set: {units: 2}", "set: {train.epochs: none}", 14, "wrong-type", "`epochs`"),
        ("set: {units: 2}", "set: {units: 0}", 10, "wrong-value", "`units` of `dense`"),
        ("compare:", "scales: {tiny: {set: {unit: 2}}}\ncompare:", 15, "unknown-parameter", "`unit`"),
        ("second: one", "second: three", 16, "lab", "there is no arm `three`"),
        ("second: one", "beyond: shifted", 16, "lab", "there is no test condition `shifted`"),
        ("second: one", "measure: accuracy", 16, "lab", "this comparison has one side only"),
        ("compare:\n  - {first: two, second: one}\n", "", 12, "lab", "this lab compares nothing"),
        ("data: digits", "data: digits\ncode: im2col", 6, "lab", "a lab has `arms` or `code`, not both"),
        ("network: net}", "network: net, init_from: two}", 13, "lab", "which is no arm before it"),
        ("arms:", "tests: {far: {protocol: ten-crops}}\narms:", 12, "unknown-protocol", "ten-crops"),
        ("arms:", "tests: {far: {identity_layers: {fc: 1}}}\narms:", 12, "deepen", "no relu matches `fc`"),
    ],
)
def test_an_error_points_at_its_line(old: str, new: str, line: int, code: str, message: str) -> None:
    assert old in GOOD
    found = errors(GOOD.replace(old, new, 1))
    assert [each.code for each in found][:1] == [code], found
    assert message in found[0].message
    assert found[0].span is not None
    assert (found[0].span.source.name, found[0].span.line) == ("lab.yaml", line)


def test_a_spec_is_no_lab() -> None:
    messages = {each.message for each in errors("name: net\ninput: [8, 8, 1]\nlayers: [flatten]\n")}
    assert {"this lab has no `claim`", "a lab has no key `layers`"} <= messages


@pytest.mark.parametrize("name", lab_names())
def test_labs_of_archspec_are_well_formed(name: str) -> None:
    source = lab_source(name)
    lab = read_lab(source)
    check_arms(lab, source, load)
    assert lab.name == name
    assert "tiny" in lab.scales
    assert lab.seconds < 240
    assert not lab.claim.endswith(".")


def test_every_experiment_belongs_to_a_lab() -> None:
    assert set(experiments()) <= {read_lab(lab_source(name)).code for name in lab_names()}


def test_a_misspelt_lab_is_named() -> None:
    with pytest.raises(ArchspecError, match="did you mean `mlp-vs-cnn`"):
        lab_source("mlp-vs-cn")
