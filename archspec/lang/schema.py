"""The JSON Schema of a page (draft-07), derived from the declarations of operators, transforms and recipes.

One mistake gives one error: the schema discriminates on the head with `properties` and `if`/`then`, never
with `oneOf`. What a schema cannot say (which blocks there are, the cells of a row) is checked in spec.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any

from archspec.declare import Declared, arguments
from archspec.lang.recipe import OPTIMIZERS, SCHEDULES, Protocol, Recipe
from archspec.ops import OPS
from archspec.transforms import TRANSFORMS

Json = dict[str, Any]

NAME = "^[A-Za-z0-9_][A-Za-z0-9_-]*$"
EXPRESSION: Json = {"type": "string", "pattern": "^\\$"}
SHORTCUTS = ["identity", "project", "pad", "project_all", "if_same_shape", "none"]
MERGES = [name for name, op in OPS.items() if op.many]
LAYERS: Json = {"$ref": "#/definitions/layers"}
MODIFIERS: Json = {
    "name": {"type": "string", "pattern": NAME, "description": "the name of this item in paths and for `from`"},
    "from": {
        "type": ["string", "array"],
        "items": {"type": "string"},
        "minItems": 2,
        "description": "the earlier named layer, or layers, that this one reads",
    },
    "repeat": {"description": "number of copies, each reading the one before"},
    "first": {"type": "object", "description": "arguments of the first copy only"},
    "when": {"description": "keep this item only if the expression is true"},
}


def with_expressions(fragment: Mapping[str, Any]) -> Json:
    """The fragment, with an expression allowed in place of the value and of each item of a list."""
    inner = dict(fragment)
    if isinstance(inner.get("items"), Mapping):
        inner["items"] = with_expressions(inner["items"])
    for key in ("then", "else"):
        if isinstance(inner.get(key), Mapping) and "items" in inner[key]:
            inner[key] = {**inner[key], "items": with_expressions(inner[key]["items"])}
    return {"if": EXPRESSION, "else": inner}


def declared_schema(declared: type[Declared], *, branches: bool = False) -> Json:
    """What may stand after the head: the arguments as a mapping, or the first one as a bare value, or nothing."""
    given = arguments(declared)
    required = [argument.name for argument in given if argument.required]
    mapping: Json = {
        "properties": {
            argument.name: {"description": _describe(argument), **with_expressions(argument.schema)}
            for argument in given
        },
        "additionalProperties": LAYERS if branches else False,
    }
    if required:
        mapping["required"] = required
    if not given:
        bare: Json = {"type": ["null", "object"]}
    elif required:
        bare = with_expressions(given[0].schema)
    else:
        bare = {"if": {"type": "null"}, "else": with_expressions(given[0].schema)}
    return {
        "description": _first_line(declared),
        "if": {"type": "object"},
        "then": mapping,
        "else": bare,
    }


def _describe(argument: Any) -> str:
    default = "required" if argument.required else f"default: {_yaml(argument.default)}"
    return f"{argument.doc} ({default})"


def _yaml(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return value.name if isinstance(value, Declared) else str(value)


def _first_line(declared: type[Any]) -> str:
    return (declared.__doc__ or "").strip().split("\n")[0]


def heads(declared: Mapping[str, type[Declared]]) -> Json:
    """`cosine` or `{cosine: {...}}`: exactly one of the declared names."""
    return {
        "if": {"type": "string"},
        "then": {"enum": list(declared)},
        "else": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {name: declared_schema(each) for name, each in declared.items()},
            "additionalProperties": False,
        },
    }


def record(declared: type[Any], doc: str) -> Json:
    """A section of a page whose keys are the fields of a dataclass."""
    families: Mapping[str, Mapping[str, type[Declared]]] = {"optimizers": OPTIMIZERS, "schedules": SCHEDULES}
    properties: Json = {}
    for argument in arguments(declared):
        if "heads" in argument.schema:
            fragment = heads(families[argument.schema["heads"]])
        elif "list" in argument.schema:
            fragment = {"type": "array", "items": heads(TRANSFORMS)}
        else:
            fragment = with_expressions(argument.schema)
        properties[argument.name] = {"description": _describe(argument), **fragment}
    return {"description": doc, "type": "object", "properties": properties, "additionalProperties": False}


@cache
def page_schema() -> Json:
    """The whole schema, as `archspec schema` writes it."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "archspec page",
        "description": "A network as one page of YAML, like the table in its paper.",
        "type": "object",
        "required": ["name", "input", "layers"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "pattern": NAME, "description": "the family: `vgg`, `resnet`"},
            "source": {
                "type": ["string", "object"],
                "description": "where it comes from: authors, year, arXiv id, table",
            },
            "input": {
                "type": "array",
                "minItems": 1,
                "maxItems": 4,
                "items": {"if": EXPRESSION, "else": {"type": ["integer", "null"], "minimum": 1}},
                "description": "[height, width, channels], [length, channels] or [depth, height, width, channels]; "
                "~ is a free size",
            },
            "params": {
                "type": "object",
                "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                "description": "what a variant or `--set NAME=VALUE` may change, with defaults",
            },
            "variants": {
                "type": ["array", "object"],
                "items": {"type": ["string", "integer", "number"]},
                "minItems": 1,
                "minProperties": 1,
                "additionalProperties": {"type": ["object", "null"]},
                "description": "column names for `row`, or a map from variant to the params that it sets",
            },
            "default": {
                "type": ["string", "integer", "number"],
                "description": "the variant that the family's name alone stands for",
            },
            "blocks": {
                "type": "object",
                "propertyNames": {"pattern": NAME},
                "description": "named, parametrised lists of layers",
                "additionalProperties": {
                    "type": "object",
                    "required": ["layers"],
                    "additionalProperties": False,
                    "properties": {
                        "args": {
                            "type": "array",
                            "items": {"type": ["string", "object"], "minProperties": 1, "maxProperties": 1},
                            "description": "reads as a Python signature: [filters, strides: 1]",
                        },
                        "layers": LAYERS,
                    },
                },
            },
            "layers": LAYERS,
            "outputs": {
                "type": ["array", "object"],
                "items": {"type": "string"},
                "minItems": 1,
                "minProperties": 1,
                "additionalProperties": {"type": "number", "minimum": 0},
                "description": "the layers that the network returns, main one first, with the weights of their losses",
            },
            "expect": {
                "type": "object",
                "description": "what the paper prints, for every variant or as {VARIANT: FIGURE}",
                "additionalProperties": False,
                "properties": {
                    quantity: {
                        "if": {"type": "object"},
                        "then": {"additionalProperties": _FIGURE},
                        "else": _FIGURE,
                    }
                    for quantity in QUANTITIES
                },
            },
            "preprocess": {
                "type": "array",
                "items": heads(TRANSFORMS),
                "description": "what happens to the pixels (0 to 255) before the network, in training, evaluation, "
                "predict and export alike",
            },
            "train": record(Recipe, "the recipe"),
            "evaluate": record(Protocol, "the test protocol"),
        },
        "definitions": {
            "layers": {"type": "array", "items": {"$ref": "#/definitions/layer"}},
            "layer": _layer(),
        },
    }


QUANTITIES = ("params", "trainable_params", "macs", "receptive_field", "output_shape")
_FIGURE: Json = {
    "type": ["integer", "number", "string", "array", "object"],
    "items": {"type": ["integer", "null"]},
    "description": "138M, 3.8G, an exact number, or {value, tolerance, reason}",
    "properties": {
        "value": {"type": ["integer", "number", "string"]},
        "tolerance": {"type": ["string", "number"]},
        "reason": {"type": "string", "minLength": 1},
    },
}


def _layer() -> Json:
    return {
        "if": {"type": "string"},
        "then": {"anyOf": [{"enum": sorted(OPS)}, {"type": "string"}]},
        "else": {
            "type": "object",
            "minProperties": 1,
            "properties": {
                **MODIFIERS,
                "row": {
                    "type": "array",
                    "items": {"if": {"type": "null"}, "else": {"$ref": "#/definitions/layer"}},
                    "description": "one cell for each variant; ~ is an empty cell",
                },
                "residual": {
                    "type": "object",
                    "required": ["body"],
                    "additionalProperties": False,
                    "description": "body + shortcut (He et al. 2016)",
                    "properties": {
                        "body": LAYERS,
                        "project": {**LAYERS, "description": "layers of the shortcut where the shape changes"},
                        "shortcut": {"if": EXPRESSION, "else": {"enum": SHORTCUTS}},
                    },
                },
                **{name: declared_schema(op, branches=op.many) for name, op in OPS.items()},
            },
        },
    }


def text() -> str:
    """The schema as the file that `archspec schema` prints and the package ships."""
    import json

    return json.dumps(page_schema(), indent=1) + "\n"


def keys_of(schema: Mapping[str, Any]) -> list[str]:
    """The known keys of an object schema."""
    return list(schema.get("properties", {}))


def is_declared(value: Any) -> bool:
    """Whether a value is an instance of something declared, to be shown by its name."""
    return isinstance(value, Declared) and dataclasses.is_dataclass(value)
