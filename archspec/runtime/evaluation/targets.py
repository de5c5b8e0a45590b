"""The models to evaluate, and the protocols of each: from the command line, from the spec, or the central crop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from archspec.diagnostics import ArchspecError, Diagnostic, Source
from archspec.graph.compile.parameters import parameters
from archspec.lang.recipes.crop_share import small_crop
from archspec.lang.recipes.recipe import EvaluationRecipe, Recipe, evaluation_recipe
from archspec.lang.spec.overrides import section
from archspec.lang.spec.spec import parse
from archspec.ops.base import Shape
from archspec.protocols import PROTOCOLS, Protocol
from archspec.protocols.center import Center
from archspec.protocols.dense import DenseEvaluation
from archspec.runtime.models.metadata import Metadata


@dataclass(frozen=True)
class Target:
    """A model file, a run directory or saved predictions, and its own protocol if it has one."""

    path: Path
    protocol: Protocol | None = None

    @property
    def is_predictions(self) -> bool:
        """Whether the path names saved predictions."""
        return self.path.suffix == ".npz"

    @classmethod
    def parse(cls, text: str | Path) -> Target:
        """`runs/a`, or `runs/a:ten-crop`. A path that exists with the colon has no protocol."""
        path, colon, name = str(text).rpartition(":")
        protocol = PROTOCOLS.get(name) if colon and not Path(text).exists() else None
        return cls(Path(path), protocol.make({})) if protocol else cls(Path(text))


def protocols_of(
    target: Target, metadata: Metadata, input_shape: Shape, protocols: Sequence[Protocol] | None
) -> Sequence[Protocol]:
    """The protocol of the target, or else `protocols`: () is the first of the model's spec, None all of them.

    Without any, the central crop, or the whole image where the network's input is free.
    """
    if target.protocol is not None:
        return (target.protocol,)
    if protocols:
        return protocols
    free = len(input_shape) == 3 and None in input_shape
    of_spec = spec_protocols(metadata) or (DenseEvaluation(flip=False) if free else Center(),)
    return of_spec if protocols is None else of_spec[:1]


def small_views(input_shape: Shape, metadata: Metadata, protocols: Sequence[Protocol]) -> Iterator[Diagnostic]:
    """A warning where a protocol crops a small part of images that are resized as the spec says."""
    central = [each for each in protocols if each.central and getattr(each, "size", None) is None]
    found = small_crop(input_shape, Recipe(), EvaluationRecipe(metadata.resize)) if central else None
    if found:
        yield replace(found, help=f"`--protocol '{central[0].name}: {min(side or 0 for side in input_shape[:2])}'`")


def spec_protocols(metadata: Metadata) -> tuple[Protocol, ...]:
    """The protocols under `evaluate: {protocols: ...}` in the spec of a model file."""
    if metadata.spec is None:
        return ()
    try:
        spec = parse(Source("archspec.json", metadata.spec))
        return evaluation_recipe(section(spec.document, "evaluate", {}, parameters(spec, None, {}))).protocols
    except ArchspecError:  # of another version of the language
        return ()
