"""Which exports are kept, and all formats of one network."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.export.exporter import ExportOptions, judge
from archspec.runtime.export.verify import Latency, Verification
from tests.runtime.export.exports import described


def verified(**changed: Any) -> Verification:
    facts = {"top1_agreement": 0.99, "top1": 0.95, "model_top1": 0.96, "slowdown": 0.8, **changed}
    return Verification(images="", largest_difference=0.1, load_seconds=1.0, latencies=(), **facts)


def test_what_is_slower_or_loses_accuracy_is_refused_with_the_figures() -> None:
    options = ExportOptions(format="onnx", precision="int8", max_loss=1.0)
    judge(verified(), options)
    judge(verified(slowdown=1.09), options)
    judge(verified(top1=None, model_top1=None), options)
    with pytest.raises(ArchspecError, match=r"export-slower.*1\.30 times as long"):
        judge(verified(slowdown=1.3), options)
    with pytest.raises(ArchspecError, match=r"export-loses.*from 96\.00 % to 94\.00 %, more than `max_loss` 1 allows"):
        judge(verified(top1=0.94), options)
    with pytest.raises(ArchspecError, match=r"export-loses.*2\.0 % of the images get another class"):
        judge(verified(top1_agreement=0.98, top1=None, model_top1=None), options)
    judge(verified(top1=0.94), dataclasses.replace(options, max_loss=2.5))
    for precision, remedy in (
        ("int8", "give more images to `calibration`"),
        ("bfloat16", "choose another `precision`"),
    ):
        with pytest.raises(ArchspecError, match=f"help: {remedy}, or accept"):
            judge(verified(top1=0.94), dataclasses.replace(options, precision=precision))


def test_all_formats_are_tried_and_refusals_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """int8 is calibrated with the data; a refusal of one format does not stop the others."""
    from archspec.runtime.export import export_all

    def fake(model: Path, out: Path, options: ExportOptions) -> archspec.Export:
        assert options.calibration == ("digits" if options.precision == "int8" else None)
        places.append(options.place)
        if options.precision == "int8":
            raise fail("export-slower", f"{options.format} in int8 is not written")
        latency = Latency(1, 0.001, 0.002, 0.001)
        found = dataclasses.replace(verified(), latencies=(latency,))
        return archspec.Export(out / "1", options.format, options.precision, (), ("serving_default",), found, 2000, "")

    monkeypatch.setattr(export_all, "export", fake)
    lines: list[str] = []
    places: list[str] = []
    table = archspec.export_all("run", tmp_path, data="digits", report=lines.append)
    assert lines == []
    assert places == [f"{number} of {len(places)}" for number in range(1, len(places) + 1)]
    assert (table.exports[0].format, table.exports[0].precision) == ("savedmodel", "float32")
    written = {each.path.parent.name for each in table.exports}
    assert {"keras", "savedmodel", "onnx", "litert", "onnx-float16", "savedmodel-bfloat16"} <= written
    assert [each.reason for each in table.refused] == [f"{each} in int8 is not written" for each in ("litert", "onnx")]
    text = str(table).splitlines()
    assert text[0].split()[:4] == ["folder", "format", "precision", "size"]
    assert "1.00" in text[1]
    assert text[-3:] == [
        "top-1 of the model: 96.00 %",
        "litert in int8 is not written",
        "onnx in int8 is not written",
    ]
    archspec.export_all("run", tmp_path, report=lines.append)
    assert lines == [f"{each} in int8 is left out: it needs `data` or `calibration`" for each in ("litert", "onnx")]
    monkeypatch.setattr(export_all, "find_spec", lambda package: None)
    archspec.export_all("run", tmp_path, report=lines.append)
    assert lines[-1] == "onnx is left out: `pip install 'archspec-keras[onnx]'` installs what it needs"


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), SystemExit(143)], ids=["SIGINT", "SIGTERM"])
def test_the_exports_before_a_signal_are_named(
    signal: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archspec.runtime.export import export_all

    def fake(model: Path, out: Path, options: ExportOptions) -> archspec.Export:
        if len(written) == complete:
            raise signal
        written.append(out / "1")
        return archspec.Export(out / "1", options.format, options.precision, (), (), None, 0, "")

    monkeypatch.setattr(export_all, "export", fake)
    written: list[Path] = []
    for complete in (0, 2):
        written.clear()
        lines: list[str] = []
        with pytest.raises(type(signal)):
            archspec.export_all("run", tmp_path, data="digits", report=lines.append)
        (line,) = lines
        if complete == 0:
            assert line == "stopped; no export is written"
        else:
            assert line.startswith("stopped after 2 exports of ")
            assert line.endswith(f", which are kept: {written[0]}, {written[1]}")
    assert written[0] == tmp_path / "savedmodel" / "1"


@pytest.mark.slow
def test_every_format_and_precision_of_a_trained_network(run: Path, tmp_path: Path) -> None:
    """What is written agrees with the model; everything else is slower on this machine, or loses accuracy in int8."""
    table = archspec.export_all(run, tmp_path / "all", data="digits", optimize=True, max_loss=3)
    assert {each.precision for each in table.exports} >= {"float32"}
    for each in table.exports:
        assert each.verification is not None
        assert each.verification.top1_agreement > 0.9
        assert described(each.path)["precision"] == each.precision
    for each in table.refused:
        assert "times as long" in each.reason or ("int8" in each.reason and "top-1 accuracy falls" in each.reason)


@pytest.mark.slow
@pytest.mark.parametrize("reference", ["shufflenet", "mobilenet-v2", "resnet:50", "densenet:121"])
def test_large_networks_are_equal_in_other_runtimes(reference: str, tmp_path: Path) -> None:
    """Grouped and depthwise convolutions, residuals and concatenations, at the size of their papers."""
    archspec.load(reference).save(tmp_path / "model.keras")
    for format in ("savedmodel", "onnx", "litert"):
        done = archspec.export(tmp_path / "model.keras", tmp_path / format, format=format)
        assert done.largest_difference is not None
        assert done.largest_difference < 1e-5
