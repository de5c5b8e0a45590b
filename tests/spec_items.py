"""Drafts of layers and blocks for random specs. Not every draft checks."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any

from archspec.declare import Argument, arguments
from archspec.lang.schema.structures import SHORTCUTS
from archspec.ops import OPS, merges

Json = Any

COMMON = ["conv", "conv", "conv", "depthwise_conv", "bn", "relu", "maxpool", "avgpool", "dense", "zero_pad"]
PLAIN = [name for name, op in OPS.items() if not op.many]
FORK = ["fork", "left", "right"]
NAMES = ["a", "b", "c", "stem", "conv", "relu_2", "input", "1", "_x", "head-1"]
INTEGERS = [
    "$f",
    "$(2 * f)",
    "$channels",
    "$(max(f, channels) // 2)",
    "$(n + 1)",
    "$(sizes[1])",
    "$(shape[0])",
    "$copy",
]
NUMBERS = {"minimum": [0, 0.5, 1], "exclusiveMinimum": [0.25, 0.5, 1, 2], None: [-0.5, 0, 0.5, 1]}


def _mapping(item: Json) -> dict[str, Json]:
    return {item: None} if isinstance(item, str) else dict(item)


@dataclass
class Items:
    """Drafts of items for a spec of that rank, with that many variants. Not every one of them checks."""

    random: Random
    rank: int
    variants: int
    blocks: list[str] = field(default_factory=list)

    def one_of(self, *values: Any) -> Any:
        return self.random.choice(values)

    def often(self) -> bool:
        return self.random.random() < 0.5

    def sometimes(self) -> bool:
        return self.random.random() < 0.25

    # ---- items -------------------------------------------------------------------------------------------------

    def motif(self) -> list[Json]:
        """Some items that belong together."""
        kinds = [self.operator] * 4 + [
            self.call,
            self.residual,
            self.branches,
            self.fork,
            self.squeeze,
            self.share,
            self.parts,
        ]
        kinds += [self.row] * 2 * bool(self.variants)
        drawn = self.one_of(*kinds)()
        return drawn if isinstance(drawn, list) else [self.modified(drawn)]

    def simple(self) -> Json:
        """An item that may stand in a branch, a block or a row."""
        return self.modified(self.one_of(self.operator, self.operator, self.operator, self.call)())

    def items(self, least: int, most: int) -> list[Json]:
        return [self.simple() for _ in range(self.random.randint(least, most))]

    def modified(self, item: Json) -> Json:
        """The item, perhaps with a name, copies, or a condition."""
        if not self.sometimes():
            return item
        item = _mapping(item)
        if self.sometimes():
            item["when"] = self.one_of("$flag", "$(not flag)", "$(f > 2)", "$(n in sizes or flag)", True)
        if self.often():
            item["repeat"] = self.one_of(1, 2, 3, "$n", "$(n if flag else 2)", "$(min(n, 2))")
            head = next(iter(item))
            if head in ("conv", "maxpool", "basic", "stage") and isinstance(item[head], dict) and self.often():
                item["first"] = {"strides": 2}
        if self.often():
            item["name"] = self.one_of(*NAMES)
        return item

    def operator(self) -> Json:
        """An operator alone, with its first argument as a bare value, or with some of its arguments."""
        if self.sometimes():
            return self.keeping()
        name = self.one_of(*(COMMON if self.often() else PLAIN))
        declared = arguments(OPS[name])
        needed = [argument for argument in declared if argument.required]
        if name == "conv" and self.sometimes():
            name = "$unit"
        if len(needed) <= 1 and self.often():
            return {name: self.argument(declared[0])} if needed else name
        given = [argument for argument in declared if argument.required or self.random.random() < 0.4]
        values = {argument.name: self.argument(argument) for argument in given}
        if any(argument.name == "standardize" for argument in declared) and not values.get("standardize"):
            values.pop("epsilon", None)  # it would have no effect
        return {name: values or None}

    def keeping(self) -> Json:
        """An operator that keeps the shape of what enters its block."""
        if not self.rank:
            return self.one_of({"dense": "$channels"}, "bn", "tanh")
        same = {"kernel_size": self.one_of(1, 2, 3), "padding": "same"}
        return self.one_of({"conv": {"filters": "$channels", **same}}, {"depthwise_conv": same}, "bn", "relu", "lrn")

    def call(self) -> Json:
        """A call of a block."""
        if not self.blocks:
            return self.operator()
        name, filters = self.one_of(*self.blocks), self.integer(1, 6)
        if name == "pair" or self.often():
            return {name: filters}
        return {name: {"filters": filters, "strides": self.one_of(1, 2, "$(1 if flag else 2)")}}

    def pair(self) -> Json:
        """The declaration of a block of two inputs, a recurrence where it is repeated."""
        layers = [
            {**_mapping(self.keeping()), "name": "h", "from": "x"},
            {**_mapping(self.simple()), "name": "p", "from": "previous"},
        ]
        merge = {self.one_of(*merges()): None, "from": ["h", "p"]}
        return {"inputs": ["x", "previous"], "args": [{"filters": "$call"}], "layers": [*layers, merge]}

    def block(self) -> Json:
        """The declaration of a block, which may call the ones declared before it."""
        layers = self.items(1, 3)
        if self.often():
            window = {"filters": "$filters", "kernel_size": 3, "strides": "$strides", "padding": "same"}
            layers.insert(0, {"conv": window} if self.rank else {"dense": "$filters"})
        if self.often():
            layers.append(self.residual())
        return {"args": ["filters", {"strides": 1}, {"extra": "$(2 * filters)"}], "layers": layers}

    def residual(self) -> Json:
        """Any kind of shortcut around one to three items."""
        parts: dict[str, Json] = {"body": self.items(1, 2)}
        if self.often():
            parts["body"] = [self.keeping(), *parts["body"][:1], self.keeping()]
        if self.rank and self.often():
            window = {"filters": self.integer(1, 6), "strides": self.one_of(1, 2), "padding": "same"}
            parts["body"] = [{"conv": {**window, "kernel_size": 3}}]
            parts["project"] = [{"conv": {**window, "kernel_size": 1}}, *self.items(0, 1)]
        if self.often():
            parts["shortcut"] = self.one_of("$shortcut", *SHORTCUTS)
        return {"residual": parts}

    def branches(self) -> Json:
        """A merge of two or three branches, one of which may be empty: the identity."""
        head, keep = self.one_of(*merges(), "concat"), self.often()
        given = {argument.name: self.argument(argument) for argument in arguments(OPS[head]) if self.sometimes()}
        for name in self.random.sample(["left", "right", "0", "pool"], self.one_of(2, 3)):
            inside = [self.keeping()] if keep else self.items(0, 2)
            given[name] = inside if not self.sometimes() else self.copied(inside)
        return {head: given}

    def copied(self, layers: list[Json]) -> Json:
        """A branch in copies, or with a condition."""
        branch: dict[str, Json] = {"layers": layers}
        if self.often():
            branch["repeat"] = self.one_of(0, 1, 2, "$n")
        if self.often():
            branch["when"] = self.one_of("$flag", "$(not flag)", True)
        return branch

    def parts(self) -> list[Json]:
        """Consecutive channels, and a merge of them."""
        split = {"name": "split", "parts": {"one": self.one_of(1, 2, "$f"), "other": self.one_of(None, None, 1, 2)}}
        return [split, {self.one_of(*merges(), "concat"): None, "from": ["split/one", "split/other"]}]

    def fork(self) -> list[Json]:
        """Layers that read others by name, and a merge of both."""
        keep = self.often()
        named = [{**_mapping(self.keeping() if keep else self.operator()), "name": name} for name in FORK]
        named[2]["from"] = "fork"
        return [*named, {self.one_of(*merges()): None, "from": ["left", "right"]}]

    def share(self) -> list[Json]:
        """Weights that two layers, or calls of a block, use."""
        own = {**_mapping(self.one_of(self.keeping, self.operator, self.call)()), "name": "own"}
        head = {word: value for word, value in own.items() if word != "name"} if self.often() else {}
        again = {**deepcopy(head), "name": "again", "share": "own"}
        if self.often():
            again["repeat"] = self.one_of(1, 2)
        return [self.keeping(), own, again, {self.one_of(*merges()): None, "from": ["own", "again"]}]

    def squeeze(self) -> Json:
        """Squeeze and excitation: a merge that broadcasts (Hu et al. 2018)."""
        gate = [{"global_avgpool": {"keepdims": self.often()}}, {"dense": "$channels"}, "sigmoid"]
        return {"multiply": {"map": [], "gate": gate}}

    def row(self) -> Json:
        """One cell for each variant."""
        return {"row": [None if self.sometimes() else self.simple() for _ in range(self.variants)]}

    # ---- arguments, from the fragment of JSON Schema that declares them ------------------------------------------

    def argument(self, argument: Argument) -> Json:
        schema = argument.schema
        if "if" in schema:  # a word, or pixels
            schema = schema["then"] if self.often() else schema["else"]
        return self.value(schema)

    def value(self, schema: Mapping[str, Any]) -> Json:
        if "enum" in schema:
            return self.one_of(*schema["enum"])
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        match self.one_of(*types):
            case "integer":
                return self.integer(schema.get("minimum", -2), schema.get("minimum", -2) + 3)
            case "number" if "exclusiveMaximum" in schema:
                return self.one_of(0, 0.25, 0.5, "$(1 / 3)")
            case "number":
                bound = next((key for key in ("minimum", "exclusiveMinimum") if key in schema), None)
                return self.one_of(*NUMBERS[bound])
            case "boolean":
                return self.one_of(True, False, "$flag")
            case "array":
                least, most = schema.get("minItems", 1), schema.get("maxItems", 3)
                count = self.rank if least <= self.rank <= most else self.random.randint(least, most)
                return [self.value(schema["items"]) for _ in range(count)]
            case "null":
                return None
        raise AssertionError(f"no values for {schema}")

    def integer(self, least: int, most: int) -> Json:
        """A number in the bounds, or an expression, which is not always in them."""
        return self.one_of(*INTEGERS) if least >= 0 and self.sometimes() else self.random.randint(least, most)
