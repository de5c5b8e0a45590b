"""Write what is generated from the examples and the declarations: `python -m tests.examples.accept`.

tests/examples/bad/*.stderr, docs/errors.md and archspec/schema.json. Read every difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path

from archspec.lang.schema import spec_schema as schema
from tests.examples import errors
from tests.examples.specs import BAD, HERE, golden, printed

ROOT = Path(__file__).parents[2]


def accept() -> list[Path]:
    """The files that were not as they should be."""
    wanted = {golden(spec): printed(spec) for spec in BAD}
    changed = [stale for stale in (HERE / "bad").glob("*.stderr") if stale not in wanted]
    for stale in changed:
        stale.unlink()
    wanted[ROOT / "docs" / "errors.md"] = errors.text()
    wanted[ROOT / "archspec" / "schema.json"] = schema.text()
    for path, text in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    for path in accept():
        print(path.relative_to(ROOT))
