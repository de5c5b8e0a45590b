"""The metadata of a model file: the spec, the classes and the preprocessing of its network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from archspec.declare import arguments
from archspec.lang.declarations import from_one_key, to_one_key
from archspec.lang.schema.validator import mistakes
from archspec.targets import OutputTarget
from archspec.transforms import TRANSFORMS, Transform


@dataclass(frozen=True)
class Metadata:
    """What archspec adds to Keras's configuration in a model file; each field may be missing."""

    reference: str | None = None
    """The reference that the network was built from: `resnet:50`."""
    spec: str | None = None
    """The spec with its variant and settings applied, YAML."""
    class_names: tuple[str, ...] | None = None
    preprocess: tuple[Transform, ...] = ()
    """Transforms from pixel values of 0 to 255 to the network's input."""
    resize: int | None = None
    """Shortest side of images after resizing in evaluation, pixels."""
    targets: tuple[OutputTarget, ...] = ()
    """Of the outputs, where they are not one class for each image; `class_names` are then those of the first."""
    threshold: float = 0.5
    """The least probability of a class that a sigmoid output decides for."""

    def to_json(self) -> dict[str, Any]:
        return {
            "format": 1,
            "reference": self.reference,
            "spec": self.spec,
            "class_names": self.class_names,
            "preprocess": [to_one_key(transform) for transform in self.preprocess],
            "resize": self.resize,
            **({"targets": [each.to_json() for each in self.targets]} if self.targets else {}),
            **({"threshold": self.threshold} if self.threshold != 0.5 else {}),
        }

    @classmethod
    def from_json(cls, data: Any) -> Metadata:
        """Raises ValueError if `data` does not have the form that `to_json` writes."""
        _check(data, SCHEMA, "the description")
        names = data.get("class_names")
        return cls(
            reference=data.get("reference"),
            spec=data.get("spec", data.get("page")),  # `page` in files of archspec 0.1.0
            class_names=None if names is None else tuple(names),
            preprocess=tuple(_transform(each) for each in data.get("preprocess", ())),
            resize=data.get("resize"),
            targets=_targets(data.get("targets", ())),
            threshold=data.get("threshold", 0.5),
        )


SCHEMA = {
    "type": "object",
    "required": ["format"],
    "properties": {
        "format": {"const": 1},
        "reference": {"type": ["string", "null"]},
        "spec": {"type": ["string", "null"]},
        "page": {"type": ["string", "null"]},
        "class_names": {"type": ["array", "null"], "items": {"type": "string"}},
        "preprocess": {"type": "array", "items": {"type": "object", "minProperties": 1, "maxProperties": 1}},
        "resize": {"type": ["integer", "null"], "minimum": 1},
        "targets": {"type": "array", "items": {"type": "object"}},
        "threshold": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    },
}


def _targets(values: Any) -> tuple[OutputTarget, ...]:
    """Raises ValueError."""
    try:
        return tuple(OutputTarget.from_json(each) for each in values)
    except (KeyError, TypeError) as error:
        raise ValueError("the targets of its outputs are not valid") from error


def _transform(value: dict[str, Any]) -> Transform:
    """One transform from its one-key form, checked against its declaration."""
    ((name, given),) = value.items()
    if not TRANSFORMS.get(name):
        raise ValueError(f"there is no transform `{name}`")
    declared = arguments(TRANSFORMS[name])
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": [argument.name for argument in declared if argument.required],
        # null stands for an argument that was left out
        "properties": {argument.name: {"anyOf": [{"type": "null"}, argument.schema]} for argument in declared},
    }
    _check(given, schema, f"the transform `{name}`")
    return cast("Transform", from_one_key(value, TRANSFORMS))


def _check(value: Any, schema: dict[str, Any], what: str) -> None:
    for mistake in mistakes(value, schema):
        place = "".join(f" `{word}`" for word in mistake.path)
        raise ValueError(f"{what}{place} is not valid")
