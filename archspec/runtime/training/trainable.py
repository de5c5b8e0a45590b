"""The interface of a network that can be trained; `archspec.Network` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from archspec.diagnostics import Diagnostic
from archspec.graph.ir import Graph
from archspec.lang.recipes.recipe import EvaluationRecipe, Recipe

if TYPE_CHECKING:
    import keras


class Trainable(Protocol):
    """A network with its recipe: `archspec.Network`."""

    @property
    def name(self) -> str: ...
    @property
    def reference(self) -> str: ...
    @property
    def recipe(self) -> Recipe: ...
    @property
    def protocol(self) -> EvaluationRecipe: ...
    @property
    def preprocess(self) -> tuple[Any, ...]: ...
    def graph(self) -> Graph: ...
    def build(self) -> keras.Model: ...
    def resolved_text(self) -> str: ...
    def warnings(self, side: int | None = None) -> list[Diagnostic]: ...
