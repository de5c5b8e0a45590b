"""What is evaluated, and by which protocols: of the command line, of the page, or the centre crop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from archspec.diagnostics import ArchspecError, Diagnostic, Source
from archspec.graph.compile.parameters import parameters
from archspec.lang.recipes.crop_share import small_crop
from archspec.lang.recipes.evaluation_recipe import EvaluationRecipe, evaluation_recipe
from archspec.lang.recipes.recipe import Recipe
from archspec.lang.spec import overrides as settings
from archspec.lang.spec.spec import parse
from archspec.ops.base import Shape
from archspec.protocols import PROTOCOLS, Protocol
from archspec.protocols.center import Center
from archspec.protocols.dense import Dense
from archspec.runtime.models.metadata import Metadata


@dataclass(frozen=True)
class Member:
    """A model file, a run directory or saved predictions, and its own protocol if it has one."""

    path: Path
    protocol: Protocol | None = None

    @property
    def predicted(self) -> bool:
        """Whether these are predictions that were saved."""
        return self.path.suffix == ".npz"

    @classmethod
    def parse(cls, text: str | Path) -> Member:
        """`runs/a`, or `runs/a:ten-crop`; a path that exists as it is has no protocol."""
        path, colon, name = str(text).rpartition(":")
        protocol = PROTOCOLS.find(name) if colon and not Path(text).exists() else None
        if protocol:
            return cls(Path(path), protocol.make({}))
        return cls(Path(text))


def protocols_of(
    member: Member, metadata: Metadata, input_shape: Shape, protocols: Sequence[Protocol] | None
) -> Sequence[Protocol]:
    """Its own, or else those given; () stands for the first of its page, None for all of them.

    Without any it is the centre crop, or the whole image where the input is free.
    """
    if member.protocol is not None:
        return (member.protocol,)
    if protocols:
        return protocols
    free = len(input_shape) == 3 and None in input_shape
    of_page = page_protocols(metadata) or (Dense(flip=False) if free else Center(),)
    return of_page if protocols is None else of_page[:1]


def small_views(input_shape: Shape, metadata: Metadata, protocols: Sequence[Protocol]) -> Iterator[Diagnostic]:
    """A warning where a protocol crops a small part of images that are resized as the page says."""
    by_page = [each for each in protocols if each.central and getattr(each, "size", None) is None]
    found = small_crop(input_shape, Recipe(), EvaluationRecipe(metadata.resize)) if by_page else None
    if found:
        yield replace(found, help=f"`--protocol '{by_page[0].name}: {min(side or 0 for side in input_shape[:2])}'`")


def page_protocols(metadata: Metadata) -> tuple[Protocol, ...]:
    """What the page of a model file lists under `evaluate: {protocols: ...}`."""
    if metadata.page is None:
        return ()
    try:
        spec = parse(Source("archspec.json", metadata.page))
        section = settings.section(spec.document, "evaluate", {}, parameters(spec, None, {}))
    except ArchspecError:  # of another version of the language
        return ()
    return evaluation_recipe(section).protocols
