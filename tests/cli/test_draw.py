"""`archspec draw`: files, references and mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from tests.cli.conftest import Run
from tests.drawings.graph.drawn import problems, read
from tests.drawings.test_drawing import needs_cairo

SPEC = "name: net\ninput: [8, 6, 3]\nlayers:\n  - conv: {filters: 4, kernel_size: 3}\n  - relu\n"


@needs_cairo
def test_a_file_is_written_by_its_suffix(run: Run, tmp_path: Path) -> None:
    for suffix, start in ((".svg", b"<svg"), (".html", b"<!doctype html>"), (".png", b"\x89PNG"), (".pdf", b"%PDF")):
        out = tmp_path / f"net{suffix}"
        assert run("draw", "lenet:5", "-o", out) == (0, f"wrote {out}\n", "")
        assert out.read_bytes().startswith(start)


def test_options_change_the_drawing(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "net.svg"
    options = ("--unfold", "--depth", "9", "--direction", "right", "--show", "params,macs", "--set", "classes=7")
    assert run("draw", "resnet:18", "-o", out, *options).status == 0
    drawn, graph = read(out.read_text()), archspec.load("resnet:18", classes=7).graph()
    assert problems(drawn, graph, complete=True) == []
    width, height = drawn.boxes[-1].rect[2:]
    assert width > 5 * height
    assert "3591 params · 3584 MACs" in [text for item in drawn.boxes for text, *_ in item.texts]


def test_a_reference_is_a_spec_or_a_run_directory(run: Run, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "spec.yaml").write_text(SPEC)
    (tmp_path / "net.yaml").write_text(SPEC)
    for reference in (tmp_path / "run", tmp_path / "net.yaml"):
        out = tmp_path / f"{reference.name}.svg"
        assert run("draw", reference, "-o", out).status == 0
        assert [item.path for item in read(out.read_text()).boxes] == ["input", "conv", "relu"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("vgg:D", "-o", "a.gif"), 1, "error[bad-output]: the name `a.gif` does not end in `.svg`"),
        (("vgg:D", "-o", "there.svg"), 1, "error[output-exists]: `there.svg` exists"),
        (("vgg:D", "-o", "no/a.svg"), 1, "error[cannot-write]"),
        (("vgg:Q", "-o", "a.svg"), 1, "error[unknown-variant]"),
        (("vgg:D", "vgg:E", "-o", "a.svg"), 1, "error[draw-option]: the style `graph` draws one network, but 2"),
        (("nowhere.keras", "-o", "a.svg"), 1, "error[model-not-found]"),
        (("vgg:D", "-o", "a.svg", "--show", "flops"), 2, "'flops' is not one of params, macs"),
        (("vgg:D", "-o", "a.svg", "--depth", "0"), 2, "--depth"),
        (("vgg:D",), 2, "-o FILE"),
        (("-o", "a.svg"), 2, "REF"),
    ],
)
def test_mistakes_write_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.svg").write_text("mine")
    result = run("draw", *arguments)
    assert result.status == status
    assert message in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["there.svg"]
    assert (tmp_path / "there.svg").read_text() == "mine"
    if message.endswith("exists"):
        assert run("draw", *arguments, "--overwrite").status == 0
        assert (tmp_path / "there.svg").read_text().startswith("<svg")


def test_a_free_input_is_drawn_with_question_marks(run: Run, tmp_path: Path) -> None:
    spec, out = tmp_path / "net.yaml", tmp_path / "net.svg"
    spec.write_text(SPEC.replace("[8, 6, 3]", "[null, null, 3]"))
    assert run("draw", spec, "-o", out, "--show", "macs").status == 0
    drawn = read(out.read_text())
    assert {text for _, text, _ in drawn.shapes} == {"?×?×3", "?×?×4"}
    assert problems(drawn, archspec.load(str(spec)).graph(), complete=True) == []
