"""Write the generated documents of the reference: `python docs/generate.py`. A test fails when they are stale.

archspec/module_index.py  from the classes in the packages of operators, transforms, protocols, ...
docs/operators.md  from the operators, transforms, optimizers and schedules
docs/commands.md   from the command line
docs/api.md        from the signatures and docstrings of the public API
docs/keras.md      its table of layers, from the operators that read them
docs/protocols.md  its table, from the protocols
docs/labs.md       its keys of a lab, from the declarations
docs/gallery/      the pictures of docs/gallery.md, by the commands in it
"""

from __future__ import annotations

from generators.api import api
from generators.commands import commands, readme
from generators.module_index import module_index
from generators.operators import operators
from generators.pages import DOCS
from generators.pictures import pictures
from generators.tables import data, keras_layers, labs, protocols

DOCUMENTS = {
    "../archspec/module_index.py": module_index,
    "api.md": api,
    "operators.md": operators,
    "commands.md": commands,
    "data.md": data,
    "labs.md": labs,
    "keras.md": keras_layers,
    "protocols.md": protocols,
    "../README.md": readme,
    **dict(pictures()),
}

if __name__ == "__main__":
    for file, document in DOCUMENTS.items():
        (DOCS / file).parent.mkdir(exist_ok=True)
        (DOCS / file).write_text(document(), encoding="utf-8")
        print(f"wrote {(DOCS / file).resolve().relative_to(DOCS.parent)}")
