"""The settings of a training run, which run.json keeps so that the run can be resumed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.lang.recipes.recipe import Recipe, recipe_json
from archspec.lang.recipes.recipe import recipe as recipe_of


@dataclass(frozen=True)
class TrainConfig:
    """The options of `train` that determine the result, besides the network and the devices."""

    data: str
    recipe: Recipe
    seed: int = 0
    validation_split: float | None = None
    skip_bad_images: bool = False
    init_from: str | None = None
    init_map: Sequence[str] = ()
    checkpoint_every: str | None = None
    deterministic: bool = False

    def to_json(self) -> dict[str, Any]:
        shallow = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**shallow, "recipe": recipe_json(self.recipe)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrainConfig:
        """From the contents of run.json. Raises KeyError, TypeError, ValueError or AttributeError."""
        given = {field.name: data[field.name] for field in dataclasses.fields(cls)}
        return cls(**{**given, "recipe": recipe_of(data["recipe"])})

    @property
    def data_arguments(self) -> tuple[str, ...]:
        """The arguments of `evaluate` that name the run's validation images."""
        found = ["--data", self.data]
        if self.validation_split is not None:
            found += ["--validation-split", f"{self.validation_split:g}", "--seed", str(self.seed)]
        return (*found, *(["--skip-bad-images"] if self.skip_bad_images else []))
