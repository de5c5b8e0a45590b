"""A manifest as lines for the user, with what a page may take from it."""

from __future__ import annotations

from archspec.diagnostics import listed
from archspec.runtime.data.manifest import CLASSES, Manifest

NAMED = 20  # bad files that are named one by one


def manifest_text(manifest: Manifest) -> str:
    """Several lines, the last of them ready to be pasted into a page."""
    facts = manifest.to_json()
    lines = [f"{manifest.data}: {facts['images']:,} images ({manifest.decoded:,} decoded now)"]
    for name, counts in facts["parts"].items():
        some = [f"{each} {count:,}" for each, count in list(counts.items())[:CLASSES]]
        some += [f"and {len(counts) - CLASSES} more classes"] if len(counts) > CLASSES else []
        lines.append(f"  {name or 'all'}: {sum(counts.values()):,} images of {len(counts)} classes: {listed(some)}")
    lines.append(f"  formats: {listed(f'{name} {count:,}' for name, count in facts['formats'].items())}")
    for side in ("height", "width"):
        if spread := facts[side]:
            least, median, greatest = spread["least"], spread["median"], spread["greatest"]
            lines.append(f"  {side}: {least} to {greatest} pixels, median {median:g}")
    if facts["turned_by_exif"]:
        lines.append(f"  turned upright by their EXIF orientation: {facts['turned_by_exif']:,}")
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


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
