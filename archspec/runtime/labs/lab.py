"""What a lab file may say: claim, source, networks, arms, test conditions, comparisons. Declared here only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archspec.declare import (
    AT_LEAST_0,
    BOOLEAN,
    NATURAL,
    POSITIVE,
    POSITIVE_NUMBER,
    Declared,
    arg,
    arguments,
    choice,
    declared,
    optional,
)
from archspec.lang.declarations import NAME, Form, Json, describe, read_section, write_section


class _Nothing(dict[str, Any]):
    """A mapping that can be the default of a declaration, which must be hashable."""

    def __hash__(self) -> int:  # type: ignore[override]
        return len(self)


NOTHING = _Nothing()
TEXT: Json = {"type": "string", "minLength": 1}
OPTIONAL_TEXT: Json = {"type": ["string", "null"]}
SETTINGS: Json = {"type": "object"}
WORDS: Json = {"type": "array", "items": TEXT}
KINDS_OF_DATA = ("digits", "photos", "none")
MEASURES = ("accuracy", "train_accuracy", "gap", "train_loss", "epochs_to", "seconds_per_epoch")


def section(declared: type[Any], doc: str) -> Json:
    """JSON Schema of a section of a lab, whose values are no expressions."""
    given = arguments(declared)
    properties: Json = {}
    for argument in given:
        found = argument.schema.get("form")
        properties[argument.name] = {
            **(found.schema() if found else argument.schema),
            "description": describe(argument),
        }
    required = [argument.name for argument in given if argument.required]
    return {
        "description": doc,
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


def one(kind: type[Any]) -> Json:
    """The first argument of `arg` for a section inside."""
    form = Form(lambda: section(kind, _doc(kind)), lambda value: read_section(kind, value), write_section, kind)
    return {"form": form}


def named(kind: type[Any]) -> Json:
    """The first argument of `arg` for {NAME: section}."""

    def schema() -> Json:
        return {"type": "object", "minProperties": 1, "additionalProperties": section(kind, _doc(kind))}

    def read(value: Mapping[str, Any]) -> dict[str, Any]:
        return {name: read_section(kind, each or {}) for name, each in value.items()}

    return {"form": Form(schema, read, lambda value: {name: write_section(each) for name, each in value.items()})}


def several(kind: type[Any]) -> Json:
    """The first argument of `arg` for a list of sections."""

    def schema() -> Json:
        return {"type": "array", "minItems": 1, "items": section(kind, _doc(kind))}

    def read(value: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
        return tuple(read_section(kind, each) for each in value)

    return {"form": Form(schema, read, lambda value: [write_section(each) for each in value])}


def _doc(kind: type[Any]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


@declared
class LabImages(Declared):
    """Which images of the data a lab uses, and how many."""

    train: int | None = arg(optional(POSITIVE), "number of training images; all by default", None)
    test: int | None = arg(optional(POSITIVE), "number of test images; all by default", None)
    classes: tuple[str, ...] = arg(WORDS, "names of the classes to use; all by default", ())
    size: int | None = arg(optional(POSITIVE), "side in pixels that photos are resized and cropped to", None)
    pad: int = arg(NATURAL, "pixels of background added on each side", 0)
    random_labels: bool = arg(BOOLEAN, "replace the training labels by random ones", False)


@declared
class LabArm(Declared):
    """One arm of a comparison: a network and what distinguishes it."""

    network: str = arg(TEXT, "a network of this lab, a reference such as `resnet-cifar:20`, or the path of a spec")
    set: Mapping[str, Any] = arg(SETTINGS, "settings of this arm, as `--set` takes them", NOTHING)
    grid: Mapping[str, Any] = arg(
        {"type": "object", "maxProperties": 1, "additionalProperties": {"type": "array", "minItems": 2}},
        "{setting: values}: the best value is chosen with a seed of its own",
        NOTHING,
    )
    init_from: str | None = arg(
        OPTIONAL_TEXT, "the arm whose trained weights of the same seed this one starts from", None
    )
    init_map: tuple[str, ...] = arg(WORDS, "which layers start from `init_from`, as `--init-map`", ())
    images: LabImages | None = arg(one(LabImages), "images of this arm, instead of those of the lab", None)
    compared: bool = arg(BOOLEAN, "whether the arm is in the table and the figure", True)


@declared
class LabTest(Declared):
    """A condition that the trained networks are tested in."""

    shift: int = arg(NATURAL, "pixels that each test image is shifted by, in one of 8 directions", 0)
    protocol: Any = arg(
        {"type": ["string", "object", "null"]}, "an evaluation protocol, as `archspec evaluate --protocol`", None
    )
    population_statistics: bool = arg(
        BOOLEAN, "batch normalization by population statistics, as `archspec evaluate --recompute-bn`", False
    )
    thinned: int = arg(
        NATURAL, "number of networks with other units dropped whose outputs are averaged; 0 drops none", 0
    )
    members: int = arg(POSITIVE, "number of networks, of consecutive seeds, whose outputs are averaged", 1)
    identity_layers: Mapping[str, int] = arg(
        {"type": "object", "additionalProperties": POSITIVE},
        "{pattern of relus: number of identity layers added after each}, as `archspec.deepen` adds them",
        NOTHING,
    )


TEST_IMAGES = _Nothing({"test images": LabTest()})


@declared
class LabComparison(Declared):
    """A paired difference that the verdict depends on: first - second."""

    first: str = arg(TEXT, "an arm")
    second: str = arg(TEXT, "an arm; by default the first, where `test` and `beyond` differ", "")
    measure: str = arg(choice(*MEASURES), "what is compared", "accuracy")
    test: str = arg(OPTIONAL_TEXT, "the test condition; by default the first one", "")
    beyond: str = arg(OPTIONAL_TEXT, "subtract the difference in this test condition", "")
    expect: str = arg(
        choice("higher", "lower", "equal", "no lower", "ratio"),
        "what the claim says about first - second; `ratio` divides instead",
        "higher",
    )
    margin: float = arg(
        AT_LEAST_0, "bound of the interval: points for accuracies, times for `ratio`, else the unit of the measure", 0.0
    )
    decides: bool = arg(BOOLEAN, "whether the verdict depends on it", True)


@declared
class LabFigure(Declared):
    """What the figure shows."""

    kind: str = arg(
        choice("arms", "tests", "curves"),
        "`arms`: a point for each seed and arm; `tests`: a line for each arm over the test conditions; `curves`: "
        "learning curves",
        "arms",
    )
    measure: str = arg(choice(*MEASURES), "of `arms`", "accuracy")
    x: str = arg(
        choice("epochs", "updates", "seconds"),
        "of `curves`: epochs, updates of the weights, or training time",
        "epochs",
    )
    also: tuple[str, ...] = arg(
        {"type": "array", "items": choice("epochs", "updates", "seconds")}, "other `x`, each in a figure of its own", ()
    )
    y: str = arg(
        choice("train_error", "train_loss", "test_error"),
        "of `curves`; errors in percent, losses in nats",
        "train_error",
    )
    xlabel: str = arg(OPTIONAL_TEXT, "of the figure", "")
    log: bool = arg(BOOLEAN, "whether the vertical axis is logarithmic", False)


@declared
class LabScale(Declared):
    """What another scale changes."""

    seeds: int | None = arg(optional(POSITIVE), "number of seeds", None)
    images: LabImages | None = arg(
        one(LabImages), "the images, instead of those of the lab; `{}` is all of them as they are", None
    )
    set: Mapping[str, Any] = arg(SETTINGS, "settings of all arms; they replace those of the arms", NOTHING)
    options: Mapping[str, Any] = arg(SETTINGS, "options of the code", NOTHING)


@declared
class Lab(Declared):
    """A lab: an experiment with a claim, in one YAML file."""

    name: str = arg({"type": "string", "pattern": NAME}, "the name of the lab, and of its file")  # type: ignore[misc]
    claim: str = arg(TEXT, "what the experiment tests, in one sentence; the title of the figure")
    source: str = arg(TEXT, "the paper and its section, or `lecture`")
    seconds: float = arg(POSITIVE_NUMBER, "time at the default scale on 2 cores, measured")
    data: Any = arg(
        {
            "if": {"type": "object"},
            "then": {"type": "object", "minProperties": 1, "maxProperties": 1},
            "else": {"enum": list(KINDS_OF_DATA)},
        },
        "`digits`; `photos`, which `--data` names; `none`; or what is generated: `{shapes: {...}}`, `{waves: {...}}`",
    )
    images: LabImages = arg(one(LabImages), "which images, and how many", LabImages())
    seeds: int = arg(POSITIVE, "number of seeds, shared by all arms", 3)
    networks: Mapping[str, Any] = arg(
        {"type": "object", "additionalProperties": {"type": "object"}},
        "{NAME: spec}: the networks of this lab",
        NOTHING,
    )
    train: Mapping[str, Any] = arg(SETTINGS, "the recipe of all arms; it replaces those of the networks", NOTHING)
    set: Mapping[str, Any] = arg(SETTINGS, "settings of all arms, as `--set` takes them", NOTHING)
    arms: Mapping[str, LabArm] = arg(named(LabArm), "{NAME: arm}; each arm is trained once for each seed", NOTHING)
    tests: Mapping[str, LabTest] = arg(
        named(LabTest), "{NAME: condition}: in what the networks are tested", TEST_IMAGES
    )
    threshold: float = arg(POSITIVE_NUMBER, "training error in percent that `epochs_to` waits for", 25.0)
    compare: tuple[LabComparison, ...] = arg(several(LabComparison), "the differences that decide the verdict", ())
    figure: LabFigure = arg(one(LabFigure), "the figure", LabFigure())
    picture: str = arg(
        {"type": ["string", "null"], "enum": ["", "conv1d-signal", "two-windows"]},
        "a picture that explains the comparison",
        "",
    )
    code: str = arg(OPTIONAL_TEXT, "the module in archspec/runtime/labs/experiments, of a lab without arms", "")
    options: Mapping[str, Any] = arg(SETTINGS, "of the code", NOTHING)
    criterion: str = arg(OPTIONAL_TEXT, "how the code computes the verdict, in one sentence", "")
    explanation: str = arg(OPTIONAL_TEXT, "why a claim does not hold on the small data, or what it needs", "")
    extra: str = arg(OPTIONAL_TEXT, "the extra of archspec that the code needs", "")
    scales: Mapping[str, LabScale] = arg(
        {
            "form": Form(
                lambda: {
                    "type": "object",
                    "properties": {name: section(LabScale, _doc(LabScale)) for name in ("tiny", "full")},
                    "additionalProperties": False,
                },
                lambda value: {name: read_section(LabScale, each or {}) for name, each in value.items()},
                lambda value: {name: write_section(each) for name, each in value.items()},
            )
        },
        "what the scales `tiny` and `full` change",
        NOTHING,
    )

    def scaled(self, scale: str) -> LabScale:
        """What a scale changes."""
        return self.scales.get(scale, LabScale())
