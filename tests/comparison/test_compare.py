"""Comparisons of networks and runs: figures, their origin, pictures, curves over seeds, differences of recipes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any
from xml.etree import ElementTree

import pytest

import archspec
from archspec.comparison.runs import grouped, read_run
from archspec.diagnostics import ArchspecError

SVG = "{http://www.w3.org/2000/svg}"


def make_run(path: Path, top1: list[float], seed: int = 0, **recipe: Any) -> Path:
    """A run directory as `archspec train` writes it, with these validation accuracies."""
    path.mkdir(parents=True)
    (path / "spec.yaml").write_text(archspec.load("resnet-digits").resolved_text(), encoding="utf-8")
    record = {"name": "resnet-digits", "data": "digits", "seed": seed, "seconds": 12.5, "recipe": recipe}
    (path / "run.json").write_text(json.dumps(record), encoding="utf-8")
    rows = [f"{epoch},{1 / epoch},{1.5 / epoch},{each},1.0" for epoch, each in enumerate(top1, 1)]
    (path / "history.csv").write_text("\n".join(["epoch,loss,val_loss,val_top1,val_top5", *rows]), encoding="utf-8")
    (path / "times.csv").write_text("epoch,images_per_second\n1,50\n2,400\n3,500\n4,450\n", encoding="utf-8")
    return path


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Two seeds of one recipe, and a run of another."""
    return [
        make_run(tmp_path / "a", [0.5, 0.9, 0.8], 0, epochs=3, optimizer={"sgd": {"learning_rate": 0.1}}),
        make_run(tmp_path / "b", [0.7, 0.7, 0.94], 1, epochs=3, optimizer={"sgd": {"learning_rate": 0.1}}),
        make_run(tmp_path / "c", [0.2, 0.3, 0.4], 0, epochs=3, optimizer={"sgd": {"learning_rate": 0.5}}),
    ]


def test_figures_of_networks_are_those_of_the_graph_and_the_papers() -> None:
    """He et al.: ResNet-50 has 24.7 % and 7.8 % top-1 and top-5 error with one crop (README of the authors)."""
    (network,) = archspec.compare("resnet:50").networks
    graph = archspec.load("resnet:50").graph()
    assert (network.params, network.macs, network.activation_bytes) == (
        graph.params,
        graph.macs,
        graph.activation_bytes,
    )
    assert network.depth == 50
    figure = network.figure("imagenet validation")
    assert figure is not None
    assert (figure.top1_error, figure.top5_error, figure.measured) == (24.7, 7.8, False)


@pytest.mark.parametrize(
    ("reference", "layers"),
    [
        *(("vgg:A", 11), ("vgg:E", 19), ("resnet:18", 18), ("resnet:152", 152), ("googlenet:paper", 22)),
        *(("densenet:121", 121), ("densenet:161", 161), ("alexnet:grouped", 8), ("mobilenet:1.0-224", 28)),
        *(("se-resnet:50", 50), ("xception", 37), ("lenet:5", 7)),
    ],
)
def test_depth_counts_layers_as_the_papers_do(reference: str, layers: int) -> None:
    """Xception: "36 convolutional layers", and a dense one; LeNet-5: "seven layers, not counting the input"."""
    assert archspec.compare(reference).networks[0].depth == layers


def test_a_family_stands_for_its_variants_and_each_network_is_there_once() -> None:
    names = [network.name for network in archspec.compare("vgg:D", family=["vgg"]).networks]
    assert names == ["vgg-D", "vgg-A", "vgg-A-LRN", "vgg-B", "vgg-C", "vgg-E"]


def test_measured_and_published_are_told_apart_in_every_output(runs: list[Path], tmp_path: Path) -> None:
    found = archspec.compare(runs[0], "resnet:50", "resnet-digits")
    rows = list(csv.DictReader(io.StringIO(found.render("csv"))))
    origins = {(row["network"], row["origin"]) for row in rows}
    assert origins == {("resnet-digits", "measured"), ("resnet-50", "published")}
    for format in ("text", "markdown"):
        lines = found.render(format).split("\n")
        assert any("resnet-digits" in line and "measured" in line and "10.00" in line for line in lines)
        assert any("resnet-50" in line and "published" in line and "24.70" in line for line in lines)
    figures = {each["name"]: each["figures"][0] for each in json.loads(found.render("json"))["networks"]}
    assert figures["resnet-digits"]["measured"] is True
    assert figures["resnet-digits"]["top1_error"] == pytest.approx(10)
    assert figures["resnet-50"]["measured"] is False
    marks = {
        name: {each.get("class") for each in _circles(found.pictures[name].svg())} & {"measured", "published"}
        for name in found.pictures
        if name.startswith("accuracy-and-macs")
    }
    assert marks == {
        "accuracy-and-macs-digits-validation": {"measured"},
        "accuracy-and-macs-imagenet-validation": {"published"},
    }


def _circles(svg: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(f"{SVG}circle"))


def test_the_area_of_a_ball_is_in_proportion_to_the_parameters() -> None:
    balls = _circles(archspec.compare("vgg", "resnet").pictures["accuracy-and-macs"].svg())
    balls = [each for each in balls if "data-params" in each.attrib]
    shares = [float(each.get("r", 0)) ** 2 / int(each.attrib["data-params"]) for each in balls]
    assert len(shares) == 7
    assert shares == pytest.approx([shares[0]] * len(shares), rel=0.02)


def test_labels_of_balls_do_not_overlap() -> None:
    root = ElementTree.fromstring(archspec.compare("vgg", "resnet", "densenet").pictures["accuracy-and-macs"].svg())
    names = {
        "vgg-A",
        "vgg-B",
        "vgg-D",
        "vgg-E",
        "resnet-50",
        "resnet-101",
        "resnet-152",
        "densenet-121",
        "densenet-161",
    }
    boxes = []
    for each in root.iter(f"{SVG}text"):
        if each.text in names:
            x, y = float(each.get("x", 0)), float(each.get("y", 0))
            boxes.append((x, y - 9, x + 6 * len(each.text), y))
    assert len(boxes) == len(names)
    for number, (x, y, to_x, to_y) in enumerate(boxes):
        for left, high, right, low in boxes[number + 1 :]:
            assert right <= x or to_x <= left or low <= y or to_y <= high


def test_information_density_is_accuracy_for_each_million_parameters() -> None:
    """Canziani et al. 2016, Figure 10; ResNet-50: (100 - 24.7) % and 25.6 million parameters."""
    root = ElementTree.fromstring(archspec.compare("resnet:50").pictures["information-density"].svg())
    assert any((each.text or "").startswith(f"{75.3 / 25.61:.3g} (75.3 %") for each in root.iter(f"{SVG}text"))


def test_the_revolution_of_depth_has_the_winners_by_year() -> None:
    """AlexNet 2012: 8 layers, 16.4 %; ZFNet 2013: 11.7 %; GoogLeNet 2014: 22, 6.7 %; ResNet 2015: 152, 3.57 %."""
    found = archspec.compare("resnet:152", "googlenet", "zfnet", "alexnet").pictures["revolution-of-depth"]
    texts = [each.text for each in ElementTree.fromstring(found.svg()).iter(f"{SVG}text")]
    assert [text for text in texts if text and text.endswith(" %")] == ["16.4 %", "11.7 %", "6.7 %", "3.57 %"]
    depths = [text.removesuffix(" layers") for text in texts if text and text.endswith(" layers")]
    assert [depth for depth in depths if depth.isdecimal()] == ["8", "8", "22", "152"]
    for few in ("vgg", "resnet"):  # one winner of resnet is no revolution
        assert "revolution-of-depth" not in archspec.compare(few).pictures


def test_runs_of_several_seeds_have_a_mean_and_a_band(runs: list[Path]) -> None:
    groups = grouped([read_run(path) for path in runs])
    assert [group.label for group in groups] == [
        "resnet-digits, optimizer.sgd.learning_rate=0.1 (2 seeds)",
        "resnet-digits, optimizer.sgd.learning_rate=0.5",
    ]
    epoch, middle, low, high = groups[0].band("val_top1")[0]
    assert (epoch, middle) == (1, pytest.approx(mean([0.5, 0.7])))
    assert (low, high) == pytest.approx((middle - stdev([0.5, 0.7]), middle + stdev([0.5, 0.7])))
    curves = archspec.compare(*runs).pictures["learning-curves"].svg()
    paths = [each.get("class") for each in ElementTree.fromstring(curves).iter(f"{SVG}path")]
    assert paths.count("mean") == 6  # two groups, three metrics
    assert paths.count("band") == 1  # the losses of the two seeds are equal


def test_runs_of_other_networks_or_options_are_no_seeds_of_one(runs: list[Path], tmp_path: Path) -> None:
    other = make_run(tmp_path / "d", [0.1, 0.2, 0.3], 2, epochs=3, optimizer={"sgd": {"learning_rate": 0.1}})
    (other / "spec.yaml").write_text(archspec.load("resnet-digits", classes=3).resolved_text(), encoding="utf-8")
    share = make_run(tmp_path / "e", [0.1, 0.2, 0.3], 3, epochs=3, optimizer={"sgd": {"learning_rate": 0.1}})
    record = json.loads((share / "run.json").read_text())
    (share / "run.json").write_text(json.dumps({**record, "validation_split": 0.5}))
    groups = grouped([read_run(path) for path in (*runs[:2], other, share)])
    assert [[run.seed for run in group.runs] for group in groups] == [[0, 1], [2], [3]]
    assert [f" in {path}" in group.label for group, path in zip(groups, (runs[0], other, share), strict=True)] == [
        True
    ] * 3


def test_the_table_of_runs_has_best_and_final_metrics_and_the_different_keys_of_the_recipes(runs: list[Path]) -> None:
    found = archspec.compare(*runs)
    text = found.render("markdown")
    (line,) = [line for line in text.split("\n") if line.startswith(f"| {runs[0]} |")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:] == ["resnet-digits", "0", "3", "2", "90.00 %", "80.00 %", "0.5000", "12 s", "450"]
    assert "optimizer.sgd.learning_rate | 0.1 | 0.1 | 0.5" in text
    assert "| epochs | 3" not in text
    (network,) = found.networks
    figure = network.figure("digits validation")
    assert figure is not None
    assert figure.top1_error == pytest.approx(100 - 100 * mean([0.9, 0.94, 0.4]))
    assert figure.source == "mean of 3 runs"


def test_an_evaluation_adds_its_error_rates(runs: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "evaluation"
    folder.mkdir()
    rate = {"wrong": 9, "images": 450, "rate": 0.02, "interval": [0.01, 0.04]}
    record = {
        "members": [{"model": str(runs[0] / "best.keras"), "protocol": "ten-crop", "scales": "8"}],
        "protocol": "ten-crop",
        "data": "digits",
        "top1_error": rate,
        "top5_error": None,
    }
    (folder / "evaluation.json").write_text(json.dumps(record), encoding="utf-8")
    (network,) = archspec.compare(folder).networks
    (figure,) = network.figures
    assert (figure.top1_error, figure.protocol, figure.data, figure.measured) == (2, "ten-crop", "digits", True)


def test_runs_on_other_targets_have_their_own_metrics(runs: list[Path], tmp_path: Path) -> None:
    """The best epoch has the largest mean of the main metrics, as best.keras: here the second, with (0.8 + 0.4) / 2."""
    run = make_run(tmp_path / "targets", [])
    best = {"epoch": 2, "val_big_auc": 0.8, "val_size_r2": 0.4, "val_loss": 1.0}
    (run / "run.json").write_text(json.dumps({"name": "targets", "data": "t.csv", "best": best}), encoding="utf-8")
    rows = "epoch,loss,val_loss,val_big_auc,val_size_r2\n1,2,1.5,0.9,0.1\n2,1,1,0.8,0.4\n3,1,0.9,0.7,0.45\n"
    (run / "history.csv").write_text(rows, encoding="utf-8")
    comparison = archspec.compare(run, runs[0])
    assert comparison.runs[0].best is not None
    assert comparison.runs[0].best["epoch"] == 2
    text = comparison.render("text")
    assert "big_auc 0.8000, size_r2 0.4000" in text
    assert "top1 90.00 %" in text
    comparison.save(tmp_path / "out")
    row = next(csv.DictReader(io.StringIO((tmp_path / "out" / "runs.csv").read_text(encoding="utf-8"))))
    assert (row["metrics"], row["best"], row["final"]) == ("big_auc;size_r2", "0.8;0.4", "0.7;0.45")
    curves = (tmp_path / "out" / "learning-curves.svg").read_text(encoding="utf-8")
    assert all(f">validation {each}<" in curves for each in ("big auc", "size r2", "top-1, %"))


def test_an_evaluation_of_other_targets_has_no_error_rates(runs: list[Path], tmp_path: Path) -> None:
    record = {"members": [{"model": str(runs[0])}], "protocol": "center", "data": "t.csv", "target": "multi-label"}
    (tmp_path / "evaluation.json").write_text(json.dumps(record), encoding="utf-8")
    (network,) = archspec.compare(tmp_path).networks
    assert network.figures == ()


def test_a_folder_holds_the_tables_and_pictures(runs: list[Path], tmp_path: Path) -> None:
    files = archspec.compare(*runs, "resnet:50").save(tmp_path / "out")
    expected = {"comparison.md", "comparison.csv", "comparison.json", "runs.csv"}
    assert expected | {"learning-curves.svg", "cost-by-depth.svg"} <= {file.name for file in files}
    with pytest.raises(ArchspecError, match="not empty"):
        archspec.compare("resnet:50").save(tmp_path / "out")
    archspec.compare("resnet:50").save(tmp_path / "out", overwrite=True)
    assert not (tmp_path / "out" / "runs.csv").exists()


def test_what_cannot_be_compared_is_refused(tmp_path: Path, runs: list[Path]) -> None:
    with pytest.raises(ArchspecError, match="nothing to compare"):
        archspec.compare()
    (runs[0] / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(ArchspecError, match="cannot read"):
        archspec.compare(runs[0])
    (runs[1] / "history.csv").write_text("epoch,val_top1\n1,high\n", encoding="utf-8")
    with pytest.raises(ArchspecError, match="cannot read"):
        archspec.compare(runs[1])


def test_measured_speed_is_compared_with_the_roofline(monkeypatch: pytest.MonkeyPatch) -> None:
    from archspec.runtime import inference_speed

    monkeypatch.setattr(inference_speed, "SECONDS", 0.02)
    lines: list[str] = []
    two = str(Path(__file__).parents[1] / "examples" / "good" / "several-inputs.yaml")
    found = archspec.compare("resnet-digits", two, measure=True, batch_sizes=[1, 4], progress=lines.append)
    for network in found.networks:
        assert [each.batch_size for each in network.speeds] == [1, 4]
        assert all(each.images_per_second > 0 and each.bound > 0 for each in network.speeds)
    assert lines[-2:] == ["measuring resnet-digits (1 of 2)", "measuring several-inputs (2 of 2)"]
    assert "roofline" in found.render("text")
    assert "speed" in found.pictures
