"""The JSON Schema of blocks, modifiers and structures: what a spec has besides operators and recipes."""

from __future__ import annotations

from archspec.lang.declarations import IDENTIFIER, LAYERS, NAME, PATH, REPEAT, WHEN, Json, or_expression

SHORTCUTS = ("identity", "project", "pad", "project_all", "if_same_shape", "none")

MODIFIERS: Json = {
    "name": {"type": "string", "pattern": NAME, "description": "the name of this layer, used in paths and by `from`"},
    "from": {
        "type": ["string", "array"],
        "pattern": PATH,
        "items": {"type": "string", "pattern": PATH},
        "minItems": 1,
        "description": "the name of the earlier layer that this one reads, or a list of layers to merge",
    },
    "repeat": REPEAT,
    "first": {"type": "object", "minProperties": 1, "description": "arguments of the first copy only"},
    "share": {
        "type": "string",
        "pattern": PATH,
        "description": "the earlier layer or block call whose weights this one uses; without an operator, that layer "
        "is called again",
    },
    "when": WHEN,
}

BLOCK: Json = {
    "type": "object",
    "required": ["layers"],
    "additionalProperties": False,
    "properties": {
        "args": {
            "type": "array",
            "items": {
                "if": {"type": "object"},
                "then": {"minProperties": 1, "maxProperties": 1, "propertyNames": {"pattern": IDENTIFIER}},
                "else": {"type": "string", "pattern": IDENTIFIER},
            },
            "description": "the arguments, as in a Python signature: [filters, strides: 1]",
        },
        "inputs": {
            "type": "array",
            "items": {"type": "string", "pattern": NAME},
            "minItems": 1,
            "description": "the names of its inputs, for `from` inside the block: [x, previous]",
        },
        "outputs": {
            "type": "array",
            "items": {"type": "string", "pattern": PATH},
            "minItems": 1,
            "description": "the layers that it returns, read from outside as CALL/NAME; without them the last one",
        },
        "layers": {**LAYERS, "description": "the layers of the block; `$channels` is the number of input channels"},
    },
}

RESIDUAL: Json = {
    "type": "object",
    "required": ["body"],
    "additionalProperties": False,
    "description": "body + shortcut (He et al. 2016, section 3)",
    "properties": {
        "body": {**LAYERS, "description": "the layers in parallel with the shortcut"},
        "project": {**LAYERS, "description": "the layers of the shortcut if it is not the identity"},
        "shortcut": {
            **or_expression({"enum": list(SHORTCUTS)}),
            "description": "project (option B), pad (A), project_all (C), identity, if_same_shape, none (plain net)",
        },
    },
}

PARTS: Json = {
    "type": "object",
    "minProperties": 2,
    "propertyNames": {"pattern": NAME},
    "additionalProperties": {
        "if": {"type": "null"},
        "else": or_expression({"type": "integer", "minimum": 1}),
    },
    "description": "consecutive channels by name, `~` for the rest, read as NAME/PART: {local: 16, rest: ~}",
}

SIZES: Json = {
    "type": "array",
    "minItems": 1,
    "maxItems": 4,
    "items": or_expression({"type": ["integer", "null"], "minimum": 1}),
}

OUTPUT: Json = {
    "if": {"type": "string"},
    "then": {"pattern": PATH},
    "else": {
        "if": {"type": "object"},
        "then": {
            "required": ["from"],
            "additionalProperties": False,
            "properties": {
                "from": {"type": "string", "pattern": PATH, "description": "the layer"},
                "weight": {"type": "number", "minimum": 0, "description": "the weight of its loss"},
            },
        },
        "else": {"type": "number", "minimum": 0},
    },
}
