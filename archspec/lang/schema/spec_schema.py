"""The JSON Schema of a spec (draft-07), derived from the declarations of operators, transforms and recipes.

Rules that JSON Schema cannot express (names of blocks, cells of a row) are checked in lang/spec.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from archspec.lang.declarations import (
    IDENTIFIER,
    LAYERS,
    NAME,
    PATH,
    TITLE,
    BareNames,
    Json,
    Properties,
    head,
    one_key,
    section_schema,
)
from archspec.lang.schema.structures import BLOCK, MODIFIERS, OUTPUT, PARTS, RESIDUAL, SIZES
from archspec.ops import OPS
from archspec.plugins import CACHES, load_all_plugins
from archspec.protocols import PROTOCOLS
from archspec.transforms import TRANSFORMS

SECTIONS = ("train", "evaluate")
QUANTITIES = ("params", "trainable_params", "macs", "receptive_field", "output_shape")
SOURCE = {
    "authors": "Simonyan & Zisserman",
    "title": "the title of the paper",
    "year": "the year of the first version",
    "venue": "where it was published",
    "arxiv": "1409.1556",
    "doi": "10.1109/5.726791",
    "url": "where to read it, or the code",
    "section": "the section that describes the network",
    "table": "the table that the spec follows",
    "figure": "the figure that the spec follows",
    "note": "anything else to know",
}

VARIANT: Json = {"type": ["string", "integer", "number"]}

PARAMETER: Json = {
    "type": ["null", "boolean", "integer", "number", "string", "array"],
    "items": {"type": ["null", "boolean", "integer", "number", "string", "array"]},
}

PARAMETERS: Json = {
    "type": "object",
    "propertyNames": {"pattern": IDENTIFIER},
    "additionalProperties": PARAMETER,
    "description": "parameters with their defaults; variants and `--set NAME=VALUE` change them",
}

FIGURE_KEYS = ("value", "tolerance", "reason")

FIGURE: Json = {
    "if": {"type": "object"},
    "then": {
        "required": ["value"],
        "additionalProperties": False,
        "properties": {
            "value": {"type": ["integer", "number", "string"], "description": "138M, 3.8G, or an exact number"},
            "tolerance": {"type": ["string", "number"], "description": "2%, or a figure such as 0.1M"},
            "reason": {"type": "string", "minLength": 1, "description": "why the paper differs"},
        },
        "dependencies": {"tolerance": ["reason"]},
    },
    "else": {"type": ["integer", "number", "string", "array"], "items": {"type": ["integer", "null"]}},
}

EXPECTATION: Json = {
    "description": "138M, 3.8G, an exact number, or {value, tolerance, reason}; or {VARIANT: one of these}",
    "if": {"type": "object", "not": {"anyOf": [{"required": [key]} for key in FIGURE_KEYS]}},
    "then": {"additionalProperties": FIGURE},
    "else": FIGURE,
}

RATE: Json = {"type": ["integer", "number"], "minimum": 0, "maximum": 100}

RATES: Json = {
    "description": "percent: one number, or {VARIANT: number}",
    "if": {"type": "object"},
    "then": {"minProperties": 1, "additionalProperties": RATE},
    "else": RATE,
}

PUBLISHED: Json = {
    "type": "object",
    "required": ["protocol", "data", "source"],
    "additionalProperties": False,
    "properties": {
        "top1_error": RATES,
        "top5_error": RATES,
        "protocol": {"type": "string", "description": "`center` (one crop), `ten-crop`, or the source's words"},
        "data": {"type": "string", "description": "the data set and its part: `imagenet validation`"},
        "source": {"type": "string", "description": "where the figures were read, with the number of the table"},
        "year": {"type": "integer", "description": "the year of the challenge that the network took part in"},
        "ensemble": {"type": "boolean", "description": "whether the outputs of several models were averaged"},
    },
}


def spec_schema() -> Json:
    """The whole schema, including loaded plugins."""
    return _spec_schema(len(OPS), len(TRANSFORMS), len(PROTOCOLS))


@cache
def _spec_schema(*numbers: int) -> Json:
    """The schema for the current names of operators, transforms and protocols; a plugin adds to their numbers."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "archspec spec",
        "description": "A family of neural networks in one YAML file, like the table in its paper.",
        "type": "object",
        "if": {"required": ["inputs"]},
        "then": {"required": ["name", "layers"]},
        "else": {"required": ["name", "input", "layers"]},
        "additionalProperties": False,
        "properties": Properties(
            SECTIONS,
            _section,
            {
                "name": {"type": "string", "pattern": TITLE, "description": "the family: `vgg`, `resnet`"},
                "source": {
                    "description": "the publication: authors, year, arXiv id, table",
                    "if": {"type": "object"},
                    "then": {
                        "properties": {
                            key: {"type": ["string", "integer", "number", "array"], "description": doc}
                            for key, doc in SOURCE.items()
                        },
                        "additionalProperties": False,
                    },
                    "else": {"type": "string"},
                },
                "input": {
                    **SIZES,
                    "description": "[height, width, channels], [length, channels], [depth, height, width, channels] or "
                    "[features]; ~ is a free size",
                },
                "inputs": {
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": {"pattern": NAME},
                    "additionalProperties": SIZES,
                    "description": "the inputs of a network with several, by name: {left: [105, 105, 1], ...}",
                },
                "params": PARAMETERS,
                "variants": {
                    "type": ["array", "object"],
                    "items": VARIANT,
                    "minItems": 1,
                    "minProperties": 1,
                    "additionalProperties": {
                        "if": {"type": "null"},
                        "else": {**PARAMETERS, "description": "the parameters that this variant sets"},
                    },
                    "description": "column names for `row`, or a mapping from each variant to the parameters "
                    "that it sets",
                },
                "default": {**VARIANT, "description": "the variant used when a reference names none"},
                "blocks": {
                    "type": "object",
                    "propertyNames": {"pattern": NAME},
                    "description": "named, parameterized lists of layers",
                    "additionalProperties": BLOCK,
                },
                "layers": {**LAYERS, "description": "the network"},
                "outputs": {
                    "type": ["array", "object"],
                    "items": {"type": "string", "pattern": PATH},
                    "minItems": 1,
                    "minProperties": 1,
                    "propertyNames": {"pattern": PATH},
                    "additionalProperties": OUTPUT,
                    "description": "the layers that the network returns, main one first: {LAYER: weight of its loss}, "
                    "{NAME: LAYER} or {NAME: {from: LAYER, weight: 0.3}}",
                },
                "expect": {
                    "type": "object",
                    "description": "figures from the paper, for every variant or as {VARIANT: FIGURE}",
                    "additionalProperties": False,
                    "properties": dict.fromkeys(QUANTITIES, EXPECTATION),
                },
                "published": {
                    "type": "array",
                    "items": PUBLISHED,
                    "minItems": 1,
                    "description": "error rates from the paper or its authors, each with its source; not measured here",
                },
                "preprocess": {
                    "type": "array",
                    "items": one_key(TRANSFORMS),
                    "description": "transforms of the pixels (0 to 255), the same in training, evaluation, "
                    "prediction and export",
                },
            },
        ),
        "definitions": {
            "layers": {"type": "array", "items": {"$ref": "#/definitions/layer"}},
            "layer": _layer(),
        },
    }


CACHES.append(_spec_schema.cache_clear)


def _section(name: str) -> Json:
    if name == "train":
        from archspec.lang.recipes.recipe import Recipe

        return section_schema(Recipe, "the recipe")
    from archspec.lang.recipes.recipe import EvaluationRecipe

    return section_schema(EvaluationRecipe, "the evaluation protocols")


def _layer() -> Json:
    return {
        "if": {"type": "string"},
        "then": {"anyOf": [{"enum": list(OPS)}, {"type": "string"}]},  # for completion; blocks are words as well
        "else": {
            "type": "object",
            "minProperties": 1,
            "properties": Properties(
                OPS,
                lambda name: head(OPS[name], branches=OPS[name].many),
                {
                    **MODIFIERS,
                    "row": {
                        "type": "array",
                        "items": {"if": {"type": "null"}, "else": {"$ref": "#/definitions/layer"}},
                        "description": "one cell for each variant; `~` is an empty cell",
                    },
                    "residual": RESIDUAL,
                    "parts": PARTS,
                },
            ),
        },
    }


def text() -> str:
    """The schema as the file that `archspec schema` prints, with the operators and transforms of all plugins."""
    import json

    load_all_plugins()
    return json.dumps(spec_schema(), default=eager, indent=1, ensure_ascii=False) + "\n"


def eager(lazy: Mapping[str, Json] | BareNames) -> Json | list[str]:
    """The schemas and names that are looked up on demand, as JSON has them."""
    return list(lazy) if isinstance(lazy, BareNames) else dict(lazy)
