"""Every value of a wrong type or size gets a remedy, at every place of a spec."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from archspec.declare import arguments
from archspec.lang.recipes.recipe import ONE_KEY, EvaluationRecipe, Recipe
from archspec.lang.schema.messages import fact
from archspec.lang.schema.other_names import of_the_recipe
from archspec.lang.schema.spec_schema import QUANTITIES, spec_schema
from archspec.lang.schema.structures import MODIFIERS
from archspec.lang.schema.validator import mistakes
from archspec.ops import OPS
from archspec.protocols import PROTOCOLS
from archspec.transforms import TRANSFORMS

WRONG: list[Any] = [True, None, -(10**9), 10**9, 0.5, "zzz", "", [], [[]], [True], ["zzz"], [1] * 9, {}, {"zzz": []}]


def specs() -> Iterator[dict[str, Any]]:
    """Specs with one wrong value each, or none where the value is right."""
    families = {"layers": OPS, "preprocess": TRANSFORMS}
    for section, family in families.items():
        for name, declared in family.items():
            for wrong in WRONG:
                yield {section: [{name: wrong}]}
                for argument in arguments(declared):
                    yield {section: [{name: {argument.name: wrong}}]}
    for name, declared in PROTOCOLS.items():
        for wrong in WRONG:
            yield {"evaluate": {"protocols": [{name: wrong}]}}
            for argument in arguments(declared):
                yield {"evaluate": {"protocols": [{name: {argument.name: wrong}}]}}
    for option, choices in ONE_KEY.items():
        for name, chosen in choices.items():
            for wrong in WRONG:
                yield {"train": {option: {name: wrong}}}
                for argument in arguments(chosen):
                    yield {"train": {option: {name: {argument.name: wrong}}}}
    for wrong in WRONG:
        yield from ({"train": {field.name: wrong}} for field in arguments(Recipe))
        yield from ({"train": {field.name: [wrong]}} for field in arguments(Recipe))
        yield from ({"evaluate": {field.name: wrong}} for field in arguments(EvaluationRecipe))
        yield from ({section: wrong} for section in spec_schema()["properties"])
        yield from ({"layers": [{word: wrong, "relu": None}]} for word in MODIFIERS)
        yield from ({"layers": [{"residual": {word: wrong}}]} for word in ("body", "project", "shortcut"))
        yield from ({"blocks": {"a": {word: wrong}}} for word in ("args", "inputs", "layers"))
        yield from ({"expect": {word: wrong}} for word in QUANTITIES)
        yield {"layers": [{"residual": wrong}]}
        yield {"layers": [{"row": wrong}]}
        yield {"train": {"warmup": {"epochs": wrong}}}
        yield {"variants": {"A": wrong}}
        yield {"variants": {"A": {"x": wrong}}}


def test_every_wrong_value_gets_a_remedy() -> None:
    without = set()
    number = 0
    for spec in specs():
        for mistake in mistakes(spec, spec_schema()):
            if mistake.rule in ("additionalProperties", "propertyNames", "required"):
                continue
            number += 1
            _, message, help = fact(mistake)
            if help is None:
                without.add(f"{message}  {mistake.path}")
    assert number > 3000
    assert sorted(without) == []


@pytest.mark.parametrize(
    ("spec", "remedy"),
    [
        ({"layers": [{"residual": ["relu"]}]}, "write `residual: {body: [relu]}`"),
        ({"layers": [{"dropout": 50}]}, "for 50 percent, write `0.5`"),
        ({"layers": [{"dropout": {"rate": 20}}]}, "for 20 percent, write `0.2`"),
        ({"train": {"schedule": ["cosine"]}}, "write `schedule: cosine`"),
        ({"train": {"schedule": [{"cosine": {"alpha": 0.1}}]}}, "write `schedule: {cosine: {alpha: 0.1}}`"),
        ({"evaluate": ["ten-crop"]}, "write `evaluate: {protocols: [ten-crop]}`"),
        ({"evaluate": "dense"}, "write `evaluate: {protocols: [dense]}`"),
        ({"train": {"augment": "random_flip"}}, "write `augment: [random_flip]`"),
        ({"train": {"freeze": "conv1/**"}}, "write `freeze: [conv1/**]`"),
        ({"train": {"warmup": 5}}, "write `warmup: {epochs: 5}`"),
        ({"train": {"label_smoothing": 10}}, "for 10 percent, write `0.1`"),
    ],
)
def test_the_value_is_written_in_the_form_that_fits(spec: dict[str, Any], remedy: str) -> None:
    (mistake,) = mistakes(spec, {**spec_schema(), "if": {}, "then": {}})  # without the required keys
    assert fact(mistake)[2] == remedy


@pytest.mark.parametrize("empty", [None, [], {}])
def test_an_empty_argument_may_be_left_out_for_its_default(empty: object) -> None:
    spec = {"train": {"optimizer": {"sgd": {"learning_rate": empty}}}}
    (mistake,) = mistakes(spec, {**spec_schema(), "if": {}, "then": {}})  # without the required keys
    assert str(fact(mistake)[2]).endswith("leave it out for the default, 0.01")


@pytest.mark.parametrize(
    ("optimizer", "named"), [(100, "sgd"), (True, "sgd"), ("adam", "adam"), ({"adam": {}}, "adam")]
)
def test_a_rate_beside_an_optimizer_of_any_type_goes_into_it(optimizer: object, named: str) -> None:
    text = of_the_recipe("learning_rate", (), "train", ("train",), {"optimizer": optimizer, "learning_rate": 0.1})
    assert f"`optimizer: {{{named}: {{learning_rate: ...}}}}`" in (text or "")
