"""The types of the public API as a user's type checker sees them: mypy checks this file, and nothing runs it.

Every name of `archspec.__all__` is used here once; tests/test_quality.py checks that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import keras
import numpy as np
import numpy.typing as npt

import archspec


def versions_and_names() -> None:
    assert_type(archspec.__version__, str)
    assert_type(archspec.families(), list[str])
    assert_type(archspec.recipes(), list[str])
    assert_type(archspec.accelerators(), list[str])
    assert_type(archspec.evaluation_protocols(), list[str])
    assert_type(archspec.export_formats(), list[tuple[str, str]])
    assert_type(archspec.data_sources(), list[tuple[str, str]])
    assert_type(archspec.export_formats(), list[tuple[str, str]])
    assert_type(archspec.schema(), str)


def networks_of_a_spec() -> None:
    sizes: list[archspec.Setting] = [64, 64, 3]
    network = archspec.load("resnet:50", recipe=Path("recipe.yaml"), classes=10, input=sizes)
    assert_type(network, archspec.Network)
    assert_type(network.variant, str | None)
    assert_type(network.recipe, archspec.Recipe)
    assert_type(network.resolved_text(), str)
    assert_type(archspec.networks(Path("vgg.yaml")), Iterator[archspec.Network])
    graph = network.graph()
    assert_type(graph, archspec.Graph)
    assert_type(graph.params, int)
    assert_type(graph.macs, int | None)
    for diagnostic in archspec.check(Path("vgg.yaml")):
        assert_type(diagnostic, archspec.Diagnostic)
        assert_type(diagnostic.code, str)


def errors() -> None:
    try:
        archspec.load("vgg:Z")
    except archspec.ArchspecError as error:
        assert_type(error.diagnostics, tuple[archspec.Diagnostic, ...])


def analysis(network: archspec.Network) -> None:
    summary = archspec.summarize("vgg:D", depth=1)
    assert_type(summary, archspec.Summary)
    assert_type(summary.render("markdown"), str)
    difference = archspec.diff(network, "vgg:E")
    assert_type(difference, archspec.Difference)
    assert_type(difference.render("json", context=0), str)
    plan = archspec.plan(network, batch_size=64, devices=2, memory=80e9, device="h100")
    assert_type(plan, archspec.Plan)
    assert_type(plan.fits, bool | None)


def labs() -> None:
    assert_type(archspec.list_labs(), list[archspec.LabSummary])
    result = archspec.lab("mlp-vs-cnn", out=Path("lab"), data="digits", scale="tiny", seeds=1)
    assert_type(result, archspec.LabResult)
    assert_type(result.differences[0].value, float)
    assert_type(archspec.lab_book(out="book", scale="tiny"), archspec.LabBook)


def models(network: archspec.Network) -> None:
    model = archspec.build("resnet:50", classes=10)
    assert_type(model, keras.Model)
    assert_type(network.build("weights.pth", init=True, seed=1), keras.Model)
    assert_type(network.save(Path("net.keras"), weights="keras:imagenet", overwrite=True), archspec.ModelFile)
    matching = archspec.load_weights(model, Path("weights.pth"), graph=network.graph(), new_head=True)
    assert_type(matching, archspec.Matching)
    assert_type(matching.describe("weights.pth"), str)
    assert_type(archspec.from_keras(model, name="net"), str)
    assert_type(archspec.from_keras("keras:ResNet50"), str)
    assert_type(archspec.convolutionalize(model, graph=network.graph(), output="logits"), keras.Model)
    assert_type(archspec.deepen(model, {"**/relu_2": 2}, graph=network.graph(), normalized=True), keras.Model)
    assert_type(archspec.DenseScorer.of(model, memory=1_000_000), archspec.DenseScorer)
    assert_type(archspec.optimize(model, graph=network.graph(), outputs=["conv1"]), keras.Model)
    converted = archspec.convolutionalize_spec(network, output="scores")
    assert_type(converted, archspec.FullyConvolutional)
    assert_type(converted.write("dense.yaml", overwrite=True), Path)
    assert_type(archspec.export("runs/a", Path("saved"), format="savedmodel"), archspec.Export)
    assert_type(archspec.export_all("runs/a", "saved", data="digits"), archspec.ExportTable)
    exported = archspec.export(
        "runs/a", "saved", optimize=True, precision="int8", calibration="digits", input_size="free"
    )
    assert_type(exported.largest_difference, float | None)


def data(network: archspec.Network) -> None:
    manifest = archspec.check_data(Path("images"), use_cache=False, report=print)
    assert_type(manifest, archspec.Manifest)
    assert_type(manifest.problems, list[str])
    assert_type(manifest.render("json"), str)
    assert_type(archspec.preview_data(network, "digits", "preview.png", rows=3, columns=4), archspec.Preview)


def drawing(network: archspec.Network) -> None:
    assert_type(archspec.draw("vgg:D", network, style="graph", depth=2, show=["params"]), archspec.Drawing)
    assert_type(network.draw(direction="right", unfold=True), archspec.Drawing)
    assert_type(network.draw("volumes", log=True), archspec.Drawing)
    assert_type(network.draw("receptive-field", layer="conv4_x", image="cat.jpg"), archspec.Drawing)
    assert_type(network.draw().svg(), str)
    assert_type(network.draw().save("vgg.svg", overwrite=True), Path)


def comparison(network: archspec.Network) -> None:
    found = archspec.compare("vgg", network, "runs/a", family=["resnet"], measure=True, batch_sizes=[1, 16], classes=10)
    assert_type(found, archspec.Comparison)
    assert_type(found.render("markdown"), str)
    assert_type(found.save("comparison", pictures="png", overwrite=True), list[Path])


def training(network: archspec.Network) -> None:
    assert_type(archspec.train("resnet-digits", "digits", epochs=2, classes=10, weight_decay=0.1), archspec.RunResult)
    result = archspec.train(network, "digits", out=Path("runs/a"), devices="cpu:2", seed=1, init_from="keras:imagenet")
    assert_type(result, archspec.RunResult)
    assert_type(result.best_top1, float | None)
    cluster = archspec.find_cluster(0, "host0:1234,host1:1234")
    assert_type(archspec.resume(result.directory, checkpoint_every="10m", cluster=cluster), archspec.RunResult)


def evaluation() -> None:
    evaluation = archspec.evaluate(Path("runs/a"), Path("images"), protocol="ten-crop")
    assert_type(evaluation, archspec.Evaluation)
    assert_type(evaluation.top1, float)
    two = archspec.evaluate("runs/a", "images.csv", threshold=0.3, output="color")
    if isinstance(two, archspec.BinaryEvaluation):
        assert_type(two.auc, archspec.Estimate)
        assert_type(two.auc.interval, tuple[float, float] | None)
    if isinstance(two, archspec.MultiLabelEvaluation):
        assert_type(two.mean_average_precision.value, float | None)
    if isinstance(two, archspec.NumbersEvaluation):
        assert_type(two.rmse, archspec.Estimate)
    evaluations = archspec.evaluate_all(
        ["runs/a", Path("runs/b")], "digits", protocols=["center", "dense"], ensemble=True, weights=[2, 1]
    )
    assert_type(evaluations, archspec.Evaluations)
    assert_type(evaluations[0], archspec.Evaluation)
    assert_type(evaluations.render("csv"), str)
    for prediction in archspec.predict("runs/a", ["cat.png"], top=3):
        assert_type(prediction, archspec.Prediction)
        assert_type(prediction.classes, tuple[tuple[str, float], ...])
        assert_type(prediction.outputs, tuple[archspec.OutputPrediction, ...])
    assert_type(archspec.predictions_text(archspec.predict("runs/a", "cat.png"), "csv"), str)


def report() -> None:
    found = archspec.report("runs/a", data="digits", split="test", protocols=["center"], batch_size=64)
    assert_type(found, archspec.RunReport)
    assert_type(found.evaluations, tuple[archspec.Evaluation, ...])
    assert_type(found.notes, tuple[str, ...])
    assert_type(found.save("report.html", overwrite=True), Path)
    assert_type(archspec.report("runs/a", predictions="saved.npz").html(), str)


def explanation(model: keras.Model, pixels: npt.NDArray[np.uint8]) -> None:
    assert_type(archspec.explain_methods(), list[archspec.ExplainMethodSummary])
    found = archspec.explain("runs/a", ["cat.png"], method="gradcam", classes=["cat", 3, "top-2"], layer="stage2/conv1")
    assert_type(found, archspec.Explanation)
    assert_type(found.maps, npt.NDArray[np.float32])
    assert_type(found.write("explained", overwrite=True, raw=True), Path)
    archspec.explain(model, pixels, method="saliency", samples=8, settings={"noise": 0.1})
    archspec.explain("runs/a", data="digits", per_class=2, report=print)


def serving() -> None:
    archspec.serve("served", port=0, labels={"stable": 1}, timeout=5, report=print)


def wrong_uses(network: archspec.Network) -> None:
    archspec.train(network, "digits", epochs="3")  # type: ignore[arg-type]
    archspec.export("runs/a", "saved", kind="savedmodel")  # type: ignore[call-arg]
    archspec.plan(network, batch_size="64")  # type: ignore[arg-type]
    archspec.load("vgg:D", classes=object())  # type: ignore[arg-type]
    archspec.convolutionalize_spec(network, output="nothing")  # type: ignore[arg-type]
    archspec.summarize(network).render("html")  # type: ignore[arg-type]
