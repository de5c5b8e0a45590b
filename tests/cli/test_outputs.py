"""Every command that writes: read-only folders, full disks, missing folders and outputs that exist."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import archspec
from tests.cli.conftest import Run

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SPEC = """
name: tiny
input: [8, 8, 1]
params: {classes: 10}
train: {epochs: 1, batch_size: 512}
layers: [{conv: 300}, relu, global_avgpool, {dense: $classes}, softmax]
"""
COMMANDS = {
    "schema": ("schema", "-o", "OUT.json"),
    "build": ("build", "SPEC", "-o", "OUT.keras"),
    "from-keras": ("from-keras", "MODEL", "-o", "OUT.yaml"),
    "convolutionalize": ("convolutionalize", "SPEC", "-o", "OUT.yaml"),
    "convolutionalize model": ("convolutionalize", "MODEL", "-o", "OUT.keras"),
    "draw": ("draw", "SPEC", "-o", "OUT.svg"),
    "draw --style table": ("draw", "vgg", "--style", "table", "-o", "OUT.md"),
    "compare": ("compare", "SPEC", "lenet:5", "-o", "OUT"),
    "explain": ("explain", "gradcam", "MODEL", "IMAGE", "-o", "OUT"),
    "data preview": ("data", "preview", "SPEC", "--data", "digits", "-o", "OUT.png"),
    "export": ("export", "MODEL", "--no-verify", "-o", "OUT"),
    "train": ("train", "SPEC", "--data", "digits", "-o", "OUT"),
    "evaluate": ("evaluate", "MODEL", "--data", "digits", "-o", "OUT"),
    "predict": ("predict", "MODEL", "IMAGE", "-o", "OUT.csv"),
    "evaluate --save-predictions": ("evaluate", "MODEL", "--data", "digits", "--save-predictions", "OUT.npz"),
}
REPLACES = {"schema"}
"""Commands that replace a file of their own unasked: it is generated."""
ADDS_A_VERSION = {"export"}
"""Commands whose second output is a further folder beside the first."""
MAKES_FOLDERS = {"compare", "explain", "export", "train", "evaluate", "evaluate --save-predictions"}
SMALL = {"draw", "draw --style table", "from-keras", "convolutionalize", "data preview", "predict"}
"""Commands whose output fits on the small disk."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    from PIL import Image

    folder = tmp_path_factory.mktemp("inputs")
    (folder / "tiny.yaml").write_text(SPEC)
    archspec.load(str(folder / "tiny.yaml")).save(folder / "tiny.keras")
    Image.new("L", (8, 8), 99).save(folder / "a.png")
    return {"SPEC": str(folder / "tiny.yaml"), "MODEL": str(folder / "tiny.keras"), "IMAGE": str(folder / "a.png")}


def mounted(folder: Path, *arguments: str) -> Iterator[Path]:
    """The folder while something is mounted there; only root may."""
    folder.mkdir()
    done = subprocess.run(["mount", *arguments, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "fixed", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Three specs of 4 kB: names and the smallest files fit."""
    yield from mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=12k", "tmpfs")


def arguments(command: str, inputs: dict[str, str], folder: Path) -> list[str]:
    return [inputs.get(word, word.replace("OUT", f"{folder}/out")) for word in COMMANDS[command]]


def output(command: str, folder: Path) -> Path:
    return folder / COMMANDS[command][-1].replace("OUT", "out")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_read_only_folder_is_named_before_the_work(
    run: Run, command: str, inputs: dict[str, str], read_only: Path
) -> None:
    done = run(*arguments(command, inputs, read_only))
    assert (done.status, done.out) == (1, "")
    out = output(command, read_only)
    assert done.err.startswith(f"error[cannot-write]: cannot write `{out}`: read-only file system\n"), done.err
    assert done.err.count("\n") == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_written_below_a_file(run: Run, command: str, inputs: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    done = run(*arguments(command, inputs, tmp_path / "file"))
    assert done.status == 1
    assert "error[cannot-write]" in done.err
    assert "not a directory" in done.err
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_folder_is_made_or_named(run: Run, command: str, inputs: dict[str, str], tmp_path: Path) -> None:
    done = run(*arguments(command, inputs, tmp_path / "new" / "folder"))
    if command in MAKES_FOLDERS:
        assert done.status == 0, done.err
        assert output(command, tmp_path / "new" / "folder").exists()
    else:
        assert done.status == 1
        assert "create the folder first" in done.err
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in SMALL])
def test_a_full_disk_leaves_nothing_behind(run: Run, command: str, inputs: dict[str, str], small_disk: Path) -> None:
    done = run(*arguments(command, inputs, small_disk))
    assert done.status == 1
    assert "error[cannot-write]: cannot write" in done.err, done.err
    assert "no space left on device" in done.err
    if command != "train":  # a run keeps what is complete
        assert list(small_disk.rglob("*")) == []


def test_a_disk_without_a_free_byte_is_named_by_train(run: Run, inputs: dict[str, str], small_disk: Path) -> None:
    """Not even the name of the process fits into the file of the lock."""
    with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    done = run(*arguments("train", inputs, small_disk))
    assert done.status == 1
    assert "error[cannot-write]: cannot write" in done.err, done.err
    assert "no space left on device" in done.err


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in REPLACES | ADDS_A_VERSION])
def test_an_output_that_exists_is_replaced_only_on_request(
    run: Run, command: str, inputs: dict[str, str], tmp_path: Path
) -> None:
    first = run(*arguments(command, inputs, tmp_path))
    assert first.status == 0, first.err
    out = output(command, tmp_path)
    before = out.stat()
    again = run(*arguments(command, inputs, tmp_path))
    assert again.status == 1
    assert "error[output-exists]" in again.err
    assert "`--overwrite`" in again.err
    assert out.stat().st_mtime_ns == before.st_mtime_ns
    replaced = run(*arguments(command, inputs, tmp_path), "--overwrite")
    assert replaced.status == 0, replaced.err
    assert (out.stat().st_mtime_ns, out.stat().st_ino) != (before.st_mtime_ns, before.st_ino)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_schema_replaces_schemas_only(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    file.write_text("precious")
    assert "error[output-exists]" in run("schema", "-o", str(file)).err
    assert file.read_text() == "precious"
    for more in (("--overwrite",), ()):
        assert run("schema", "-o", str(file), *more).status == 0
        assert "archspec spec" in file.read_text()


@pytest.mark.parametrize("command", ["compare", "explain", "export", "train", "evaluate"])
def test_overwriting_never_removes_a_folder_of_something_else(
    run: Run, command: str, inputs: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("precious")
    done = run(*arguments(command, inputs, tmp_path), "--overwrite")
    assert done.status == 1
    assert "error[output-exists]" in done.err
    assert (tmp_path / "out" / "thesis.tex").read_text() == "precious"


def test_the_remedy_for_a_name_keeps_its_folder(run: Run, inputs: dict[str, str], tmp_path: Path) -> None:
    for command, suffix in (("build", ".keras"), ("data preview", ".png"), ("convolutionalize", ".yaml")):
        words = arguments(command, inputs, tmp_path / "w x")
        assert f"write `'{tmp_path}/w x/out{suffix}'`" in run(*words[:-1], words[-1].removesuffix(suffix)).err
