"""docs/errors.md: every code with its meaning, and with a page and its message where a page can make the mistake.

A new code needs a line in one of the tables below; `python -m tests.examples.accept` writes the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from archspec import api
from archspec.diagnostics import ArchspecError, render
from archspec.lang.spec.overrides import parse_settings
from tests.examples.pages import HERE, diagnostics

PAGE: Mapping[str, tuple[str, str]] = {
    "yaml-syntax": ("the text is not YAML", "not-yaml-open-bracket"),
    "empty-page": ("there is nothing in the file, or only comments", "empty"),
    "not-a-mapping": ("the page is a list or a single value", "list-at-top"),
    "several-documents": ("a second YAML document follows the first", "two-documents"),
    "bad-key": ("a key is no word, but a list, a mapping or nothing", "bad-key"),
    "duplicate-key": ("a key, argument, variant or output appears twice", "duplicate-key"),
    "anchor": ("`&name` or `*name`: blocks are the one way to reuse", "anchor"),
    "merge-key": ("`<<`: blocks are the one way to reuse", "merge-key"),
    "tag": ("`!!type`: a value is what it looks like", "tag"),
    "number-too-large": ("a number is larger than 10^18", "number-too-large"),
    "missing-key": ("a page, a structure or a figure lacks something that it needs", "missing-input"),
    "unknown-key": ("a key that is not part of the language where it stands", "unknown-key"),
    "wrong-type": (
        "a value is of another kind than its argument: a word for a number, a list for a word",
        "wrong-type",
    ),
    "wrong-value": ("a value is out of its range, or none of those that there are", "wrong-value-padding"),
    "bad-name": ("a name has letters that would not fit into a path or an expression", "bad-name"),
    "name-taken": ("two things have one name", "name-taken"),
    "one-head": ("an item of a list of layers has no operator or block, or several", "two-heads-forgotten-dash"),
    "unknown-operator": (
        "no operator, block, optimizer, schedule, transform or protocol has this name",
        "unknown-operator",
    ),
    "unknown-argument": ("the operator or block has no argument of this name", "unknown-argument"),
    "missing-argument": ("an operator or block is used without an argument that has no default", "missing-argument"),
    "bad-signature": ("in `args`, an argument without a default follows one with a default", "bad-signature"),
    "row": ("a row has more or fewer cells than there are variants", "row"),
    "unknown-variant": ("there is no variant of this name", "unknown-variant-default"),
    "one-input": ("an operator is given another number of layers than it reads", "merge-one-branch"),
    "unknown-layer": ("`from` or `outputs` names a layer that is not there, or comes later", "from-nowhere"),
    "unused-layer": ("nothing reads a layer, and it is no output", "unused-layer"),
    "unused-parameter": ("no expression reads a parameter: it is misspelt, or left over", "unused-parameter"),
    "block-cycle": ("a block contains itself", "block-cycle"),
    "input": ("the input is no list of one to four sizes", "input-expression"),
    "shape": ("an operator cannot work on the shape that reaches it", "window-larger-than-map"),
    "expression": ("what stands after `$` is no expression of the language", "expression-function"),
    "expression-name": ("an expression reads a name that is not defined there", "expression-name"),
    "expression-too-large": ("an expression is too long, or its numbers go beyond 10^15", "expression-too-large"),
    "division-by-zero": ("an expression divides by zero", "division-by-zero"),
    "parameter-cycle": ("a parameter depends on itself", "parameter-cycle"),
    "empty-network": ("no layer is left", "no-layers"),
    "too-deep": ("the YAML, or the blocks, are nested too deep", "nested-lists"),
    "too-many-layers": ("the page expands to more than 100,000 layers", "ten-million-layers"),
    "too-many-parameters": ("the network has 10^12 parameters or more", "too-many-parameters"),
    "output-too-large": ("an output has more than 10^12 values", "output-too-large"),
    "recipe": ("two parts of a recipe contradict each other", "recipe-epochs-and-iterations"),
    "expect": ("the network is not what `expect` says", "expect"),
}
"""Code -> meaning, and the bad page that shows it."""


def _load(reference: str, **settings: object) -> Callable[[], object]:
    return lambda: api.load(reference, **settings)


REFERENCE: Mapping[str, tuple[str, str, Callable[[], object]]] = {
    "page-not-found": (
        "the file of a page is not there, or cannot be read",
        "check ./net.yaml",
        lambda: api.read_spec("./net.yaml"),
    ),
    "variant-needed": ("the page has several variants, and none is named", "summarize vgg", _load("vgg")),
    "unknown-parameter": (
        "`--set` names a parameter that the page has not",
        "summarize vgg:D --set clases=10",
        _load("vgg:D", clases=10),
    ),
    "setting": (
        "a setting is not NAME=VALUE, or its value cannot be one",
        "summarize vgg:D --set classes",
        lambda: parse_settings(["classes"]),
    ),
}
"""Code -> meaning, a command that makes the mistake, and the same as a call."""

OTHER: Mapping[str, str] = {
    "not-text": "the file of a page is not UTF-8 text",
    "unknown-family": "no page of this name is shipped; a page of your own is named by its path",
    "page-too-large": "the file of a page is larger than a megabyte, or holds more than 100,000 values",
    "build": "Keras refuses a layer that archspec takes for right: please report it",
    "devices": "more devices are asked for than there are",
    "devices-late": "TensorFlow already runs, and its CPU can no longer be split into devices",
    "hosts": "the list of hosts that train together is not as it must be, or one of them is missing",
    "hosts-differ": "processes that train together were given different networks, recipes, images or checkpoints",
    "worker-lost": "another process that trains with this one has stopped",
    "data-not-found": "there is no data of this name",
    "data-format": "the file or folder is no form of data that archspec reads",
    "data-empty": "there are no images",
    "data-one-class": "there are images of one class only",
    "data-classes": "the classes of the training images and of the validation images differ",
    "data-shape": "the images have another size or number of channels than the network reads",
    "data-changed": "an image is no longer what it was when training began, or a run would go on with others",
    "bad-images": "files are no images, or are damaged: they are named, and `--skip-bad-images` leaves them out",
    "validation-split": "the share of images for validation is none, or leaves a class without images",
    "transform": "a transform does not fit the images or the network's input",
    "not-a-recipe": "the file given as a recipe is a whole page",
    "unknown-recipe": "no recipe of this name is shipped; a recipe of your own is named by its path",
    "class-weight": "`class_weight` names a class that the data has not",
    "protocol": "a test protocol cannot be applied to this network",
    "ensemble": "the members of an ensemble do not fit together, or there are too few",
    "bad-predictions": "a file of saved predictions cannot be read, or holds something else",
    "classes-mismatch": "the network has another number of outputs than the data has classes",
    "no-classifier": "the network does not return the scores of classes",
    "free-input": "the input has a free size, and this needs all of them",
    "image-too-small": "an image is smaller than the window of a dense network",
    "image-too-large": "an image needs more memory than there is, and cannot be looked at in tiles",
    "not-convolutional": "a layer works on the whole image, so that the network cannot slide over a larger one",
    "diverged": "the loss is no longer a number",
    "not-a-run": "the folder to go on with is not the directory of a run",
    "no-checkpoint": "a run has no checkpoint that is whole",
    "checkpoint-differs": "a checkpoint is of another network, optimizer or page",
    "checkpoint-every": "the interval of checkpoints is neither a number of steps nor a time",
    "out-of-memory": "a batch does not fit into memory",
    "backend": "Keras runs on another backend than TensorFlow, which this needs",
    "bad-output": "the name of an output file has another suffix than its form needs",
    "output-exists": "the file or folder to be written is there already",
    "run-busy": "another process trains in this run directory",
    "cannot-write": "a file cannot be written: the disk is full, or permission is missing",
    "model-not-found": "there is no model file of this name",
    "not-a-model": "the file is no model, or is damaged",
    "model-unsafe": "the model file would run code of its own when it is loaded",
    "not-functional": "a Keras model is not functional, so that it has no graph to read",
    "export-differs": "the exported model computes something else than the model: please report it",
    "weights-not-found": "there is no file of weights of this name",
    "weights-unknown": "the suffix of the file is of no known form of weights",
    "not-weights": "the file holds no weights, or is damaged",
    "weights-mismatch": "the weights do not fit the network",
    "bad-pattern": "a pattern of paths is empty or too long, or its partner has more wildcards",
    "unmatched-pattern": "a pattern of paths fits no layer with weights",
    "unmatched-weight": "`init` speaks of a weight that its layers do not have",
    "initializer": "Keras cannot draw this initializer in the shape of the weight",
    "deepen": "identity layers cannot be added where they are asked for",
    "nothing-to-train": "all layers are frozen",
    "init-map": "layers cannot start from others as `--init-map` says",
    "weights-unsafe": "the file of weights would run code when it is unpickled; it was not",
    "several-inputs": "a Keras model has several inputs, and a page has one",
    "shared-layer": "a Keras model uses a layer twice, and the layers of a page share no weights",
    "unknown-keras-layer": "a Keras model has a layer that no page can say",
    "decompile": "no page was found for a network: please report it",
    "unknown-application": "keras.applications has no network of this name",
    "small-crop": "a warning: crops show less than a quarter of an image, as a resize to 256 does to a network of 32; "
    "the command goes on",
    "download": "weights or images cannot be downloaded",
    "missing-package": "a package that this needs is not installed",
}
"""Code -> meaning, of what no page shows."""

INTRODUCTION = """<!-- generated by `python -m tests.examples.accept` from tests/examples: do not edit -->

# Errors

A mistake is shown with its code, the fact, the place, what led there (`note`) and, where one is likely, the remedy
(`help`). All mistakes of a page that can be seen without expanding it are shown together; those of shapes and of
values come one by one. A command ends with status 1 when something given to it is wrong, with 2 when called wrongly.

`--format json` gives the same to programs: `archspec check --format json` prints a list of objects with `severity`,
`code`, `message`, `file`, `line`, `column`, `end_line`, `end_column`, `notes` and `help`; lines and columns count from
1, and places are null where there is no file. A `warning` is of what can be meant as it is: no command ends with status
1 for it. In Python they are the `diagnostics` of an `archspec.ArchspecError`.

An `error[internal]` is a bug of archspec's: please report it, with the trace that `ARCHSPEC_DEBUG=1` shows.
"""


def page() -> str:
    """The text of docs/errors.md."""
    parts = [INTRODUCTION, "## On a page\n"]
    parts += [_of_page(code, *entry) for code, entry in PAGE.items()]
    parts.append("## In references and settings\n")
    parts += [_of_command(code, *entry) for code, entry in REFERENCE.items()]
    parts.append("## In files, data, training and models\n\n| code | meaning |\n|---|---|")
    parts += [f"| `{code}` | {meaning} |" for code, meaning in OTHER.items()]
    return "\n".join(parts) + "\n"


def documented() -> set[str]:
    """The codes that docs/errors.md explains."""
    return {*PAGE, *REFERENCE, *OTHER, "internal"}


def _of_page(code: str, meaning: str, name: str) -> str:
    path = HERE / "bad" / f"{name}.yaml"
    first = next(each for each in diagnostics(path) if each.code == code)
    text = _excerpt(path)
    shown = f"```yaml\n{text}```\n\n" if text else ""
    return f"### {code}\n\n{_sentence(meaning)}\n\n{shown}```text\n{render(first)}\n```\n"


def _excerpt(path: Path) -> str:
    """The page where it is short; of a longer one, or one of long lines, the message shows what matters."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(lines) if len(lines) <= 16 and max(map(len, lines), default=0) <= 100 else ""


def _of_command(code: str, meaning: str, command: str, call: Callable[[], object]) -> str:
    try:
        call()
    except ArchspecError as error:
        (diagnostic,) = error.diagnostics
    assert diagnostic.code == code
    return f"### {code}\n\n{_sentence(meaning)}\n\n```text\n$ archspec {command}\n{render(diagnostic)}\n```\n"


def _sentence(text: str) -> str:
    first = text[:1].upper() + text[1:] if text[:1].isalpha() else text
    return f"{first}."
