"""A field of a section is declared once: schema, reading, writing and summaries follow."""

from __future__ import annotations

import json
from dataclasses import dataclass

import jsonschema
import pytest

from archspec.declare import NATURAL, POSITIVE_NUMBER, arg, declared
from archspec.lang.declarations import (
    list_of,
    one_key_fields,
    one_of,
    optional_section,
    read_section,
    section_schema,
    sections_inside,
    summaries,
    write_section,
)
from archspec.lang.recipes.optimizers import OPTIMIZERS, Sgd
from archspec.lang.recipes.recipe import Recipe
from archspec.lang.recipes.schedules import Warmup
from archspec.lang.schema.spec_schema import eager
from archspec.transforms import TRANSFORMS


@declared
class LargerRecipe(Recipe):
    """`train:` with an option more, and one of each form."""

    mixing_epochs: int = arg(NATURAL, "epochs of mixup", 0, "mixup for {} epochs")
    second_optimizer: Sgd = arg(one_of(OPTIMIZERS), "of the last layer", Sgd())
    pause: Warmup | None = arg(optional_section(Warmup, "a second warm-up"), "a second warm-up", None, Warmup.summary)
    late_augment: tuple[object, ...] = arg(list_of(TRANSFORMS), "after mixup", ())


SECTION = {
    "batch_size": 64,
    "mixing_epochs": 3,
    "second_optimizer": {"sgd": 0.5},
    "pause": {"iterations": 7},
    "late_augment": ["random_flip", {"cutout": 8}],
    "early_stopping": None,
}


def test_a_new_option_is_read_written_and_named_in_the_summary() -> None:
    recipe = read_section(LargerRecipe, SECTION)
    assert (recipe.mixing_epochs, recipe.second_optimizer) == (3, Sgd(learning_rate=0.5))
    assert recipe.early_stopping is None
    written = write_section(recipe)
    assert written["second_optimizer"]["sgd"]["learning_rate"] == 0.5
    assert written["pause"]["iterations"] == 7
    assert [list(each) for each in written["late_augment"]] == [["random_flip"], ["cutout"]]
    assert read_section(LargerRecipe, written) == recipe
    first, *_, mixing, pause = summaries(recipe)
    assert (first, mixing, pause) == ("batches of 64", "mixup for 3 epochs", "warm-up for 7 updates")


def test_a_new_option_is_in_the_schema() -> None:
    schema = json.loads(json.dumps(section_schema(LargerRecipe, "the recipe"), default=eager))
    assert schema["properties"]["mixing_epochs"]["description"] == "epochs of mixup (default: 0)"
    validator = jsonschema.Draft7Validator(schema)
    validator.check_schema(schema)
    validator.validate(SECTION)
    for wrong in ({"mixing_epochs": -1}, {"second_optimizer": "sdg"}, {"pause": {"epoch": 1}}, {"late_augment": ["x"]}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(wrong)
    assert {"second_optimizer", "optimizer"} <= set(one_key_fields(LargerRecipe))
    assert set(sections_inside(LargerRecipe)) == {"warmup", "early_stopping", "pause"}


def test_a_value_that_is_not_set_is_not_in_the_summary() -> None:
    @dataclass(frozen=True)
    class Section:
        scale: float | None = arg(POSITIVE_NUMBER, "a scale", None, "scale {:g}")
        name: str = arg({"type": "string"}, "a name", "plain", lambda name: "" if name == "plain" else name)

    assert list(summaries(Section())) == []
    assert list(summaries(Section(2.5, "other"))) == ["scale 2.5", "other"]
