"""docs/errors.md: every error code with its meaning, and an example where a spec can cause it.

A new code needs a line in one of the tables below; `python -m tests.examples.accept` writes the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from archspec import api
from archspec.diagnostics import ArchspecError, render
from archspec.lang.spec.overrides import parse_settings
from archspec.wording import command_line
from tests.examples.specs import HERE, diagnostics

SPEC: Mapping[str, tuple[str, str]] = {
    "yaml-syntax": ("the text is not YAML", "not-yaml-open-bracket"),
    "empty-page": ("the file is empty or contains only comments", "empty"),
    "not-a-mapping": ("the top level of the spec is a list or a single value", "list-at-top"),
    "several-documents": ("a second YAML document follows the first", "two-documents"),
    "bad-key": ("a key is a list, a mapping or empty", "bad-key"),
    "duplicate-key": ("a key, argument, variant or output appears twice", "duplicate-key"),
    "anchor": ("`&name` or `*name`: YAML anchors are not supported; use a block", "anchor"),
    "merge-key": ("`<<`: YAML merge keys are not supported; use a block", "merge-key"),
    "tag": ("`!!type`: YAML tags are not supported", "tag"),
    "number-too-large": ("a number is larger than 10^18", "number-too-large"),
    "missing-key": ("a required key is missing", "missing-input"),
    "unknown-key": ("a key is not known where it is used", "unknown-key"),
    "wrong-type": (
        "a value has the wrong type, such as a string for a number",
        "wrong-type",
    ),
    "wrong-value": ("a value is out of range or not one of the allowed choices", "wrong-value-padding"),
    "bad-name": ("a name has characters that are not allowed in paths or expressions", "bad-name"),
    "name-taken": ("a name is already used or reserved", "name-taken"),
    "one-head": ("a layer has no operator or block, or more than one", "two-heads-forgotten-dash"),
    "unknown-operator": ("no operator or block has this name", "unknown-operator"),
    "unknown-optimizer": ("no optimizer has this name", "unknown-optimizer"),
    "unknown-schedule": ("no schedule of the learning rate has this name", "unknown-schedule"),
    "unknown-loss": ("no loss has this name", "unknown-loss-name"),
    "unknown-transform": ("no transform has this name", "unknown-transform"),
    "unknown-protocol": ("no evaluation protocol has this name", "unknown-protocol"),
    "unknown-argument": ("the operator or block has no argument of this name", "unknown-argument"),
    "missing-argument": ("an operator or block is used without an argument that has no default", "missing-argument"),
    "bad-signature": ("an argument of a block without a default follows one that has a default", "bad-signature"),
    "row": ("a row has more or fewer cells than there are variants", "row"),
    "unknown-variant": ("there is no variant of this name", "unknown-variant-default"),
    "one-input": ("an operator or block gets the wrong number of inputs", "merge-one-branch"),
    "unknown-layer": ("`from` or `outputs` names a layer that does not exist or comes later", "from-nowhere"),
    "unused-layer": ("nothing reads the output of a layer, and it is not an output of the network", "unused-layer"),
    "unused-parameter": ("no expression uses a parameter", "unused-parameter"),
    "block-cycle": ("a block contains itself", "block-cycle"),
    "input": ("the input is not a list of one to four sizes", "input-expression"),
    "share": ("a layer cannot use the weights of the layer that `share` names", "share-other-arguments"),
    "shape": ("an operator does not accept its input shape", "window-larger-than-map"),
    "expression": ("the text after `$` is not a valid expression", "expression-function"),
    "expression-name": ("an expression uses a name that is not defined there", "expression-name"),
    "expression-too-large": (
        "an expression is too long, or a number in it is larger than 10^15",
        "expression-too-large",
    ),
    "division-by-zero": ("an expression divides by zero", "division-by-zero"),
    "parameter-cycle": ("a parameter depends on itself", "parameter-cycle"),
    "empty-network": ("the network has no layers", "no-layers"),
    "too-deep": ("the YAML or the blocks are nested too deeply", "nested-lists"),
    "too-many-layers": ("the spec expands to more than 25,000 layers", "ten-million-layers"),
    "too-many-parameters": ("the network has 10^12 parameters or more", "too-many-parameters"),
    "output-too-large": ("an output has more than 10^12 values", "output-too-large"),
    "recipe": ("two settings of a recipe contradict each other", "recipe-epochs-and-iterations"),
    "expect": ("a figure of `expect` differs from the network", "expect"),
}
"""Code -> meaning, and the example in tests/examples/bad."""


def _load(reference: str, **settings: object) -> Callable[[], object]:
    return lambda: api.load(reference, **settings)


REFERENCE: Mapping[str, tuple[str, str, Callable[[], object]]] = {
    "page-not-found": (
        "the file of a spec or recipe does not exist or cannot be read",
        "check ./net.yaml",
        lambda: api.read_spec("./net.yaml"),
    ),
    "variant-needed": ("the spec has several variants, and the reference names none", "summarize vgg", _load("vgg")),
    "unknown-parameter": (
        "`--set` names a parameter that the spec does not have",
        "summarize vgg:D --set clases=10",
        _load("vgg:D", clases=10),
    ),
    "setting": (
        "a setting is not NAME=VALUE, or its value is not allowed",
        "summarize vgg:D --set classes",
        lambda: parse_settings(["classes"]),
    ),
}
"""Code -> meaning, a command that causes it, and the same as a call."""

OTHER: Mapping[str, str] = {
    "not-text": "the file of a spec is not UTF-8 text, for example a model",
    "unknown-family": "no spec of this name ships with archspec; give your own spec by its path",
    "custom-layer": "a layer of a plugin operator cannot be saved and loaded again",
    "class-list": "a file of class names cannot be read, or does not have one name for each output of the network",
    "bad-argument": "an argument of a Python function has the wrong kind or is out of range",
    "plugin": "a data source of another package raised an exception",
    "unknown-option": "a Python function has no option of this name",
    "page-too-large": "the file of a spec is larger than a megabyte or has more than 50,000 values",
    "build": "Keras rejects a layer that archspec accepts: please report it",
    "devices": "more devices are requested than are available",
    "devices-late": "TensorFlow has already started, so the CPU can no longer be split into devices",
    "hosts": "the list of workers is not valid, or a worker is missing",
    "hosts-differ": "the workers of a run have different networks, recipes, images or checkpoints",
    "worker-lost": "another worker of the run has stopped",
    "data-not-found": "no data set, file or folder has this name",
    "data-format": "archspec cannot read data in this format",
    "npz-damaged": "an array of an .npz file is damaged",
    "data-empty": "there are no images",
    "data-one-class": "all images have the same class",
    "data-classes": "a validation image has a class that no training image has",
    "data-shape": "the size or number of channels of the images does not fit the network",
    "data-changed": "the images changed during training or since the run began",
    "bad-images": "files are not images or are damaged; `--skip-bad-images` leaves them out",
    "validation-split": "the validation split is not a fraction, or leaves a class without images",
    "transform": "a transform does not fit the images or the network's input",
    "not-a-recipe": "the file given as a recipe is a whole spec",
    "unknown-recipe": "no recipe of this name ships with archspec; give your own recipe by its path",
    "class-weight": "`class_weight` names a class that the data does not have",
    "protocol": "an evaluation protocol cannot be applied to this network",
    "ensemble": "the members of an ensemble do not match, or there are too few",
    "bad-predictions": "a file of saved predictions cannot be read",
    "classes-mismatch": "the number of outputs of the network is not the number of classes of the data",
    "no-batch-norm": "`--recompute-bn` is given for a network without batch normalization",
    "no-classifier": "the network is not a classifier",
    "free-input": "the input has a free size, but a fixed size is needed",
    "image-too-small": "an image is smaller than the window of a fully convolutional network",
    "image-too-large": "an image needs more memory than available and cannot be split into tiles",
    "not-convolutional": "a layer works on the whole image, so the network cannot be made fully convolutional",
    "diverged": "the loss is NaN or infinite",
    "not-a-run": "the folder to resume from is not a run directory",
    "no-checkpoint": "a run has no complete checkpoint",
    "no-curves": "a run has no learning curves, since no epoch is finished",
    "checkpoint-differs": "a checkpoint belongs to another network, optimizer or spec",
    "checkpoint-every": "the checkpoint interval is neither a number of steps nor a duration",
    "cannot-access": "the operating system refuses a file or folder: no permission, or a name that is too long",
    "out-of-memory": "a batch does not fit into memory",
    "backend": "Keras does not use the TensorFlow backend, which is needed here",
    "bad-output": "the suffix of an output file does not match its format",
    "output-exists": "the output file or folder exists already",
    "run-busy": "another process uses this run directory",
    "cannot-write": "a file cannot be written: the disk is full, or permission is missing",
    "model-not-found": "no model file has this name",
    "not-a-model": "the file is not a model or is damaged",
    "model-unsafe": "loading the model file would run code stored in it",
    "not-functional": "a Keras model is not functional, so it has no graph to read",
    "method-not-applicable": "an explanation method is not defined for the layers of this network",
    "not-spatial": "the output of a layer is not a map, so an explanation cannot be laid over the image",
    "unknown-class": "the network has no class of this name or number",
    "unknown-method": "there is no explanation method of this name",
    "bad-option": "an option of an explanation method cannot have this value",
    "unknown-format": "there is no export format of this name",
    "export-differs": "the outputs of the exported model differ from those of the model: please report it",
    "not-finite": "a trained model gives NaN or infinite values before its export, so there is nothing to compare with",
    "not-exportable": "the export format lacks an operator of the network, or an option does not apply to it",
    "precision": "the export format cannot be written at this precision",
    "calibration": "an int8 export has no calibration images, too few of them, or only noise",
    "export-slower": "an optimized export is slower than the plain one on this machine, so it is not written",
    "export-loses": "an export of lower precision loses more accuracy than `--max-loss`, so it is not written",
    "export-fails": "an exported model cannot be loaded or run in a process without archspec: please report it",
    "weights-not-found": "no weight file has this name",
    "weights-quantized": "the weights are quantized: integers with separate scales, but the network needs floats",
    "weights-unknown": "the file is of a format that archspec does not read",
    "not-weights": "the file contains no weights",
    "weights-damaged": "the weight file is damaged or incomplete, or would need much more memory than real weights",
    "several-weights": "the file has several sets of weights that fit, and their keys do not tell which is meant",
    "weights-mismatch": "the weights do not fit the network",
    "bad-pattern": "a path pattern is empty, too long or has an invalid character class or wildcard",
    "unmatched-pattern": "a path pattern matches no layer with weights",
    "unmatched-weight": "`init` names a weight that its layers do not have",
    "initializer": "the Keras initializer does not support the shape of the weight",
    "deepen": "identity layers cannot be added at this place",
    "nothing-to-train": "all layers are frozen",
    "init-map": "the layers of `--init-map` do not match",
    "weights-unsafe": "unpickling the weight file would run code, so it was not loaded",
    "several-inputs": "a command or an option needs a network with one input, but this one has several",
    "unknown-keras-layer": "a Keras model has a layer that a spec cannot express",
    "decompile": "archspec could not write a spec for a network: please report it",
    "unknown-application": "keras.applications has no network of this name",
    "channels-first": "a warning: the channels of an input may be its first size, such as in `[3, 48, 64]`; in a spec "
    "they come last",
    "small-crop": "a warning: crops show less than a quarter of an image, such as 32 of 256 pixels; the command "
    "continues",
    "pixel-range": "a warning: `preprocess` makes pixels much larger than 255, often by a mean and std for pixels of 0 "
    "to 1; the command continues",
    "download": "weights or images cannot be downloaded",
    "bad-run": "a file in a run directory or in a folder of an evaluation cannot be read",
    "compare-nothing": "no network and no run is given to compare",
    "draw-option": "the style of a drawing does not have this option, or draws one network only",
    "drawing-too-large": "a drawing has more pixels than a PNG can have",
    "unknown-style": "there is no drawing style of this name",
    "unknown-lab": "no lab of this name ships with archspec; give your own lab by its path",
    "lab": "keys of a lab file contradict each other, or name an arm, a test or data that do not exist",
    "lab-data": "a lab needs photos, or takes no images",
    "missing-package": "a package that this needs is not installed",
    "warm-up": "the export format has no warm-up requests",
    "not-served": "`archspec serve` is given something other than exports, a run directory or a model file",
    "cannot-listen": "`archspec serve` cannot use the address or port",
}
"""Code -> meaning of errors that no example shows."""

INTRODUCTION = """<!-- generated by `python -m tests.examples.accept` from tests/examples: do not edit -->

# Errors

An error has a code, a message and a location, then notes on the context (`note`) and, where possible, a remedy
(`help`). `archspec check` reports all errors of syntax, names and types at once, and errors in shapes and computed
values one at a time. A command exits with status 1 for an error in its input and with status 2 for wrong usage.

With `--format json`, `archspec check` prints a list of objects with the keys `severity`, `code`, `message`, `file`,
`line`, `column`, `end_line`, `end_column`, `notes` and `help`. Lines and columns count from 1; they are null if there
is no file. A `warning` reports a probable mistake; it does not change the exit status. In Python,
`archspec.ArchspecError` has the same objects in its attribute `diagnostics`; messages then name the arguments of
functions instead of options: `overwrite=True` for `--overwrite`.

An `error[internal]` is a bug in archspec. Please report it with the traceback that `ARCHSPEC_DEBUG=1` shows.
"""


def text() -> str:
    """The text of docs/errors.md."""
    parts = [INTRODUCTION, "## In a spec\n"]
    parts += [_of_spec(code, *entry) for code, entry in SPEC.items()]
    parts.append("## In references and settings\n")
    parts += [_of_command(code, *entry) for code, entry in REFERENCE.items()]
    parts.append("## In files, data, training and models\n\n| code | meaning |\n|---|---|")
    parts += [f"| `{code}` | {meaning} |" for code, meaning in OTHER.items()]
    return "\n".join(parts) + "\n"


def documented() -> set[str]:
    """The codes that docs/errors.md explains."""
    return {*SPEC, *REFERENCE, *OTHER, "internal"}


def _of_spec(code: str, meaning: str, name: str) -> str:
    path = HERE / "bad" / f"{name}.yaml"
    first = next(each for each in diagnostics(path) if each.code == code)
    text = _excerpt(path)
    shown = f"```yaml\n{text}```\n\n" if text else ""
    return f"### {code}\n\n{_sentence(meaning)}\n\n{shown}```text\n{render(first)}\n```\n"


def _excerpt(path: Path) -> str:
    """The text of a short spec; of a longer one the message shows the relevant line."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(lines) if len(lines) <= 16 and max(map(len, lines), default=0) <= 100 else ""


def _of_command(code: str, meaning: str, command: str, call: Callable[[], object]) -> str:
    try:
        with command_line():
            call()
    except ArchspecError as error:
        (diagnostic,) = error.diagnostics
    assert diagnostic.code == code
    return f"### {code}\n\n{_sentence(meaning)}\n\n```text\n$ archspec {command}\n{render(diagnostic)}\n```\n"


def _sentence(text: str) -> str:
    first = text[:1].upper() + text[1:] if text[:1].isalpha() else text
    return f"{first}."
