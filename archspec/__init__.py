"""archspec: convolutional networks as one YAML spec each.

>>> import archspec
>>> archspec.load("vgg:D").graph().params
138357544

`archspec.build("resnet:50", classes=10)` returns a `keras.Model`. Importing archspec imports neither keras
nor tensorflow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from archspec.version import __version__

if TYPE_CHECKING:
    from archspec.api import (
        Evaluations,
        ExplainMethodSummary,
        FullyConvolutional,
        LabBook,
        LabSummary,
        ModelFile,
        Network,
        Preview,
        Setting,
        accelerators,
        build,
        check,
        check_data,
        compare,
        convolutionalize,
        convolutionalize_spec,
        data_sources,
        deepen,
        diff,
        draw,
        evaluate,
        evaluate_all,
        evaluation_protocols,
        explain,
        explain_methods,
        export,
        export_all,
        export_formats,
        families,
        find_cluster,
        from_keras,
        lab,
        lab_book,
        list_labs,
        load,
        load_weights,
        networks,
        optimize,
        plan,
        predict,
        predictions_text,
        preview_data,
        recipes,
        report,
        resume,
        schema,
        serve,
        summarize,
        train,
    )
    from archspec.comparison.comparison import Comparison
    from archspec.diagnostics import ArchspecError, Diagnostic
    from archspec.drawings.drawing import Drawing
    from archspec.graph.analysis.summary import Summary
    from archspec.graph.analysis.training_plan import Plan
    from archspec.graph.diff.diff import Difference
    from archspec.graph.ir import Graph
    from archspec.lang.recipes.recipe import Recipe
    from archspec.runtime.data.report.manifest import Manifest
    from archspec.runtime.dense.scorer import DenseScorer
    from archspec.runtime.evaluation.binary_result import BinaryEvaluation
    from archspec.runtime.evaluation.estimate import Estimate
    from archspec.runtime.evaluation.multi_label_result import MultiLabelEvaluation
    from archspec.runtime.evaluation.numbers_result import NumbersEvaluation
    from archspec.runtime.evaluation.result import Evaluation
    from archspec.runtime.explain.explanation import Explanation
    from archspec.runtime.export.export_result import Export, ExportTable
    from archspec.runtime.labs.result import LabResult
    from archspec.runtime.predict import OutputPrediction, Prediction
    from archspec.runtime.run_report.run_report import RunReport
    from archspec.runtime.training.run_result import RunResult
    from archspec.runtime.weights import Matching

__all__ = [
    "ArchspecError",
    "BinaryEvaluation",
    "Comparison",
    "DenseScorer",
    "Diagnostic",
    "Difference",
    "Drawing",
    "Estimate",
    "Evaluation",
    "Evaluations",
    "ExplainMethodSummary",
    "Explanation",
    "Export",
    "ExportTable",
    "FullyConvolutional",
    "Graph",
    "LabBook",
    "LabResult",
    "LabSummary",
    "Manifest",
    "Matching",
    "ModelFile",
    "MultiLabelEvaluation",
    "Network",
    "NumbersEvaluation",
    "OutputPrediction",
    "Plan",
    "Prediction",
    "Preview",
    "Recipe",
    "RunReport",
    "RunResult",
    "Setting",
    "Summary",
    "__version__",
    "accelerators",
    "build",
    "check",
    "check_data",
    "compare",
    "convolutionalize",
    "convolutionalize_spec",
    "data_sources",
    "deepen",
    "diff",
    "draw",
    "evaluate",
    "evaluate_all",
    "evaluation_protocols",
    "explain",
    "explain_methods",
    "export",
    "export_all",
    "export_formats",
    "families",
    "find_cluster",
    "from_keras",
    "lab",
    "lab_book",
    "list_labs",
    "load",
    "load_weights",
    "networks",
    "optimize",
    "plan",
    "predict",
    "predictions_text",
    "preview_data",
    "recipes",
    "report",
    "resume",
    "schema",
    "serve",
    "summarize",
    "train",
]

_CLASSES = {
    "ArchspecError": "diagnostics",
    "BinaryEvaluation": "runtime.evaluation.binary_result",
    "Comparison": "comparison.comparison",
    "DenseScorer": "runtime.dense.scorer",
    "Diagnostic": "diagnostics",
    "Difference": "graph.diff.diff",
    "Drawing": "drawings.drawing",
    "Estimate": "runtime.evaluation.estimate",
    "Evaluation": "runtime.evaluation.result",
    "Explanation": "runtime.explain.explanation",
    "Export": "runtime.export.export_result",
    "ExportTable": "runtime.export.export_result",
    "Graph": "graph.ir",
    "LabResult": "runtime.labs.result",
    "Manifest": "runtime.data.report.manifest",
    "Matching": "runtime.weights",
    "MultiLabelEvaluation": "runtime.evaluation.multi_label_result",
    "NumbersEvaluation": "runtime.evaluation.numbers_result",
    "OutputPrediction": "runtime.predict",
    "Plan": "graph.analysis.training_plan",
    "Prediction": "runtime.predict",
    "Recipe": "lang.recipes.recipe",
    "RunReport": "runtime.run_report.run_report",
    "RunResult": "runtime.training.run_result",
    "Summary": "graph.analysis.summary",
}
"""The modules that define the classes which `archspec.api` does not."""


def __getattr__(name: str) -> Any:
    """Import exported names when they are first used."""
    if name not in __all__:
        raise AttributeError(f"module `archspec` has no attribute `{name}`")
    return getattr(import_module(f"archspec.{_CLASSES.get(name, 'api')}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
