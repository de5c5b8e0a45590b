"""A manifest as lines for the user, with what a page may take from it."""

from __future__ import annotations

from typing import Any

from archspec.diagnostics import listed, visible
from archspec.runtime.data.files.examine import TRANSPARENT
from archspec.runtime.data.report.manifest import CLASSES, Manifest

NAMED = 20  # bad files that are named one by one


def manifest_text(manifest: Manifest) -> str:
    """Several lines, the last of them ready to be pasted into a page."""
    facts = manifest.to_json()
    lines = [f"{visible(manifest.data)}: {_images(facts['images'])} ({manifest.decoded:,} decoded now)"]
    for name, counts in facts["parts"].items():
        some = [f"{each} {count:,}" for each, count in list(counts.items())[:CLASSES]]
        some += [f"and {len(counts) - CLASSES} more classes"] if len(counts) > CLASSES else []
        count = _images(sum(counts.values()))
        lines.append(f"  {name or 'all'}: {count} of {len(counts)} classes: {listed(some)}")
    lines.append(f"  formats: {listed(f'{name} {count:,}' for name, count in facts['formats'].items())}")
    if modes := facts["modes"]:
        lines.append(f"  modes: {listed(f'{name} {count:,}' for name, count in modes.items())}")
    for side in ("height", "width"):
        if spread := facts[side]:
            least, median, greatest = spread["least"], spread["median"], spread["greatest"]
            lines.append(f"  {side}: {least} to {greatest} pixels, median {median:g}")
    if facts["turned_by_exif"]:
        lines.append(f"  turned upright by their EXIF orientation: {facts['turned_by_exif']:,}")
    if facts["transparent"]:
        lines.append(f"  with transparent pixels: {facts['transparent']:,}, {TRANSPARENT}")
    lines += _copies(facts)
    bad = manifest.bad
    if bad:
        lines.append(f"  cannot be read as images: {len(bad):,}")
        lines += [f"    {file}: {reason}" for file, reason in bad[:NAMED]]
        lines += [f"    and {len(bad) - NAMED:,} more"] if len(bad) > NAMED else []
    lines += [f"  {problem}" for problem in facts["problems"]]
    if found := manifest.colours:
        components = ", ".join(f"[{_numbers(row)}]" for row in found.components)
        lines += [
            "of the training images, grey levels 0 to 255:",
            f"  preprocess: [normalize: {{mean: [{_numbers(found.mean)}], std: [{_numbers(found.std)}]}}]",
            f"  pca_color: {{deviations: [{_numbers(found.deviations)}], components: [{components}]}}",
        ]
    return "\n".join(lines)


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"


def _copies(facts: dict[str, Any]) -> list[str]:
    lines = []
    if facts["copies"]:
        shared = facts["copies_of_training_images"]
        others = f"; training images outside of `train`: {shared:,}" if shared else ""
        lines.append(f"  copies of another image: {facts['copies']:,}{others}")
    if pairs := facts["of_several_classes"]:
        lines.append(f"  the same image in two classes: {len(pairs):,}")
        lines += [f"    {one} and {other}" for one, other in pairs[:NAMED]]
        lines += [f"    and {len(pairs) - NAMED:,} more"] if len(pairs) > NAMED else []
    return lines


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
