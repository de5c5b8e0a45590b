"""The report as Markdown, with its pictures as files in a folder beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from archspec.diagnostics import terminal_text
from archspec.drawings.svg import document
from archspec.format import Table
from archspec.runtime.evaluation.confusion_plot import confusion_png
from archspec.runtime.evaluation.outputs import markdown_table, table_note
from archspec.runtime.run_report.confusion import largest_confusions
from archspec.runtime.run_report.content import HardImage, Photo, ReportContent
from archspec.runtime.run_report.photos import side_by_side
from archspec.runtime.run_report.sections import class_cells, percent, rate_cells

CLASSES = 50
"""Most classes that are listed, those with the largest errors."""
SPECIAL = str.maketrans({each: f"\\{each}" for each in "\\`*_{}[]<>#|~"})


class MarkdownReport:
    """Writes the text, and collects the pictures that it shows.

    Args:
        folder: the name of the folder of the pictures, beside the text.
    """

    def __init__(self, content: ReportContent, folder: str, date: str) -> None:
        self.content, self.folder, self.date = content, folder, date
        self.pictures: dict[str, bytes] = {}
        """File name -> contents."""
        self.text = "\n\n".join(self._parts()) + "\n"

    def write_pictures(self, folder: Path) -> None:
        """Write the pictures into a folder, which exists."""
        for name, data in self.pictures.items():
            (folder / name).write_bytes(data)

    def _parts(self) -> Iterator[str]:
        content = self.content
        yield f"# {plain(content.title)}"
        yield f"Run {code(str(content.directory))}. Written by archspec on {self.date}."
        yield "\n".join(
            Table(["figure", "value"], [[name, plain(text)] for name, text in content.facts.items()]).markdown()
        )
        for note in content.notes:
            yield f"> **Note:** {prose(note)}"
        yield from self._results()
        yield from self._data()
        yield from self._network()
        yield from self._run()

    def _results(self) -> Iterator[str]:
        content = self.content
        yield "## Metrics"
        if content.evaluations:
            yield f"Evaluated: {prose(content.evaluated)}"
            yield markdown_table(content.evaluations)
            yield table_note(content.evaluations)
        else:
            yield "There is no evaluation; the figures above are those of training."
        curves = content.directory / "curves.png"
        if curves.is_file():
            yield "## Learning curves"
            yield self._picture("curves.png", curves.read_bytes(), "Learning curves")
        if not content.evaluations:
            return
        evaluation = content.evaluations[0]
        if evaluation.output or not evaluation.has_confusion:
            yield "## Classes, labels and numbers"
            for each in content.evaluations:
                if each.protocol == evaluation.protocol:
                    if each.output:
                        yield f"### {plain(each.output)}"
                    headings, cells = class_cells(each)
                    yield _table(list(map(plain, headings)), [[plain(cell) for cell in row] for row in cells], 1)
            return
        yield "## Confusion matrix"
        yield self._picture("confusion.png", confusion_png(evaluation), "Confusion matrix")
        rows = [
            [plain(true), plain(predicted), f"{images:,}", percent(images / total)]
            for true, predicted, images, total in largest_confusions(evaluation)
        ]
        if rows:
            yield _table(["true class", "predicted", "images", "of the class"], rows, 2)
        yield "## Classes"
        ordered = sorted(evaluation.classes, key=lambda each: -(each.error.rate or 0))
        few = len(ordered) <= CLASSES
        shown = evaluation.classes if few else ordered[:CLASSES]
        if not few:
            yield f"The {CLASSES} classes with the largest errors, of {len(ordered):,}."
        lines = [[plain(each.name), f"{each.images:,}", f"{each.correct:,}", *rate_cells(each.error)] for each in shown]
        yield _table(["class", "images", "correct", "top-1 error", "95 % interval"], lines, 1)
        if content.mistakes:
            yield "## Most confident mistakes"
            yield self._images("mistake", content.mistakes)
        if content.pairs:
            yield "## Least sure images"
        for number, pair in enumerate(content.pairs, 1):
            yield f"### {plain(pair.first)} and {plain(pair.second)}"
            yield (
                f"{plain(pair.first)} predicted as {plain(pair.second)}: {pair.first_as_second:,}; "
                f"{plain(pair.second)} predicted as {plain(pair.first)}: {pair.second_as_first:,}."
            )
            if pair.images:
                yield self._images(f"pair{number}", pair.images)

    def _images(self, name: str, images: Sequence[HardImage]) -> str:
        with_pictures = any(image.photo for image in images)
        headings = ["predicted", "probability", "other class", "probability ", "true class", "image"]
        rows = []
        for number, image in enumerate(images, 1):
            cells = [plain(image.predicted), f"{100 * image.confidence:.1f} %"]
            different = image.other != image.predicted
            cells += [plain(image.other), f"{100 * image.other_probability:.1f} %"] if different else ["", ""]
            cells += [plain(image.truth), code(image.name)]
            if with_pictures:
                maps = [heat.photo for heat in image.heat_maps]
                cells = [self._photos(f"{name}-{number}", [image.photo, *maps]), *cells]
            rows.append(cells)
        return _table(
            ["image, Grad-CAM of the predicted and the other class", *headings] if with_pictures else headings, rows
        )

    def _photos(self, name: str, photos: Sequence[Photo | None]) -> str:
        there = [photo for photo in photos if photo is not None]
        return self._picture(f"{name}.jpg", side_by_side(there).data, "image and Grad-CAM") if there else ""

    def _picture(self, name: str, data: bytes, description: str) -> str:
        self.pictures[name] = data
        return f"![{description}]({self.folder}/{name})"

    def _data(self) -> Iterator[str]:
        summary = self.content.data
        yield "## Data"
        yield f"{code(summary.source)}, {plain(summary.labels)}."
        rows = [[part.name, f"{part.images:,}", part.of, code(part.sha256)] for part in summary.parts]
        yield _table(["part", "images", "of", "fingerprint (SHA-256)"], rows, 1, 2)
        yield listed(summary.preprocessing)
        yield "### Augmentation"
        yield listed(summary.augmentation) if summary.augmentation else "The training images are not augmented."
        if summary.samples:
            yield "### Training images: as in evaluation, then as augmented in the first epochs"
            rows = [
                [plain(row.class_name), self._picture(f"sample-{number}.jpg", side_by_side(row.views).data, "sample")]
                for number, row in enumerate(summary.samples, 1)
            ]
            yield _table(["class", "views"], rows)

    def _network(self) -> Iterator[str]:
        yield "## Network"
        if self.content.summary:
            yield fenced(self.content.summary)
        drawing = self.content.drawing
        if drawing is not None:
            text = document(drawing.content, drawing.width, drawing.height, drawing.title, style=drawing.style)
            yield self._picture("network.svg", text.encode(), "Drawing of the network")

    def _run(self) -> Iterator[str]:
        content = self.content
        yield "## Recipe"
        yield listed(content.recipe)
        yield "## Environment"
        yield _table(["what", "value"], [[name, plain(text)] for name, text in content.environment.items()])
        yield "## Reproduce"
        commands = content.commands
        yield fenced("\n".join([commands.train, commands.evaluate, commands.report]), "sh")
        yield listed([f"Seed {content.record['seed']}.", *commands.caveats])


def plain(text: str) -> str:
    """Text whose characters have no meaning in Markdown."""
    return " ".join(terminal_text(text).translate(SPECIAL).split())


def code(text: str) -> str:
    """Text as code: in more backticks than it has itself."""
    text = " ".join(terminal_text(text).replace("|", "\\|").split())
    marks = "`" * (max(map(len, "".join(each if each == "`" else " " for each in text).split()), default=0) + 1)
    return f"{marks} {text} {marks}" if "`" in text else f"{marks}{text}{marks}"


def prose(text: str) -> str:
    """A sentence, whose words in backticks are code."""
    return "".join(code(part) if place % 2 else plain_words(part) for place, part in enumerate(text.split("`")))


def plain_words(text: str) -> str:
    """As `plain`, with the spaces at both ends."""
    return terminal_text(text).translate(SPECIAL).replace("\n", " ")


def listed(lines: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {prose(line)}" for line in lines)


def fenced(text: str, language: str = "") -> str:
    """A block of code, in more backticks than it has itself."""
    marks = "```"
    while marks in text:
        marks += "`"
    return f"{marks}{language}\n{terminal_text(text)}\n{marks}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], first: int = 0, last: int | None = None) -> str:
    """A table, whose columns from `first` are aligned to the right if that is not 0."""
    right = headings[first:last] if first else ()
    rows = [[cell.replace("\\|", "|") for cell in row] for row in rows]  # which Table escapes
    return "\n".join(Table(headings, rows, right).markdown())
