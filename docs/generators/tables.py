"""The tables inside docs/data.md, keras.md, labs.md and protocols.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.api import data_sources
from archspec.declare import arguments
from archspec.lang.declarations import default_text
from archspec.plugins import load_all_plugins
from archspec.protocols import PROTOCOLS
from archspec.protocols.base import passes
from archspec.runtime.from_keras.coverage import rows as layer_rows
from archspec.runtime.labs.lab import Lab, LabArm, LabComparison, LabFigure, LabImages, LabScale, LabTest
from generators.pages import DOCS, doc_of, with_table


def protocols() -> str:
    """docs/protocols.md with its table of the protocols brought up to date."""
    rows = ["| protocol | views of an image | forward passes by default | source |", "|---|---|---:|---|"]
    for name, protocol in PROTOCOLS.items():
        count = passes(protocol().plan((224, 224, 3), 256))
        rows.append(f"| `{name}` | {doc_of(protocol).splitlines()[0]} | {count} | {protocol.paper} |")
    return with_table("protocols", rows)


def keras_layers() -> str:
    """docs/keras.md with its table of the layers of Keras brought up to date."""
    load_all_plugins()
    found = [f"| `{layer}` | {text} |" for layer, text in layer_rows()]
    return with_table("keras", ["| layer or function of Keras | in a spec |", "|---|---|", *found])


def labs() -> str:
    """The section of docs/labs.md on the keys of a lab."""
    mark = "## The keys of a lab\n"
    before, _, after = (DOCS / "labs.md").read_text(encoding="utf-8").partition(mark)
    _, heading, rest = after.partition("\n## ")
    text = before + mark
    parts = {"": Lab, "images": LabImages, "arms": LabArm, "tests": LabTest, "compare": LabComparison}
    for name, each in (parts | {"figure": LabFigure, "scales": LabScale}).items():
        title = f"\n### `{name}:`\n" if name else ""
        rows = []
        for key in arguments(each):
            default = "required" if key.required else _plain_default(key.default)
            rows.append(f"| `{key.name}` | {key.doc}{_choices(key.schema)} | {default} |")
        text += "\n".join([title, "| key | meaning | default |", "|---|---|---|", *rows]) + "\n"
    return text + heading + rest


def _choices(schema: Mapping[str, Any]) -> str:
    """The values of a key that has few."""
    values = (str(each).lower() if isinstance(each, bool) else each for each in schema.get("enum", ()))
    return f" ({', '.join(f'`{each}`' for each in values)})" if "enum" in schema else ""


def _plain_default(value: Any) -> str:
    """The default of a key of a lab; nothing for an empty text, list, mapping or section."""
    return (
        f"`{default_text(value)}`"
        if isinstance(value, (bool, int, float)) or (value and isinstance(value, str))
        else ""
    )


def data() -> str:
    """docs/data.md with its table of the data sources brought up to date."""
    rows = [f"| {_codes(form)} | {summary} |" for form, summary in data_sources()]
    return with_table("data", ["| DATA | images |", "|---|---|", *rows])


def _codes(form: str) -> str:
    return ", ".join(f"`{each}`" for each in form.split(", "))
