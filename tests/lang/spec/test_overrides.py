"""`--set`: params, the input, sections by a dotted path; what does not fit is said without a file to point at."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec import api
from archspec.diagnostics import ArchspecError, render
from archspec.lang.spec.overrides import parse_settings
from archspec.wording import command_line

SPEC = """
name: net
input: [$size, $size, 3]
params: {classes: 10, size: 8, width: $(2 * classes), rates: [0.1, 0.2], flag: false}
layers:
  - {relu: , when: $flag}
  - flatten
  - dense: $width
  - dropout: $(rates[-1])
  - dense: $classes
train:
  epochs: $(3 * classes)
  optimizer: {sgd: 0.1}
  schedule: cosine
"""


def load(tmp_path: Path, *texts: str, **settings: Any) -> api.Network:
    spec = tmp_path / "net.yaml"
    spec.write_text(SPEC, encoding="utf-8")
    return api.load(str(spec), **parse_settings(texts), **settings)


def error(tmp_path: Path, *texts: str, **settings: Any) -> str:
    with command_line(), pytest.raises(ArchspecError) as raised:
        use(tmp_path, *texts, **settings)
    return render(raised.value.diagnostics[0])


def use(tmp_path: Path, *texts: str, **settings: Any) -> None:
    network = load(tmp_path, *texts, **settings)
    network.graph()
    _ = network.recipe, network.protocol


def test_a_setting_changes_a_param_and_what_derives_from_it(tmp_path: Path) -> None:
    network = load(tmp_path, "classes=7")
    assert [node.shape for node in network.graph().layers] == [(192,), (14,), (14,), (7,)]
    assert network.recipe.epochs == 21


def test_a_setting_may_be_an_expression_over_the_others(tmp_path: Path) -> None:
    network = load(tmp_path, "width=$(classes + size)", "size=4")
    assert network.graph()["dense"].shape == (14,)
    assert network.graph().input_shape == (4, 4, 3)


def test_the_input_can_be_set_as_a_whole(tmp_path: Path) -> None:
    assert load(tmp_path, "input=[5, 7, 2]").graph()["flatten"].shape == (70,)


def test_values_are_yaml(tmp_path: Path) -> None:
    assert parse_settings(["a=1e-4", "b=on", "c=010", "d=[1, ~]", "e=~", "f='1'", "g={x: 1}", "h=a=b"]) == {
        "a": 1e-4,
        "b": "on",
        "c": 10,
        "d": [1, None],
        "e": None,
        "f": "1",
        "g": {"x": 1},
        "h": "a=b",
    }
    assert "relu" in [node.path for node in load(tmp_path, "flag=true").graph().nodes]


def whole(network: api.Network) -> object:
    return network.graph(), network.recipe


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("train.epochs=", "`--set train.epochs=` has no value", "train.epochs=~"),  # as of a shell variable not set
        ("train={epochs: 3}", "`train` is a section of the spec", "`--recipe FILE`"),
        ("evaluate=9", "`evaluate` is a section of the spec", "`--set evaluate.KEY=VALUE`"),
        ("train.learning_rate=0.1", "`train` has no key `learning_rate`", "train.optimizer.sgd.learning_rate="),
        ("train.lr=0.1", "`train` has no key `lr`", "train.optimizer.sgd.learning_rate="),
        ("train.optimizer.momentum=0.1", "there is no optimizer `momentum`", "train.optimizer.sgd.momentum="),
        ("train.optimizer.adam.lr=0.1", "`adam` has no argument `lr`", "did you mean `learning_rate`?"),
        ("train.schedule.step.epochs=3", "`epochs` of `step` must be a list", "write `epochs: [3]`"),
        ("epochs=3", "has no parameter `epochs`", "`--set train.epochs=...`"),
        ("preprocess=[scale: 2]", "has no parameter `preprocess`", "edit a copy of the spec"),
        ("train.augment=~", "`augment` must be a list, but is empty", "write `[]` for an empty list"),
        ("train.warmup=5", "`warmup` must be a mapping", "`warmup: {epochs: 5}`"),
        ("train.early_stopping=true", "`early_stopping` must be a mapping", "`early_stopping: {monitor: val_loss"),
    ],
)
def test_a_wrong_setting_is_answered_with_the_right_one(tmp_path: Path, text: str, message: str, help: str) -> None:
    with command_line(), pytest.raises(ArchspecError) as caught:
        whole(load(tmp_path, text))
    (found,) = caught.value.diagnostics
    assert message in found.message
    assert help in (found.help or "")


def test_a_contradiction_that_a_setting_made_does_not_point_at_the_spec(tmp_path: Path) -> None:
    with pytest.raises(ArchspecError) as caught:
        _ = load(tmp_path, "train.schedule=step").recipe
    (found,) = caught.value.diagnostics
    assert "`step` needs `epochs` or `iterations`" in found.message
    assert found.span is None


def test_sections_are_reached_by_a_dotted_path(tmp_path: Path) -> None:
    texts = [
        "train.epochs=5",
        "train.optimizer.sgd.momentum=0.8",
        "train.schedule.cosine.alpha=0.1",
        "train.warmup.epochs=2",
    ]
    recipe = load(tmp_path, *texts, "evaluate.resize=9").recipe
    assert recipe.epochs == 5
    assert (recipe.optimizer.learning_rate, vars(recipe.optimizer)["momentum"]) == (0.1, 0.8)
    assert vars(recipe.schedule) == {"alpha": 0.1}
    assert recipe.warmup is not None
    assert recipe.warmup.epochs == 2
    assert load(tmp_path, "evaluate.resize=9").protocol.resize == 9


def test_another_head_takes_the_place_of_the_one_on_the_spec(tmp_path: Path) -> None:
    schedule = load(tmp_path, "train.schedule.step.epochs=[3, 6]").recipe.schedule
    assert (schedule.name, vars(schedule)["epochs"]) == ("step", (3, 6))
    optimizer = load(tmp_path, "train.optimizer.adam=0.003").recipe.optimizer
    assert (optimizer.name, optimizer.learning_rate) == ("adam", 0.003)


def test_numbers_of_python_and_numpy_are_numbers(tmp_path: Path) -> None:
    for ten in (np.int64(10), np.uint8(10), 10):
        assert load(tmp_path, classes=ten).graph().output_shape == (10,)
    assert load(tmp_path, input=(np.int32(4), 4, 1)).graph().input_shape == (4, 4, 1)
    assert load(tmp_path, rates=(Fraction(1, 4), np.float32(0.5))).graph()["dropout"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes", "error[setting]: `--set classes` is not NAME=VALUE"),
        ("=3", "error[setting]: `--set =3` is not NAME=VALUE"),
        ("clases=3", "error[unknown-parameter]: `net` has no parameter `clases`\n   = help: did you mean `classes`?"),
        ("trian.epochs=3", "error[unknown-parameter]: `net` has no parameter `trian.epochs`"),
        ("train.epoch=3", "error[unknown-key]: `train` has no key `epoch`\n   = help: did you mean `epochs`?"),
        ("train.epochs=0", "error[wrong-value]: `epochs` must be at least 1, but is `0`"),
        ("train.epochs=many", "error[wrong-type]: `epochs` must be an integer, but is `many`"),
        ("train.epochs.first=1", "error[wrong-type]: `epochs` must be an integer, but is a mapping"),
        ("train.optimizer.sgdd.momentum=0", "error[unknown-optimizer]: there is no optimizer `sgdd`"),
        ("train.optimizer=adagrad2", "error[unknown-optimizer]: there is no optimizer `adagrad2`"),
        ("train.epochs=$clases", "error[expression-name]: the name `clases` is not defined here"),
        ("width=$clases", "error[expression-name]: parameter `width`: the name `clases` is not defined here"),
        ("width=$(1 / 0)", "error[division-by-zero]: parameter `width`: division by zero"),
        ("classes=$width", "error[parameter-cycle]: the parameter `"),
        ("classes={a: 1}", "error[setting]: `classes` cannot be set to a mapping"),
        ("classes=[1", "error[yaml-syntax]: invalid YAML: did not find expected ',' or ']'"),
        ("classes=&x 3", "error[anchor]: `&x`: YAML anchors and aliases are not supported"),
        ("classes=1e30", "error[number-too-large]: this number is larger than 10^18"),
        ("input=5", "error[input]: `input` must be a list of 1 to 4 positive integers, but is `5`"),
        ("input=[8, 0, 3]", "error[input]: `input` must be a list of 1 to 4 positive integers, but is [8, 0, 3]"),
    ],
)
def test_a_setting_that_does_not_fit(tmp_path: Path, text: str, message: str) -> None:
    assert error(tmp_path, text).startswith(message)


def test_a_value_that_does_not_fit_its_layer_is_shown_at_the_layer(tmp_path: Path) -> None:
    shown = error(tmp_path, "classes=-3")
    assert shown.startswith("error[wrong-value]: `units` of `dense` must be at least 1, but is `-6`\n")
    assert "net.yaml:8:12" in shown


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"ten", 1j, math.inf, math.nan, pytest.param(10**400, id="10^400"), [10**19]]
)
def test_a_value_of_python_that_no_spec_can_hold(tmp_path: Path, value: Any) -> None:
    assert error(tmp_path, classes=value).startswith("error[setting]: `classes` cannot be set to ")
