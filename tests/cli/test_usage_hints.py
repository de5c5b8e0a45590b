"""Wrong usage that newcomers meet: each message says what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

SPEC = "name: net\ninput: [8, 8, 3]\nvariants: {a: {w: 2}, b: {w: 3}}\nparams: {w: 2}\nlayers: [flatten, dense: $w]\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("net.yaml", "To see a network, write `archspec summarize net.yaml`."),
        ("vgg:A", "To see a network, write `archspec summarize vgg:A`."),
        ("summarize net.yaml a", "Write `net.yaml:a`."),
        ("summarize vgg:A --set classes 10", "Write `--set classes=10`."),
        ("train net.yaml photos", "Write `--data photos`."),
        ("train net.yaml --data photos --lr 0.1", "Write `--set train.optimizer.sgd.learning_rate=...`."),
        ("train net.yaml --data photos --gpu 1", "Write `--devices`."),
        ("train net.yaml --data photos -e 3", "Write `--epochs`."),
        ("train net.yaml --data photos --validation-split 20%", "Write a share between 0 and 1, such as 0.2."),
    ],
)
def test_wrong_usage_says_what_to_write(
    words: str, hint: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(SPEC)
    (tmp_path / "photos").mkdir()
    result = run(*words.split())
    assert (result.status, result.err.rstrip().endswith(hint)) == (2, True), result.err


@pytest.mark.parametrize(
    ("name", "help"),
    [
        ("net.yaml", "this is a spec"),
        ("a.zip", "unpack it"),
        ("a.XLSX", "save the table as CSV"),
        ("a.npy", "numpy.savez"),
        ("a.weights.h5", "this is a network"),
        ("a.png", "give the folder"),
    ],
)
def test_files_that_are_no_data_are_answered_by_their_kind(name: str, help: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    result = run("data", "check", tmp_path / name)
    assert (result.status, help in result.err.partition("help: ")[2]) == (1, True), result.err
    assert "did you mean `keras:cifar10`?" in run("data", "check", "cifar10").err


@pytest.mark.parametrize(("name", "help"), [("net.yaml", "archspec train"), ("a.PNG", "first"), ("w.pth", "--weights")])
def test_files_that_are_no_models_are_answered_by_their_kind(name: str, help: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a.png").write_bytes(b"x")
    result = run("predict", tmp_path / name, tmp_path / "a.png")
    assert (result.status, help in result.err.partition("help: ")[2]) == (1, True), result.err
