"""The text of `archspec data check`."""

from __future__ import annotations

from archspec.diagnostics import listed, visible
from archspec.runtime.data.files.file_checks import TRANSPARENT
from archspec.runtime.data.report.manifest import CLASSES, Manifest

NAMED = 20  # bad files that the text names


def manifest_text(manifest: Manifest) -> str:
    """Several lines; the last two can be copied into a spec."""
    facts = manifest.to_json()
    lines = [f"{visible(manifest.data)}: {_images(facts['images'])} ({manifest.decoded:,} decoded now)"]
    for name, counts in facts["parts"].items():
        classes = listed((f"{each} {count:,}" for each, count in counts.items()), CLASSES)
        lines.append(f"  {name or 'all'}: {_images(sum(counts.values()))} of {len(counts)} classes: {classes}")
    for name in ("formats", "modes"):
        if counts := facts[name]:
            lines.append(f"  {name}: {listed(f'{each} {count:,}' for each, count in counts.items())}")
    for side in ("height", "width"):
        if spread := facts[side]:
            lines.append(f"  {side}: {spread['least']} to {spread['greatest']} pixels, median {spread['median']:g}")
    if facts["turned_by_exif"]:
        lines.append(f"  turned upright by their EXIF orientation: {facts['turned_by_exif']:,}")
    if facts["transparent"]:
        lines.append(f"  with transparent pixels: {facts['transparent']:,}, {TRANSPARENT}")
    if facts["copies"]:
        shared = facts["copies_of_training_images"]
        others = f"; training images outside of `train`: {shared:,}" if shared else ""
        lines.append(f"  copies of another image: {facts['copies']:,}{others}")
    lines += _named(
        "the same image in two classes", [f"{one} and {other}" for one, other in facts["of_several_classes"]]
    )
    lines += _named("cannot be read as images", [f"{file}: {reason}" for file, reason in manifest.bad])
    lines += [f"  {problem}" for problem in facts["problems"]]
    if found := manifest.colors:
        components = ", ".join(f"[{_numbers(row)}]" for row in found.components)
        lines += [
            "colors of the training images, in grey levels 0 to 255:",
            f"  preprocess: [normalize: {{mean: [{_numbers(found.mean)}], std: [{_numbers(found.std)}]}}]",
            f"  pca_color: {{deviations: [{_numbers(found.deviations)}], components: [{components}]}}",
        ]
    return "\n".join(lines)


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"


def _named(heading: str, each: list[str]) -> list[str]:
    """A count, and one line for each of the first ones."""
    if not each:
        return []
    more = [f"    and {len(each) - NAMED:,} more"] if len(each) > NAMED else []
    return [f"  {heading}: {len(each):,}", *(f"    {line}" for line in each[:NAMED]), *more]


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
