"""The commands that need no TensorFlow: check, list, schema, summarize, completion, and how errors come out."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from archspec import api
from archspec.cli.main import COMMANDS, cli
from archspec.cli.options import complete_reference, program
from tests.cli.conftest import Run


def test_check_without_a_spec_checks_all_that_come_with_archspec(run: Run) -> None:
    result = run("check")
    assert result.status == 0
    assert result.out.splitlines() == [f"{family}: ok" for family in api.families()]
    assert result.err == ""


def test_check_of_one_variant_and_of_a_file(run: Run, tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("name: net\ninput: [8, 6, 3]\nlayers: [conv: 4, relu]\n")
    assert run("check", "vgg:D", spec) == (0, f"vgg:D: ok\n{spec}: ok\n", "")


def test_a_mistake_is_shown_as_in_the_readme(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    shown = readme.split("$ archspec check net.yaml\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    lines = ["name: net", "input: [32, 32, 3]", "", "layers:", "  - conv: {filter: 64, kernel_size: 3}"]
    Path("net.yaml").write_text("\n".join(lines))
    result = run("check", "net.yaml")
    assert result.status == 1
    # the missing `filters` is the same mistake, and is not reported a second time
    assert result.err == shown


def test_diagnostics_as_json_carry_the_place(run: Run, tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("name: net\ninput: [8, 6, 3]\nlayers:\n  - convv: 4\n  - relu\n")
    result = run("check", spec, "--format", "json")
    (diagnostic,) = json.loads(result.out)
    assert result.status == 1
    assert (diagnostic["code"], diagnostic["file"]) == ("unknown-operator", str(spec))
    assert (diagnostic["line"], diagnostic["column"], diagnostic["end_column"]) == (4, 5, 10)
    assert diagnostic["help"] == "did you mean `conv`?"


def test_errors_of_other_commands_as_json(run: Run) -> None:
    result = run("summarize", "vgg:Z", "--format=json")
    assert result.status == 1
    assert json.loads(result.out)["errors"][0]["code"] == "unknown-variant"


def test_list_shows_the_sizes_that_the_papers_print(run: Run) -> None:
    facts = {each["reference"]: each for each in json.loads(run("list", "vgg", "--format", "json").out)}
    assert facts["vgg:D"]["params"] == 138_357_544  # issue 2; "138M" in Table 2 of the paper
    assert facts["vgg:D"]["input_shape"] == [224, 224, 3]
    text = run("list", "vgg").out
    assert "vgg:A-LRN" in text
    assert "Simonyan & Zisserman 2014" in text


def test_schema_is_draft_07_and_accepts_a_spec(run: Run, tmp_path: Path) -> None:
    schema = json.loads(run("schema").out)
    jsonschema.Draft7Validator.check_schema(schema)
    written = run("schema", "-o", tmp_path / "schema.json")
    assert "yaml-language-server" in written.out
    assert json.loads((tmp_path / "schema.json").read_text()) == schema


def test_schema_does_not_write_over_a_folder(run: Run, tmp_path: Path) -> None:
    assert run("schema", "-o", tmp_path).status == 2


def test_summarize_as_json_has_the_keys_that_programs_rely_on(run: Run) -> None:
    summary = json.loads(run("summarize", "lenet:full", "--format", "json").out)
    keys = {
        "name",
        "input_shape",
        "output_shape",
        "params",
        "trainable_params",
        "non_trainable_params",
        "macs",
        "layers",
    }
    assert keys <= set(summary)
    keys = {"name", "op", "inputs", "output_shape", "params", "trainable_params", "macs", "receptive_field", "line"}
    assert all(keys <= set(layer) for layer in summary["layers"])
    assert summary["params"] == sum(layer["params"] for layer in summary["layers"])
    assert summary["macs"] == sum(layer["macs"] for layer in summary["layers"])


def test_settings_change_the_network(run: Run) -> None:
    result = run("summarize", "resnet:18", "--set", "classes=7", "--set", "input=[64,48,3]", "--format", "json")
    summary = json.loads(result.out)
    assert (summary["input_shape"], summary["output_shape"]) == ([64, 48, 3], [7])


def test_csv_has_a_row_for_each_layer(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("summarize", "vgg:A", "--format", "csv").out)))
    assert len(rows) == len(api.load("vgg:A").graph().layers)
    assert sum(int(row["params"]) for row in rows) == 132_863_336  # issue 2


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["summarise", "vgg:D"], 2, "did you mean `summarize`?"),
        (["summarize"], 2, "Missing argument 'REF'"),
        (["summarize", "vgg:D", "--depth", "0"], 2, "--depth"),
        (["summarize", "vg:D"], 1, "did you mean `vgg:D`?"),
        (["summarize", "vgg"], 1, "the variants are: A, A-LRN, B, C, D, E"),
        (["summarize", "vgg:D", "--set", "clases=3"], 1, "did you mean `classes`?"),
        (["summarize", "vgg:D", "--set", "classes"], 1, "is not NAME=VALUE"),
        (["summarize", "no/such/spec.yaml"], 1, "there is no file"),
        (["build", "vgg:D", "-o", "vgg.h5"], 1, "does not end in `.keras`"),
        (["train", "resnet-digits"], 2, "--data"),
        (["train", "resnet-digits", "--lr", "1"], 2, "`--set train.optimizer.sgd.learning_rate=...`"),
        (["plan", "vgg:D", "--weight-decay", "1"], 2, "`--set train.weight_decay=...`"),
        (["train", "resnet-digits", "--gpus", "2"], 2, "No such option '--gpus'."),
        (["train", "resnet-digits", "--data", "digits", "--set", "train.epoch=3"], 1, "did you mean `epochs`?"),
        (["train", "resnet-digits", "--data", "digits", "--epochs", "0"], 1, "at least 1"),
    ],
)
def test_wrong_usage_says_how_to_mend_it(run: Run, arguments: list[str], status: int, said: str) -> None:
    result = run(*arguments)
    assert result.status == status
    assert said in result.err
    assert "Traceback" not in result.err


def test_every_command_has_help_in_whole_sentences(run: Run) -> None:
    text = run("--help").out
    assert "..." not in text.partition("\nCommands:\n")[2]
    for name, summary in COMMANDS.items():
        command = cli.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert command.get_short_help_str(limit=1000) == summary
        assert name in text
        result = run(name, "--help")
        assert result.status == 0
        assert result.out.startswith(f"Usage: archspec {name}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(run: Run, shell: str) -> None:
    assert "_ARCHSPEC_COMPLETE" in run("completion", shell).out


def test_references_complete_to_families_and_variants() -> None:
    def completed(incomplete: str) -> list[str]:
        return [item.value for item in complete_reference(None, None, incomplete)]  # type: ignore[arg-type]

    assert "resnet-cifar" in completed("res")
    assert completed("vgg:A") == ["vgg:A", "vgg:A-LRN"]
    assert completed("./ne") == ["./ne"]


def test_an_unexpected_error_is_called_a_bug(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[str]:
        raise RuntimeError("boom")

    monkeypatch.setattr("archspec.api.families", broken)
    result = run("list")
    assert result.status == 1
    assert "error[internal]: RuntimeError: boom" in result.err
    assert "this is a bug" in result.err
    assert cli.name == "cli"


@pytest.mark.parametrize(
    ("called", "on_path", "printed"),
    [
        (".venv/bin/archspec", None, ".venv/bin/archspec"),
        ("/a b/archspec", None, "'/a b/archspec'"),
        ("/usr/bin/archspec", "/usr/bin/archspec", "archspec"),
        ("archspec", None, "archspec"),
        ("/x/archspec/__main__.py", None, f"{os.path.relpath(sys.executable)} -m archspec"),
    ],
)
def test_printed_commands_can_be_pasted(
    monkeypatch: pytest.MonkeyPatch, called: str, on_path: str | None, printed: str
) -> None:
    monkeypatch.setattr("sys.argv", [called])
    monkeypatch.setattr("shutil.which", lambda name: on_path)
    assert program() == printed


@pytest.mark.parametrize(
    ("arguments", "status", "out", "err"),
    [
        (["list", "lenet"], 0, "lenet:5", ""),
        (["check", "lenet", "vgg:Z"], 1, "lenet: ok", "error[unknown-variant]"),
        (["summarize", "--nonsense"], 2, "", "No such option"),
    ],
)
def test_the_console_script_ends_at_once_and_loses_nothing(
    arguments: list[str], status: int, out: str, err: str
) -> None:
    """It leaves without Python's own end, so that buffers and the status are its own care."""
    done = subprocess.run([sys.executable, "-m", "archspec", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert out in done.stdout
    assert err in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk at hand")
def test_a_full_disk_is_not_reported_as_a_bug() -> None:
    command = [sys.executable, "-m", "archspec", "summarize", "vgg:D"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error[cannot-write]: the disk of the output is full\n")


def test_a_closed_standard_output_is_borne() -> None:
    command = f"{sys.executable} -m archspec check lenet >&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_plan_says_whether_training_fits_and_what_would(run: Run) -> None:
    result = run("plan", "resnet:50", "--batch-size", "256", "--devices", "4", "--memory", "80GB")
    assert result.status == 0
    assert "256 images on 4 devices (64 per device)" in result.out
    assert re.search(r"fits into 80.0 GB: the largest batch is [0-9,]+ \([0-9,]+ per device\)", result.out)
    plan = json.loads(run("plan", "vgg:D", "--memory", "2GB", "--device", "h100", "--format", "json").out)
    assert plan["fits"] is False
    assert plan["largest_batch_size"] == 0
    assert (
        plan["memory"]["optimizer"] == 4 * 138_357_544
    )  # the momentum of SGD; 138M parameters in Table 2 of the paper
    assert plan["images_per_second"] > 0


def test_plan_has_words_for_any_size(run: Run) -> None:
    most = run("plan", "resnet-cifar:20", "--batch-size", "99999999999").out
    assert "e+" not in run("plan", "resnet-cifar:20", "--batch-size", "999999", "--device", "t4").out
    assert re.search(r"total +[0-9.]+ PB\n", most)
    assert "batches of 1 image on 1 device" in run("plan", "resnet-cifar:20", "--batch-size", "1").out


def test_plan_refuses_what_is_no_plan(run: Run) -> None:
    assert run("plan", "vgg:D", "--memory", "2QB").status == 2
    bare = run("plan", "vgg:D", "--memory", "80")  # of 80 bytes nobody thinks
    assert (bare.status, "'80' has no unit: 80GB, 80GiB" in bare.err) == (2, True)
    result = run("plan", "vgg:D", "--batch-size", "3", "--devices", "4")
    assert (result.status, "3 images cannot be split over 4 devices" in result.err) == (2, True)
    assert "error[free-input]" in run("plan", "nin:cifar10", "--set", "input=[null,null,3]").err


def test_no_color_is_heeded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *stream: False)  # as in a terminal
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31m" in run("summarize", "vg:D").err
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("summarize", "vg:D").err
